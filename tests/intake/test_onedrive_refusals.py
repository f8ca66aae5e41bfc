"""What a staging folder in OneDrive may hold and who may have put it there: which test shows what becomes of each.

`W` is test_onedrive_source, `A` test_authorship, `C` test_onedrive_changes, `S` tests/system/test_onedrive_staging; the
others are here. Every refusal there is looked at with the sentence that its submitter reads, an advice and clauses.

Who wrote it
    made, changed, or one version of it, by: an application alone, SharePoint itself (as when it rewrites a picture),
    a guest, nobody, anonymous, a member without an id, a name alone, a stranger, two members' id and address in one,
    a computer alone, a kind of account that is new      W test_what_no_member_of_staff_wrote_is_refused
    made, changed, one version of it, moved here, by the device's account: by its id, its address, with an application
                                                         W test_what_the_device_s_account_wrote_is_refused
    any mixture of all these                             A test_only_who_wrote_all_of_it_…, test_each_set_of_…
    two members of staff                                 W test_what_two_members_of_staff_wrote_is_nobody_s_to_hand_in
    a member of staff, by id or by address               W test_the_submitter_is_who_wrote_it_by_id_or_by_address
    no version is told                                   test_a_file_without_versions_was_written_by_nobody
    versions, or the item, cannot be asked for           test_where_it_cannot_be_seen_who_wrote_it_there_is_no_verdict
    author or editor rewritten while it is fetched       W test_writers_who_change_while_it_is_fetched_…
    a hundred versions by strangers                      test_a_hundred_versions_by_strangers_are_a_few_findings
    the device's file, to the log and the note           S test_the_device_s_file_is_refused_logged_without_names_…

What is odd about it
    malware, by the item or by the download only         W test_what_onedrive_holds_…, test_malware_that_is_found_…
    a shortcut, a notebook, an album, an unknown thing   W test_what_is_no_file_is_refused
    an upload under way, a check-out, no hash yet        W test_what_is_not_finished_waits_and_is_refused_in_the_end
    empty                                                W test_an_empty_file_is_refused
    longer, shorter or other than told (as with protecting labels, live photos, a page in place of a file)
                                                         W test_other_bytes_than_reported_are_tried_twice_and_refused
    a download cut, short, other bytes, address expired  W test_a_download_that_goes_wrong_on_its_way_is_no_verdict
    changed, renamed, moved away or removed between the look and the door, or while it is fetched
                                                         test_what_changes_before_the_door_or_behind_it_starts_over
    another eTag, though nothing changed                 test_another_tag_without_another_content_is_the_same_file
    what programs leave behind                           test_what_programs_leave_behind_is_nothing_anybody_dropped
    a name that nobody can type, or of one step only     W TestOneDriveSource, C test_any_story_makes_paths_…
    two files of one name in other capitals              test_two_names_that_differ_in_capitals_are_two_files
    a kind of file that may not go, one too long         test_what_the_policy_does_not_let_in_…, test_a_file_that_is_…
    removed, told again, told late, told by half         C all of it
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.graph.emulator.identities import application
from tests.graph.emulator.items import Item
from tests.intake.drive_door import JPEG, POLICY, admitted, refused
from tests.intake.drive_place import ANN, OTHER, SAM, WHO, Place
from transfer.errors import Unavailable
from transfer.intake.place import is_leftover
from transfer.model.findings import Code
from transfer.model.identifiers import NOBODY
from transfer.model.states import Arrival, Spooled
from transfer.store.blobs import Blobs

PATH = b"open-day/x.jpg"


HERE = Path(__file__)
MODULES = {
    "W": HERE.with_name("test_onedrive_source.py"),
    "A": HERE.with_name("test_authorship.py"),
    "C": HERE.with_name("test_onedrive_changes.py"),
    "S": HERE.parents[1] / "system" / "test_onedrive_staging.py",
    "": HERE,
}


def test_each_test_that_is_named_above_is_there() -> None:
    there = {
        letter: [node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        for letter, path in MODULES.items()
    }
    named = 0
    for line in str(__doc__).partition("Who wrote it")[2].splitlines():
        letter = found[1] if (found := re.search(r"\b([WACS]) test_", line)) else ""
        for name, begun in re.findall(r"(test_\w+?)(_?…|\b)", line):
            named += 1
            assert any(has.startswith(name) if begun else has == name for has in there[letter]), (letter, name)
    assert named > 20


def put(place: Place, name: str = "x.jpg", content: bytes = JPEG) -> Item:
    return place.drive.by(SAM).put(f"in/open-day/{name}", content)


def test_a_file_without_versions_was_written_by_nobody(place: Place, blobs: Blobs) -> None:
    put(place)
    place.world.database.run("DELETE FROM versions")
    answer, said, clauses = refused(place, blobs, PATH, Code.WRITER_UNKNOWN)
    assert "seen was nobody, for a version of it" in said
    assert {"G4", "G5"} <= clauses
    assert answer.arrived.submitter == NOBODY


@pytest.mark.parametrize("fault", ["status", "garbage", "broken", "not_found"])
@pytest.mark.parametrize("path", ["/versions", "/items/[^/]+$"], ids=["versions", "item"])
def test_where_it_cannot_be_seen_who_wrote_it_there_is_no_verdict(
    place: Place, blobs: Blobs, path: str, fault: str
) -> None:
    put(place)
    arrival = place.arrival(PATH)
    place.world.fault(fault, path=path, times=99, status=403, code="accessDenied")
    if (path, fault) == ("/items/[^/]+$", "not_found"):
        assert admitted(place, blobs, arrival) is None, "what is gone meanwhile is looked at anew"
    else:
        with pytest.raises(Unavailable, match=r"OneDrive .*\.$"):
            admitted(place, blobs, arrival)
    assert place.world.counted("content_requests") == 0
    place.world.no_faults()
    assert isinstance(admitted(place, blobs, place.arrival(PATH)), Spooled)


def test_a_hundred_versions_by_strangers_are_a_few_findings(place: Place, blobs: Blobs) -> None:
    item = put(place, content=b"first")
    with place.world.together():
        for number in range(100):
            place.drive.by(application(f"Flow {number}")).replace(item, b"x%d" % number)
    place.drive.pretend(place.drive.by(SAM).replace(item, JPEG), created_by=SAM, modified_by=SAM)
    answer, said, _ = refused(place, blobs, PATH, Code.WRITER_UNKNOWN)
    assert said.count("an application") == 1
    assert len(answer.findings) == 1


CHANGES: dict[str, Callable[[Place, Item], object]] = {
    "other bytes": lambda place, item: place.drive.by(SAM).replace(item, JPEG + b"more"),
    "another name": lambda place, item: place.drive.by(SAM).rename(item, "y.jpg"),
    "another folder": lambda place, item: place.drive.by(SAM).move(item, place.drive.by(SAM).folder("in/autumn")),
    "out of staging": lambda place, item: place.drive.by(SAM).move(item, place.drive.by(SAM).folder("elsewhere")),
    "removed": lambda place, item: place.drive.by(SAM).remove(item),
    "checked out": lambda place, item: place.drive.check_out(item),
    "malware found": lambda place, item: place.drive.malware(item),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("when", ["before the door", "while it is fetched"])
def test_what_changes_before_the_door_or_behind_it_starts_over(
    place: Place, blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, when: str
) -> None:
    item = put(place)
    arrival = place.arrival(PATH)
    if when == "before the door":
        CHANGES[change](place, item)
    else:
        opened = place.source.open

        def open_and_change(arrival: Arrival) -> BinaryIO:
            stream = opened(arrival)
            CHANGES[change](place, item)
            return stream

        monkeypatch.setattr(place.source, "open", open_and_change)
    assert admitted(place, blobs, arrival) is None
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file()] == [], "nothing of it was kept"


def test_another_tag_without_another_content_is_the_same_file(place: Place, blobs: Blobs) -> None:
    item = put(place)
    before = place.arrival(PATH)
    place.drive.touch(item)
    after = place.arrival(PATH)
    assert after.identity == before.identity, "pictures get another tag by themselves within half a minute"
    assert isinstance(admitted(place, blobs, before), Spooled)


@pytest.mark.parametrize("name", ["x.jpg.tmp", ".~lock.x.jpg#", "Thumbs.db", "x.partial", "._x.jpg", ".DS_Store"])
def test_what_programs_leave_behind_is_nothing_anybody_dropped(place: Place, blobs: Blobs, name: str) -> None:
    put(place, name)
    (arrival,) = place.source.sightings()
    assert is_leftover(arrival.path)
    assert admitted(place, blobs, arrival) is None


def test_two_names_that_differ_in_capitals_are_two_files(place: Place, blobs: Blobs) -> None:
    put(place)
    place.drive.by(SAM).put("in/open-day/two/X.JPG", JPEG + b"2")
    assert place.paths() == [b"open-day/two/X.JPG", PATH]
    answers = [admitted(place, blobs, place.arrival(path)) for path in place.paths()]
    assert all(isinstance(answer, Spooled) for answer in answers)


@pytest.mark.parametrize("name", ["x.exe", "x.docx"])
def test_what_the_policy_does_not_let_in_is_refused_with_its_writer_known(
    place: Place, blobs: Blobs, name: str
) -> None:
    put(place, name)
    answer, said, _ = refused(place, blobs, b"open-day/" + name.encode(), Code.NAME_NOT_ALLOWED)
    assert name[1:] in said
    assert answer.arrived.submitter == WHO
    assert answer.sha256 is not None


def test_a_file_that_is_too_long_is_refused_with_its_writer_known(place: Place, blobs: Blobs) -> None:
    item = place.drive.by(ANN).put("in/open-day/x.jpg", JPEG)
    place.drive.report(item, size=POLICY.hash_limit_bytes + 1, quickxor="Q" + "A" * 26 + "=")
    answer, said, _ = refused(place, blobs, PATH, Code.TOO_LARGE)
    assert "large" in said
    assert answer.arrived.submitter == OTHER
    assert answer.sha256 is None, "nobody reads so much for its digest"

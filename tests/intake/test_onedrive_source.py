"""The OneDrive source against the emulator: the contract of every source, and what only a drive does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.graph.emulator.identities import ANONYMOUS, SHAREPOINT, Actor, Identity, application, guest, person
from tests.intake.drive_door import JPEG, admitted, refused
from tests.intake.drive_place import ANN, IPAD, OTHER, SAM, WHO, Place
from tests.intake.source_contract import SourceContract
from transfer.errors import Unavailable
from transfer.intake.onedrive import REQUESTS_A_FILE, OneDriveRetirer
from transfer.model.ends import Retirer, Source
from transfer.model.findings import Code
from transfer.model.identifiers import NOBODY
from transfer.model.states import Kind, Spooled
from transfer.store.blobs import Blobs


class DriveStage:
    """For the contract."""

    removes_originals = False

    def __init__(self, place: Place) -> None:
        self._place = place
        self.source: Source = place.source
        self.retirer: Retirer = OneDriveRetirer()

    def put(self, path: bytes, content: bytes) -> None:
        self._place.drive.by(SAM).put(f"in/{path.decode()}", content)

    def remove(self, path: bytes) -> None:
        self._place.drive.by(SAM).remove(self._place.drive.item(f"in/{path.decode()}"))

    def names_it_can_have(self, names: list[bytes]) -> list[bytes]:
        return [name for name in names if _can_have(name)]

    def plant(self, kind: Kind, path: bytes) -> bool:
        plant = {Kind.SHORTCUT: self._place.drive.by(SAM).shortcut, Kind.PACKAGE: self._place.drive.by(SAM).package}
        if kind not in plant:
            return False
        plant[kind](f"in/{path.decode()}")
        return True


def _can_have(name: bytes) -> bool:
    try:
        return not set(name.decode()) & set('"*:<>?/\\|\n')
    except UnicodeDecodeError:
        return False


class TestOneDriveSource(SourceContract):
    @pytest.fixture
    def stage(self, place: Place) -> DriveStage:
        return DriveStage(place)


STRANGERS: list[tuple[str, Actor, str]] = [
    ("an application alone", application("Flow"), "an application"),
    ("SharePoint itself", SHAREPOINT, "an application"),
    ("a guest", guest("Gus"), "a guest"),
    ("nobody", None, "nobody"),
    ("anonymous", ANONYMOUS, "nobody"),
    ("a member without an id", SAM.without_id(), "somebody without an id"),
    ("a name alone", Identity(kind="user", id=None, name="Sam"), "nobody"),
    ("a colleague not on the list", person("Zoe"), "somebody not on the list"),
    ("two members of staff in one", replace(SAM, email=ANN.email), "somebody not on the list"),
    ("a computer alone", Identity(kind="device", id="5", name="Laptop"), "an unknown kind of account"),
    ("a kind that is new", Identity(kind="robot", id="6", name="Sam"), "an unknown kind of account"),
]


@pytest.mark.parametrize(("who", "seen"), [(who, seen) for _, who, seen in STRANGERS], ids=[s[0] for s in STRANGERS])
@pytest.mark.parametrize("act", ["made", "changed", "version"])
def test_what_no_member_of_staff_wrote_is_refused(place: Place, blobs: Blobs, who: Actor, seen: str, act: str) -> None:
    sam = place.drive.by(SAM)
    if act == "version":
        item = place.drive.by(who).put("in/open-day/x.jpg", b"first")
        place.drive.pretend(sam.replace(item, JPEG), created_by=SAM, modified_by=SAM)
    else:
        item = sam.put("in/open-day/x.jpg", JPEG)
        made, changed = (who, SAM) if act == "made" else (SAM, who)
        place.drive.pretend(item, created_by=made, modified_by=changed)
    answer, said, clauses = refused(place, blobs, b"open-day/x.jpg", Code.WRITER_UNKNOWN)
    assert {"G4", "G5"} <= clauses
    assert f"seen was {seen}" in said
    assert answer.arrived.submitter == NOBODY
    assert answer.sha256 is not None, "what it was is known by its digest"
    assert list(answer.private) == ["writer"]
    details = str([finding.detail for finding in answer.findings])
    for private in ("university.example", str(SAM.id), "Gus", "Zoe"):
        assert private not in said + details, "nobody is named where all can read it"


@pytest.mark.parametrize(
    "who",
    [IPAD, [IPAD, application("OneDrive for iOS")], person("Other", email=IPAD.email)],
    ids=["by-id", "with-its-application", "by-mail"],
)
@pytest.mark.parametrize("act", ["made", "changed", "version", "moved"])
def test_what_the_device_s_account_wrote_is_refused(place: Place, blobs: Blobs, who: Actor, act: str) -> None:
    sam = place.drive.by(SAM)
    if act == "version":
        item = place.drive.by(who).put("in/open-day/x.jpg", b"first")
        place.drive.pretend(sam.replace(item, JPEG), created_by=SAM, modified_by=SAM)
    elif act == "moved":
        place.drive.by(who).move(sam.put("x.jpg", JPEG), sam.folder("in/open-day"))
    else:
        made, changed = (who, SAM) if act == "made" else (SAM, who)
        place.drive.pretend(sam.put("in/open-day/x.jpg", JPEG), created_by=made, modified_by=changed)
    answer, said, clauses = refused(place, blobs, b"open-day/x.jpg", Code.WRITTEN_BY_DEVICE)
    assert "nothing comes back" in said
    assert {"G4", "G5"} <= clauses
    assert answer.arrived.submitter == NOBODY


def test_what_two_members_of_staff_wrote_is_nobody_s_to_hand_in(place: Place, blobs: Blobs) -> None:
    item = place.drive.by(SAM).put("in/open-day/x.jpg", b"first")
    place.drive.by(ANN).replace(item, JPEG)
    _, said, clauses = refused(place, blobs, b"open-day/x.jpg", Code.WRITTEN_BY_SEVERAL)
    assert "More than one member of staff" in said
    assert clauses == {"G6"}


def test_the_submitter_is_who_wrote_it_by_id_or_by_address(place: Place, blobs: Blobs) -> None:
    place.drive.by([SAM, application("OneDrive for iOS")]).put("in/open-day/x.jpg", JPEG)
    place.drive.by(ANN).put("in/open-day/y.jpg", JPEG)
    for path, who in ((b"open-day/x.jpg", WHO), (b"open-day/y.jpg", OTHER)):
        answer = admitted(place, blobs, place.arrival(path))
        assert isinstance(answer, Spooled)
        assert answer.arrived.submitter == who


def test_writers_who_change_while_it_is_fetched_make_it_start_over(place: Place) -> None:
    item = place.drive.by(SAM).put("in/open-day/x.jpg", JPEG)
    arrival = place.arrival(b"open-day/x.jpg")
    place.source.origin_of(arrival)
    place.drive.pretend(item, created_by=SAM, modified_by=IPAD)
    assert place.source.observe(b"open-day/x.jpg") is None, "it is judged anew"


def test_what_onedrive_holds_for_malware_is_refused_unread(place: Place, blobs: Blobs) -> None:
    place.drive.malware(place.drive.by(SAM).put("in/open-day/x.jpg", JPEG))
    answer, said, clauses = refused(place, blobs, b"open-day/x.jpg", Code.MALWARE)
    assert "by OneDrive itself" in said
    assert "G9" in clauses
    assert answer.sha256 is None
    assert place.world.counted("content_requests") == 0


def test_malware_that_is_found_only_at_the_download_is_refused_too(place: Place, blobs: Blobs) -> None:
    place.drive.by(SAM).put("in/open-day/x.jpg", JPEG)
    place.world.fault("status", path="/content", status=403, code="malwareDetected", times=9)
    refused(place, blobs, b"open-day/x.jpg", Code.MALWARE)


@pytest.mark.parametrize("thing", ["shortcut", "package", "bundle", "thing"])
def test_what_is_no_file_is_refused(place: Place, blobs: Blobs, thing: str) -> None:
    getattr(place.drive.by(SAM), thing)("in/open-day/x.jpg")
    code = Code.SHORTCUT if thing == "shortcut" else Code.NOT_A_FILE
    answer, said, _ = refused(place, blobs, b"open-day/x.jpg", code)
    assert ("link to another file" if thing == "shortcut" else "not a file") in said
    assert answer.sha256 is None


@pytest.mark.parametrize("lie", ["longer", "shorter", "hash"])
def test_other_bytes_than_reported_are_tried_twice_and_refused(place: Place, blobs: Blobs, lie: str) -> None:
    item = place.drive.by(SAM).put("in/open-day/x.jpg", JPEG)
    size = {"longer": len(JPEG) - 7, "shorter": len(JPEG) + 7}.get(lie)
    place.drive.report(item, size=size, quickxor="A" * 27 + "=" if size else "Q" + "A" * 26 + "=")
    if size:
        place.drive.report(item, size=size, quickxor="Q" + "A" * 26 + "=")
    with pytest.raises(Unavailable, match="another length or hash"):
        admitted(place, blobs, place.arrival(b"open-day/x.jpg"))
    answer, said, clauses = refused(place, blobs, b"open-day/x.jpg", Code.NOT_AS_REPORTED)
    assert "another file than it says it holds" in said
    assert clauses == {"G6"}
    assert answer.sha256 is None


@pytest.mark.parametrize("fault", ["cut_body", "short_body", "wrong_body", "expired"])
def test_a_download_that_goes_wrong_on_its_way_is_no_verdict(place: Place, blobs: Blobs, fault: str) -> None:
    place.drive.by(SAM).put("in/open-day/x.jpg", JPEG)
    place.world.fault(fault, path="/download/")
    try:
        answer = admitted(place, blobs, place.arrival(b"open-day/x.jpg"))
    except Unavailable:
        answer = admitted(place, blobs, place.arrival(b"open-day/x.jpg"))
    assert isinstance(answer, Spooled)
    assert place.world.faults_met() == {fault: 1}


@pytest.mark.parametrize("how", ["upload", "checked-out", "no-hash"])
def test_what_is_not_finished_waits_and_is_refused_in_the_end(place: Place, blobs: Blobs, how: str) -> None:
    sam = place.drive.by(SAM)
    if how == "upload":
        item = sam.begin("in/open-day/x.jpg", JPEG[:100])
    elif how == "checked-out":
        item = place.drive.check_out(sam.put("in/open-day/x.jpg", JPEG))
    else:
        item = place.drive.report(sam.put("in/open-day/x.jpg", JPEG), quickxor=None)
    arrival = place.arrival(b"open-day/x.jpg")
    assert arrival.version is not None
    assert arrival.version.unfinished
    answer, said, _ = refused(place, blobs, b"open-day/x.jpg", Code.UNFINISHED)
    assert "not been finished" in said
    assert answer.sha256 is None
    if how != "checked-out":
        sam.finish(item, JPEG)
    else:
        place.drive.mark(item, publication=None)
    done = place.arrival(b"open-day/x.jpg")
    assert done.identity != arrival.identity, "finished, it is another arrival and is taken"
    assert isinstance(admitted(place, blobs, done), Spooled)


def test_an_empty_file_is_refused(place: Place, blobs: Blobs) -> None:
    place.drive.by(SAM).put("in/open-day/x.jpg", b"")
    _, said, _ = refused(place, blobs, b"open-day/x.jpg", Code.EMPTY)
    assert "nothing in this file" in said


def test_requests_for_one_file_are_bounded(place: Place, blobs: Blobs) -> None:
    place.drive.by(SAM).put("in/open-day/x.jpg", JPEG)
    arrival = place.arrival(b"open-day/x.jpg")
    place.world.forget_requests()
    again = place.source.observe(arrival.path)
    assert again is not None
    assert isinstance(admitted(place, blobs, again), Spooled)
    assert place.world.counted("requests") <= REQUESTS_A_FILE


def test_a_large_file_passes_with_little_memory(place: Place, blobs: Blobs, tmp_path: Path) -> None:
    content = tmp_path / "large"
    with content.open("wb") as large:
        for number in range(64):
            large.write(bytes([number]) * (1024 * 1024))
    place.drive.by(SAM).put("in/open-day/x.mp4", content)
    arrival = place.arrival(b"open-day/x.mp4")
    before = peak_memory()
    assert isinstance(admitted(place, blobs, arrival), Spooled)
    assert peak_memory() - before < 40 * 1024 * 1024


def peak_memory() -> int:
    """Bytes, the most that this process ever had."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

"""What a drive can do to us, which sentence says so, and which test shows it: a table that is held against the tests.

Each row is a case, a piece of what somebody reads, the file that says it, and the test in which it happens. Who wrote a
file comes first, then who may reach the device's folder, then what is odd about files.
"""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from transfer.return_guard.breaches import Breach, Place, advice_of, sentence_of
from transfer.return_guard.onedrive_aside import Glimpse, Sight

TOP = Path(__file__).parents[2]
PAGE = " ".join((TOP / "docs" / "onedrive.md").read_text().split())
POLICY, BREACHES = "policies/university.toml", "transfer/return_guard/breaches.py"
INTAKE, CHANGES = "tests/intake/test_onedrive_source.py", "tests/intake/test_onedrive_changes.py"
DOCTOR, SHARED = "tests/checkup/test_release_drive.py", "tests/return_guard/test_onedrive_permissions.py"
RECOGNISE, RECHECK = "tests/return_guard/test_onedrive_recognise.py", "tests/release/test_onedrive_recheck.py"
WRONG, ASKED = "test_what_is_not_as_it_must_be", "test_whatever_is_granted_is_found_wherever_it_is"


class Row(NamedTuple):
    case: str
    sentence: str
    said_in: str
    shown_in: str
    test: str


STAFF = "Nobody on the list of staff wrote this file"
ROWS = (
    # Who wrote it
    Row("an application, a guest, nobody or a stranger made it", STAFF, POLICY, INTAKE,
        "test_what_no_member_of_staff_wrote_is_refused"),
    Row("one of those changed it, or made one of its versions", STAFF, POLICY, INTAKE,
        "test_what_no_member_of_staff_wrote_is_refused"),
    Row("a person without an id", STAFF, POLICY, INTAKE, "test_what_no_member_of_staff_wrote_is_refused"),
    Row("the device's account made or changed it, by id or by address", "nothing comes back from the device", POLICY,
        INTAKE, "test_what_the_device_s_account_wrote_is_refused"),
    Row("two members of staff", "More than one member of staff", POLICY, INTAKE,
        "test_what_two_members_of_staff_wrote_is_nobody_s_to_hand_in"),
    Row("the author is rewritten while it is fetched", "The file in OneDrive is no longer what it was.",
        "transfer/intake/onedrive.py", INTAKE, "test_writers_who_change_while_it_is_fetched_make_it_start_over"),
    Row("the device's account is on the list of staff", "cannot be staff: nothing comes back from it",
        "transfer/device_settings.py", "tests/test_settings.py",
        "test_what_is_wrong_with_a_release_folder_in_onedrive_is_said"),
    # Who may reach the device's folder
    Row("the device's account writes or owns", "has more than the right to read", BREACHES, SHARED, ASKED),
    Row("a level of the site: no role, or one that is the site's own", "has no role, or one that cannot be judged",
        BREACHES, SHARED, WRONG),
    Row("a group in a group that the device is in", "A group that the device's account is in", BREACHES, SHARED,
        "test_a_group_in_a_group_is_looked_into"),
    Row("a group that nobody tells the members of", "Nobody can say whether the device's account is in a group",
        BREACHES, SHARED, "test_a_group_that_the_guard_may_not_read_is_unknown_until_the_settings_vouch_for_it"),
    Row("a group of the site, everyone, a kind that is new", "Nobody can say whether", BREACHES, SHARED, WRONG),
    Row("a link to edit", "A link lets people change", BREACHES, SHARED, ASKED),
    Row("a link for anybody", "A link lets anybody in the world open", BREACHES, SHARED, ASKED),
    Row("a link of a new type or scope", "a link of an unknown kind", BREACHES, SHARED, WRONG),
    Row("a permission that is nobody's", "does not say whose it is", BREACHES, SHARED, WRONG),
    Row("a service that tells only one's own permissions", "says that the device's account may read it", BREACHES,
        SHARED, "test_an_identity_that_is_not_told_everything_does_not_pass"),
    Row("the drive is the device's own", "has more than the right to read", BREACHES, SHARED,
        "test_the_drive_of_the_device_itself_is_no_place_for_a_release"),
    Row("permissions that cannot be asked for", "Nobody could see for some time who may reach",
        "transfer/return_guard/access.py", SHARED, "test_where_not_all_can_be_seen_there_is_no_verdict"),
    Row("a grant that is too wide or too narrow, for each identity", "whose files nobody has looked at yet",
        "transfer/checkup/release_drive.py", DOCTOR, "test_each_wrong_grant_is_found"),
    Row("a folder aside that the device can see", "has a right on the folder aside",
        "transfer/return_guard/onedrive_aside.py", DOCTOR, "test_each_wrong_grant_is_found"),
    Row("folders that are none, or lie in one another", "lie in one another", "transfer/checkup/drive_guard.py", DOCTOR,
        "test_each_wrong_folder_is_found"),
    # What is odd about files
    Row("an upload under way, a check-out, no hash", "has not been finished", POLICY, INTAKE,
        "test_what_is_not_finished_waits_and_is_refused_in_the_end"),
    Row("the same in the release folder, for a quarter of an hour", "Refused to come back",
        "transfer/cli/sentences.py", RECOGNISE,
        "test_what_the_service_has_not_hashed_yet_is_unfinished_if_it_is_ours_by_its_maker"),
    Row("shortcuts, notebooks, albums in staging", "This is a link to another file", POLICY, INTAKE,
        "test_what_is_no_file_is_refused"),
    Row("shortcuts, notebooks, albums, folders in the release folder", "Refused to come back",
        "transfer/cli/sentences.py", "tests/return_guard/test_onedrive_perimeter.py",
        "test_anything_is_moved_aside_by_its_id_and_told_in_a_fixed_shape"),
    Row("an empty file", "nothing in this file", POLICY, INTAKE, "test_an_empty_file_is_refused"),
    Row("another length or hash than told, as with a protecting label", "another file than it says it holds", POLICY,
        INTAKE, "test_other_bytes_than_reported_are_tried_twice_and_refused"),
    Row("malware that the service found", "by OneDrive itself", "transfer/intake/onedrive.py", INTAKE,
        "test_what_onedrive_holds_for_malware_is_refused_unread"),
    Row("malware that shows at the download only", "by OneDrive itself", "transfer/intake/onedrive.py", INTAKE,
        "test_malware_that_is_found_only_at_the_download_is_refused_too"),
    Row("a name that the service keeps for itself", "get another on the way", "docs/onedrive.md",
        "tests/release/test_onedrive_names.py", "test_it_arrives_under_exactly_that_name_and_is_found_by_it"),
    Row("a picture that the library rewrote, at once or later", "OneDrive itself changed the picture",
        "transfer/cli/drive_sentences.py", RECHECK,
        "test_a_picture_that_the_library_rewrote_is_told_of_and_stays_only_if_it_may"),
    Row("other bytes, found later", "OneDrive has other bytes than went out", "transfer/cli/drive_sentences.py",
        RECHECK, "test_other_bytes_found_later_are_taken_back"),
    Row("other bytes at once", "OneDrive has other bytes than were sent", "transfer/release/onedrive.py", RECHECK,
        "test_other_bytes_at_once_are_removed_at_once_and_never_count_as_released"),
    Row("a version that changes between the look and the removal", "changes faster than it can be taken back",
        "transfer/release/onedrive.py", "tests/release/test_onedrive_recall.py",
        "test_what_never_stands_still_is_put_off"),
    Row("a name that is taken, or is being uploaded by somebody else", "Something we did not put there has the name",
        "transfer/release/onedrive.py", "tests/release/test_onedrive.py",
        "test_a_file_that_somebody_puts_there_during_the_upload_stands_and_ours_waits"),
    Row("a folder that cannot be watched", "answered 501 (notSupported) to `delta`.", "docs/onedrive.md", CHANGES,
        "test_a_folder_that_cannot_be_watched_says_so"),
)  # fmt: skip


@cache
def says(path: str) -> str:
    """All texts of a file of ours, one after the other."""
    text = (TOP / path).read_text()
    if path.endswith(".py"):
        found = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        return "\n".join(value for value in found if isinstance(value, str))
    if path.endswith(".toml"):
        return "\n".join(rule["message"] for rule in tomllib.loads(text)["rule"])
    return " ".join(text.split())


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((TOP / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.case)
def test_the_sentence_is_said_and_the_test_is_there(row: Row) -> None:
    assert row.sentence in says(row.said_in)
    assert row.test in names_in(row.shown_in)


@pytest.mark.parametrize("breach", Breach)
def test_the_page_says_of_each_breach_what_to_do(breach: Breach) -> None:
    assert f"| {sentence_of(breach, Place.FOLDER)} |" in PAGE
    assert advice_of(breach)


@pytest.mark.parametrize("glimpse", Glimpse)
def test_the_page_says_of_the_folder_aside_what_to_do(glimpse: Glimpse) -> None:
    sight = Sight(glimpse=glimpse, permission="p1")
    assert f"| {sight.sentence} |" in PAGE
    assert sight.advice.endswith(".")
    assert "p1" not in sight.sentence + sight.advice

"""What can be wrong on the device's side in a drive, which sentence says so, and which test shows it.

Each row is a case, a piece of what somebody reads, the file that says it, and the test in which it happens: who may
reach the device's folder, and what is odd about what lies there. A staging folder's table is in
tests/intake/test_onedrive_refusals.py.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from transfer.return_guard.breaches import Breach, Place, advice_of, sentence_of

TOP = Path(__file__).parents[2]
PAGE = " ".join((TOP / "docs" / "onedrive.md").read_text().split())
BREACHES = "transfer/return_guard/breaches.py"
DOCTOR, SHARED = "tests/checkup/test_release_drive.py", "tests/return_guard/test_onedrive_permissions.py"
PATROL, RECHECK = "tests/return_guard/test_onedrive_patrol.py", "tests/release/test_onedrive_recheck.py"
WRONG, ASKED = "test_what_is_not_as_it_must_be", "test_whatever_is_granted_is_found_wherever_it_is"


class Row(NamedTuple):
    case: str
    sentence: str
    said_in: str
    shown_in: str
    test: str


ROWS = (
    # Who it is about
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
    Row("a verdict that has grown old", "Nobody could see for some time who may reach",
        "transfer/return_guard/access.py", "tests/return_guard/test_access.py",
        "test_nothing_goes_before_the_first_verdict_and_after_the_last_one_is_old"),
    Row("a breach", "Nothing is released until that is mended", "transfer/return_guard/access.py",
        "tests/return_guard/test_access.py", "test_a_breach_stops_until_it_is_mended_and_each_change_is_one_entry"),
    Row("a grant that is too wide or too narrow, for each identity", "whose files nobody has looked at yet",
        "transfer/checkup/release_drive.py", DOCTOR, "test_each_wrong_grant_is_found"),
    Row("a folder aside that the device can see", "has a right on", BREACHES, SHARED,
        "test_whoever_may_see_the_folder_aside_is_found"),
    Row("folders that are none, or lie in one another", "lie in one another", "transfer/checkup/drive_guard.py", DOCTOR,
        "test_each_wrong_folder_is_found"),
    # What is odd about files
    Row("an upload, a check-out or a missing hash that does not end", "Refused to come back",
        "transfer/cli/sentences.py", PATROL, "test_a_file_of_ours_without_a_hash_is_waited_for_but_not_for_ever"),
    Row("a file of ours that somebody changed", "Altered on the device's side", "transfer/cli/sentences.py", PATROL,
        "test_ours_that_somebody_changed_goes_and_the_genuine_one_may_come_as_another_item"),
    Row("a file of ours under another name", "Refused to come back", "transfer/cli/sentences.py", PATROL,
        "test_ours_under_another_name_is_foreign_and_missing_under_its_own"),
    Row("what will not move", "NOT moved aside", "transfer/cli/sentences.py", PATROL,
        "test_what_will_not_move_is_told_once_and_tried_again"),
    Row("shortcuts, notebooks, albums, folders in the release folder", "Refused to come back",
        "transfer/cli/sentences.py", "tests/return_guard/test_onedrive_perimeter.py",
        "test_anything_is_moved_aside_by_its_id_and_told_in_a_fixed_shape"),
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
)  # fmt: skip


@cache
def says(path: str) -> str:
    """All texts of a file of ours, one after the other."""
    text = (TOP / path).read_text()
    if path.endswith(".py"):
        found = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
        return "\n".join(value for value in found if isinstance(value, str))
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
    assert any(f"| {sentence_of(breach, place)} |" in PAGE for place in (Place.FOLDER, Place.ASIDE))
    assert advice_of(breach).endswith(".")


OF_ASIDE = (Breach.DEVICE_SEES, Breach.GROUP_SEES, Breach.LINK_SEES, Breach.GROUP_UNKNOWN, Breach.NOBODY_NAMED)


@pytest.mark.parametrize("breach", OF_ASIDE)
def test_the_page_says_of_the_folder_aside_what_to_do(breach: Breach) -> None:
    assert f"| {sentence_of(breach, Place.ASIDE)} |" in PAGE

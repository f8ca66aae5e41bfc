"""The look at who may reach the release folder, again and again: a few files each time, and what is wrong stands."""

from __future__ import annotations

import pytest

from tests.return_guard.onedrive_rig import DEVICE, GUARD, IPAD, PAT, RELEASE, WRITER, Coast
from transfer.return_guard import onedrive_audit
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.messages import MAX_BREACHES, Audited
from transfer.return_guard.onedrive_audit import FILES_A_ROUND, DriveAudit
from transfer.return_guard.onedrive_permissions import Violation
from transfer.return_guard.packets import parse_from_guard, render_message


class Seconds:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def tidy(coast: Coast) -> Coast:
    """As it must be: the device reads the folder, people and applications of ours have their rights above."""
    coast.drive.permit(coast.release, IPAD)
    coast.drive.permit(coast.drive.item(), PAT, roles=("owner",))
    coast.drive.permit(coast.drive.item(), WRITER, roles=("write",))
    coast.drive.permit(coast.drive.item(), GUARD, roles=("owner",))
    return coast


def audit(coast: Coast, seconds: Seconds) -> DriveAudit:
    return DriveAudit(
        release=coast.lister, aside=coast.aside.id, device=DEVICE, known=(), every=100.0, monotonic=seconds
    )


def verdict(audit: DriveAudit) -> Audited:
    found = audit.verdict()
    assert found is not None
    assert parse_from_guard(render_message(found)) == found
    return found


def test_there_is_no_verdict_before_the_first_and_each_has_an_age(tidy: Coast) -> None:
    seconds = Seconds()
    made = audit(tidy, seconds)
    assert made.is_due
    assert made.verdict() is None
    made.look([])
    assert (verdict(made), made.number, made.is_due) == (Audited(age=0), 1, False)
    seconds.now += 99
    assert (verdict(made).age, made.is_due) == (99, False)
    seconds.now += 1
    assert made.is_due


def test_a_few_files_in_turn_and_what_is_wrong_with_one_stands_until_it_is_mended(tidy: Coast) -> None:
    files = [tidy.writer.put(f"{RELEASE}/film-{number:02}.mp4", b"x").id for number in range(3 * FILES_A_ROUND)]
    bad = min(files)
    link = tidy.drive.link(tidy.drive.item(f"{RELEASE}/film-{files.index(bad):02}.mp4"), "edit", "organization")
    made = audit(tidy, Seconds())
    for number in range(1, 5):
        made.look(files)
        assert {(one.breach, one.place) for one in verdict(made).breaches} == {(Breach.EDIT_LINK, Place.ITEM)}, number
    tidy.drive.withdraw(link)
    made.look(files)
    assert verdict(made).breaches == ()


def test_all_files_have_had_their_turn_after_so_many_looks(tidy: Coast) -> None:
    files = [tidy.writer.put(f"{RELEASE}/film-{number:02}.mp4", b"x").id for number in range(3 * FILES_A_ROUND)]
    last = max(files)
    made = audit(tidy, Seconds())
    tidy.drive.link(tidy.drive.item(f"{RELEASE}/film-{files.index(last):02}.mp4"), "edit", "anonymous")
    for _ in range(3):
        made.look(files)
    assert {one.breach for one in verdict(made).breaches} == {Breach.EDIT_LINK, Breach.ANONYMOUS_LINK}


def test_what_is_wrong_with_a_file_that_has_gone_is_wrong_no_longer(tidy: Coast) -> None:
    item = tidy.writer.put(f"{RELEASE}/film.mp4", b"x")
    tidy.drive.link(item, "edit", "organization")
    made = audit(tidy, Seconds())
    made.look([item.id])
    assert len(verdict(made).breaches) == 1
    tidy.writer.remove(item)
    made.look([])
    assert verdict(made).breaches == ()


def test_of_many_breaches_the_first_are_told_and_the_others_counted(tidy: Coast) -> None:
    for _ in range(MAX_BREACHES + 3):
        tidy.drive.permit(tidy.release, IPAD, roles=("write",))
    made = audit(tidy, Seconds())
    made.look([])
    told = verdict(made)
    assert len(told.breaches) == MAX_BREACHES
    assert told.more >= 3


def test_where_it_cannot_look_the_last_verdict_grows_old(tidy: Coast) -> None:
    seconds = Seconds()
    made = audit(tidy, seconds)
    made.look([])
    tidy.world.fault("status", path="permissions", status=403, code="accessDenied", times=1000)
    seconds.now += 500
    made.look([])
    assert (verdict(made).age, made.number) == (500, 1)
    assert not made.is_due
    seconds.now += 60
    assert made.is_due, "sooner than otherwise"
    tidy.world.no_faults()
    made.look([])
    assert (verdict(made).age, made.number) == (0, 2)


def test_what_files_have_from_the_folder_is_told_of_the_folder_alone(tidy: Coast) -> None:
    files = [tidy.writer.put(f"{RELEASE}/film-{number}.mp4", b"x").id for number in range(3)]
    tidy.drive.link(tidy.release, "edit", "organization")
    made = audit(tidy, Seconds())
    made.look(files)
    assert [(one.breach, one.place) for one in verdict(made).breaches] == [(Breach.EDIT_LINK, Place.FOLDER)]
    assert verdict(made).more == 0


def test_who_sees_the_folder_aside_is_told_until_it_is_mended(tidy: Coast) -> None:
    seen = tidy.drive.permit(tidy.aside, IPAD)
    made = audit(tidy, Seconds())
    made.look([])
    assert [(one.breach, one.place) for one in verdict(made).breaches] == [(Breach.DEVICE_SEES, Place.ASIDE)]
    tidy.drive.withdraw(seen)
    made.look([])
    assert verdict(made).breaches == ()


def test_a_file_and_the_folder_aside_may_have_the_same_permission_and_both_are_told(
    tidy: Coast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service can name a permission by whom it is for; what is above a file is only the release folder's side."""
    film = tidy.writer.put(f"{RELEASE}/film.mp4", b"x").id
    found = tuple(
        Violation(breach=Breach.GROUP_UNKNOWN, place=place, item=item, permission="for-staff")
        for place, item in ((Place.ITEM, film), (Place.ASIDE, tidy.aside.id))
    )
    monkeypatch.setattr(onedrive_audit, "survey", lambda *_, **__: found)
    made = audit(tidy, Seconds())
    made.look([film])
    assert {one.place for one in verdict(made).breaches} == {Place.ITEM, Place.ASIDE}

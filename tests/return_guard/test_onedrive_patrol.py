"""The rounds of the guard over an emulated folder: what goes, what stays, what is told and when."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from tests.graph.emulator.items import Item
from tests.return_guard.onedrive_rig import ASIDE, HAND, RELEASE, Coast
from tests.store.pieces import digest
from transfer.graph.faults import GraphFault
from transfer.model.drive import DriveMark
from transfer.model.ends import Presence
from transfer.model.names import safe_name
from transfer.model.states import Kind
from transfer.return_guard.messages import Expected, Report, Stage, Verdict, What
from transfer.return_guard.onedrive_cases import ROOM, WINDOW, Case, Cases
from transfer.return_guard.onedrive_evidence import DriveEvidence
from transfer.return_guard.onedrive_patrol import (
    MOVES_A_ROUND,
    UNFINISHED_SECONDS,
    UNKNOWN_ABSENT_SECONDS,
    DrivePatrol,
)
from transfer.return_guard.onedrive_perimeter import OneDrivePerimeter
from transfer.return_guard.onedrive_roll import Roll
from transfer.return_guard.perimeter import AsideName, parse_aside_name
from transfer.return_guard.recognise import name_digest

JPEG = b"\xff\xd8approved\xff\xd9"
ABSENT_SECONDS = 5.0


class Time:
    """Both clocks, put forward by hand."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.passed) + self.shift

    def __call__(self) -> float:
        return self.passed


class Watch:
    """One life of the guard over a coast; `told` are reports that were sent and not answered."""

    def __init__(self, coast: Coast, time: Time | None = None) -> None:
        self.coast, self.time = coast, time or Time()
        self.roll, self.cases = Roll(), Cases()
        self.perimeter = OneDrivePerimeter(release=coast.lister, aside=coast.lister_aside)
        self.patrol = DrivePatrol(
            release=coast.lister,
            perimeter=self.perimeter,
            roll=self.roll,
            cases=self.cases,
            hand=HAND,
            clock=self.time,
            monotonic=self.time,
            entropy=os.urandom,
            absent_seconds=ABSENT_SECONDS,
        )
        self.evidence = DriveEvidence(perimeter=self.perimeter, cases=self.cases, clock=self.time, monotonic=self.time)
        self.told: list[Report] = []

    def ours(self, *names: str, jpeg: bool = False) -> list[Expected]:
        """Files of the gateway's, put there, and the list of them as the gateway says it."""
        listed = []
        for name in names:
            put = self.coast.put(name, JPEG if jpeg else name.encode() * 3, jpeg=jpeg)
            listed.append(expected(name, put.contents[0].quickxor, put.contents[0].size, item=put.item, jpeg=jpeg))
        return listed

    def adopt(self, *listed: Expected) -> None:
        self.roll.adopt(listed)

    def look(self, *, passed: float = 0.0) -> bool:
        """A round some seconds later, and what is told after it."""
        self.time.passed += passed
        more = self.patrol.look()
        while (case := self.cases.next()) is not None:
            self.told.append(case.report)
        return more

    def answer(self, verdict: Verdict) -> Report:
        """The gateway has the first of them."""
        report = self.told.pop(0)
        assert self.cases.answer(report.id, verdict)
        return report


def expected(
    name: str, quickxor: str, size: int, *, item: str | None, jpeg: bool = False, stage: Stage = Stage.PLACED
) -> Expected:
    return Expected(
        stage=stage,
        name=safe_name(name),
        temporary=safe_name("part-0000000000000001.tmp"),
        sha256=digest(1),
        size=size,
        mark=DriveMark(quickxor=quickxor, jpeg=jpeg, item=item),
    )


@pytest.fixture
def guard(coast: Coast) -> Watch:
    return Watch(coast)


def lying(coast: Coast) -> list[AsideName | None]:
    return [parse_aside_name(name) or parse_aside_name(name, reported=True) for name in coast.drive.names(ASIDE)]


def test_without_the_gateways_list_nothing_is_moved(guard: Watch, coast: Coast) -> None:
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    assert not guard.look()
    assert coast.drive.names(RELEASE) == ["planted.mp4"]
    guard.adopt()
    guard.look()
    assert coast.drive.names(RELEASE) == []


def test_what_is_ours_stays_and_what_is_foreign_goes_and_is_told_until_it_is_answered(
    guard: Watch, coast: Coast
) -> None:
    guard.adopt(*guard.ours("film.mp4", "caption.txt"))
    guard.look()
    assert guard.told == []
    assert set(guard.patrol.ours) == {"film.mp4", "caption.txt"}
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    coast.device.folder(f"{RELEASE}/more")
    guard.look()
    assert sorted(coast.drive.names(RELEASE)) == ["caption.txt", "film.mp4"]
    assert {report.what for report in guard.told} == {What.MOVED}
    assert {report.presence.name_sha256 for report in guard.told} == {name_digest(b"planted.mp4"), name_digest(b"more")}
    guard.cases.send_again()
    first = [report.id for report in guard.told]
    guard.told.clear()
    guard.look()
    assert sorted(report.id for report in guard.told) == sorted(first), "told again over another connection"
    guard.answer(Verdict.FOREIGN)
    guard.answer(Verdict.FOREIGN)
    guard.look()
    assert all(name.endswith(".done") for name in coast.drive.names(ASIDE))
    assert (guard.told, guard.cases.pending) == ([], 0)


def test_another_life_tells_what_the_last_one_left(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    guard.look()
    (report,) = guard.told
    another = Watch(coast)
    another.adopt()
    another.look()
    (again,) = another.told
    assert (again.id, again.presence) == (report.id, report.presence)
    another.answer(Verdict.FOREIGN)
    another.look()
    third = Watch(coast)
    third.adopt()
    third.look()
    assert third.told == []


def _replaced(coast: Coast, item: Item) -> None:
    coast.device.replace(item, b"something else")


def _renamed(coast: Coast, item: Item) -> None:
    coast.device.rename(item, "other.mp4")


def test_ours_that_somebody_changed_goes_and_the_genuine_one_may_come_as_another_item(
    guard: Watch, coast: Coast
) -> None:
    (film,) = guard.ours("film.mp4")
    guard.adopt(film)
    guard.look()
    _replaced(coast, coast.drive.item(f"{RELEASE}/film.mp4"))
    guard.look()
    assert coast.drive.names(RELEASE) == []
    assert guard.answer(Verdict.ALTERED).presence.name_sha256 == name_digest(b"film.mp4")
    guard.look(passed=2 * ABSENT_SECONDS)
    guard.look(passed=2 * ABSENT_SECONDS)
    assert guard.told == [], "that it is not there is known"
    again = coast.put("film.mp4", b"film.mp4" * 3)
    assert film.mark is not None
    assert again.item != film.mark.item
    guard.look()
    assert coast.drive.names(RELEASE) == ["film.mp4"], "as another item, even before the gateway said which"
    guard.roll.expect(expected("film.mp4", again.contents[0].quickxor, film.size, item=again.item))
    guard.look()
    assert (coast.drive.names(RELEASE), guard.told) == (["film.mp4"], [])


def test_ours_under_another_name_is_foreign_and_missing_under_its_own(guard: Watch, coast: Coast) -> None:
    guard.adopt(*guard.ours("film.mp4"))
    guard.look()
    _renamed(coast, coast.drive.item(f"{RELEASE}/film.mp4"))
    guard.look()
    guard.look(passed=ABSENT_SECONDS + 1)
    assert [report.what for report in guard.told] == [What.MOVED, What.MISSING]
    assert guard.told[1].presence.name_sha256 == name_digest(b"film.mp4")
    guard.answer(Verdict.FOREIGN)
    guard.answer(Verdict.REMOVED)
    guard.look()
    coast.put("film.mp4", b"film.mp4" * 3)
    guard.look()
    assert coast.drive.names(RELEASE) == [], "gone for good: whatever comes under this name now is foreign"


def test_an_absence_is_told_after_two_looks_that_asked_for_the_item_itself(guard: Watch, coast: Coast) -> None:
    guard.adopt(*guard.ours("film.mp4"))
    guard.look()
    coast.device.remove(coast.drive.item(f"{RELEASE}/film.mp4"))
    guard.look()
    assert guard.told == []
    guard.look(passed=ABSENT_SECONDS - 1)
    assert guard.told == []
    guard.look(passed=2)
    assert [report.what for report in guard.told] == [What.MISSING]
    guard.look(passed=100)
    assert len(guard.told) == 1, "told once"


def test_what_the_service_lists_late_is_not_missed(guard: Watch, coast: Coast) -> None:
    """It is asked for by its id before it is called absent; where no id is known, there is more patience."""
    guard.adopt()
    guard.look()
    (film,) = guard.ours("film.mp4")
    coast.world.switch(delta_lag=3600)
    guard.roll.expect(film)
    for _ in range(4):
        guard.look(passed=ABSENT_SECONDS)
    assert guard.told == []
    assert film.mark is not None
    guard.roll.expect(expected("film.mp4", film.mark.quickxor, film.size, item=None))
    guard.look()
    guard.look(passed=UNKNOWN_ABSENT_SECONDS - 1)
    assert guard.told == []


def test_what_is_being_taken_back_is_right_there_or_not_and_foreign_once_it_went(guard: Watch, coast: Coast) -> None:
    (film,) = guard.ours("film.mp4")
    guard.adopt(film)
    guard.look()
    guard.roll.forget(film.name)
    guard.look()
    assert coast.drive.names(RELEASE) == ["film.mp4"]
    coast.writer.remove(coast.drive.item(f"{RELEASE}/film.mp4"))
    guard.look()
    guard.look(passed=ABSENT_SECONDS + 1)
    assert guard.told == []
    coast.put("film.mp4", b"film.mp4" * 3)  # as from the recycle bin: right in every fact, and withdrawn
    guard.look()
    assert coast.drive.names(RELEASE) == []


def test_a_picture_that_the_library_rewrote_stays_and_is_told_once_for_each_version(guard: Watch, coast: Coast) -> None:
    guard.adopt(*guard.ours("photo.jpg", jpeg=True))
    guard.look()
    coast.drive.rewrite_jpeg(coast.drive.item(f"{RELEASE}/photo.jpg"))
    guard.look()
    guard.look()
    assert [report.what for report in guard.told] == [What.REWRITTEN]
    assert coast.drive.names(RELEASE) == ["photo.jpg"]
    assert "photo.jpg" in guard.patrol.ours


def test_a_file_of_ours_without_a_hash_is_waited_for_but_not_for_ever(guard: Watch, coast: Coast) -> None:
    guard.adopt(*guard.ours("film.mp4"))
    item = coast.drive.item(f"{RELEASE}/film.mp4")
    coast.drive.check_out(item)
    guard.look()
    guard.look(passed=UNFINISHED_SECONDS - 1)
    assert coast.drive.names(RELEASE) == ["film.mp4"]
    assert "film.mp4" not in guard.patrol.ours
    guard.look(passed=2)
    assert coast.drive.names(RELEASE) == []
    assert [report.what for report in guard.told] == [What.MOVED]


def test_what_will_not_move_is_told_once_and_tried_again(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    coast.world.fault("status", method="PATCH", status=423, code="resourceLocked", times=2)
    guard.look()
    guard.look()
    assert [report.what for report in guard.told] == [What.STUCK]
    guard.look()
    assert coast.drive.names(RELEASE) == []
    assert [report.what for report in guard.told] == [What.STUCK, What.MOVED]


def test_a_flood_costs_no_round_more_than_its_moves_and_all_of_it_is_told(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    count = MOVES_A_ROUND + 7
    for number in range(count):
        coast.device.put(f"{RELEASE}/planted-{number}.txt", b"planted")
    assert guard.look()
    assert len(coast.drive.names(RELEASE)) == 7
    assert not guard.look()
    assert len(guard.told) == WINDOW
    while guard.told:
        guard.answer(Verdict.FOREIGN)
        guard.look()
    assert coast.drive.names(RELEASE) == []
    assert sum(name.endswith(".done") for name in coast.drive.names(ASIDE)) == count


def test_what_the_service_does_not_know_yet_everywhere_is_not_forgotten(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    coast.world.fault("not_found", method="GET", path="/items/[^/]+$", times=1)
    guard.look()
    assert coast.drive.names(RELEASE) == ["planted.mp4"]
    guard.look()
    assert coast.drive.names(RELEASE) == []


def test_a_move_whose_answer_was_lost_is_told(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    coast.world.fault("cut_after", method="PATCH")
    coast.world.fault("status", method="GET", path="/items/[^/]+$", after=1, times=9, status=400, code="notNow")
    guard.look()
    coast.world.no_faults()
    assert coast.drive.names(RELEASE) == []
    guard.look()
    assert [report.what for report in guard.told] == [What.STUCK, What.MOVED]


def test_a_fault_in_the_middle_loses_nothing(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    for number in range(6):
        coast.device.put(f"{RELEASE}/planted-{number}.txt", b"planted")
    coast.world.random_faults(0.3, seed=5)
    for _ in range(200):
        try:
            guard.look()
            while guard.told:
                guard.answer(Verdict.FOREIGN)
        except GraphFault:
            continue
        if not coast.drive.names(RELEASE) and not guard.cases.pending:
            break
    coast.world.no_faults()
    assert guard.cases.pending == 0
    assert coast.drive.names(RELEASE) == []
    assert [name for name in coast.drive.names(ASIDE) if not name.endswith(".done")] == []
    assert len(coast.drive.names(ASIDE)) == 6


def test_evidence_goes_when_its_days_are_over_and_the_log_has_it(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    guard.look()
    moved = guard.answer(Verdict.FOREIGN)
    guard.look()
    old = Watch(coast, Time())
    old.time.passed = 86_400.0 * 31
    old.evidence = DriveEvidence(perimeter=old.perimeter, cases=old.cases, clock=old.time, monotonic=old.time)
    old.adopt()
    old.evidence.look()
    assert old.cases.pending == 0, "for ever, unless the gateway says otherwise"
    old.evidence.keep(40)
    old.evidence.look()
    assert old.cases.pending == 0
    old.evidence.keep(30)
    old.evidence.look()
    old.look()
    (report,) = old.told
    assert (report.what, report.id) == (What.EXPIRED, moved.id)
    assert len(coast.drive.names(ASIDE)) == 1
    old.answer(Verdict.LET_GO)
    old.look()
    assert coast.drive.names(ASIDE) == []


def test_a_clock_that_is_put_forward_makes_nothing_older(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    guard.look()
    guard.answer(Verdict.FOREIGN)
    guard.look()
    guard.evidence.keep(30)
    guard.time.shift = timedelta(days=400)
    guard.evidence.look()
    assert guard.cases.pending == 0


def test_cases_have_room_for_so_many_and_no_more() -> None:
    cases = Cases()

    def case(number: int) -> Case:
        name = AsideName(1, f"{number:016x}", name_digest(b"x"))
        presence = Presence(name_sha256=digest(1), kind=Kind.FILE, size=0, sha256=None, seen_at=Time().now())
        return Case(report=Report(id=name.report, what=What.MISSING, presence=presence), name=name, item=None)

    assert all(cases.add(case(number)) for number in range(ROOM))
    assert not cases.add(case(ROOM))
    assert cases.add(case(0)), "known already"
    sent = [cases.next() for _ in range(WINDOW + 1)]
    assert sent[-1] is None
    assert not cases.answer("ff" * 8, Verdict.KNOWN)


def test_what_will_not_move_keeps_nothing_else_waiting(guard: Watch, coast: Coast) -> None:
    guard.adopt()
    guard.look()
    for number in range(MOVES_A_ROUND + 2):
        coast.device.put(f"{RELEASE}/locked-{number:03}.txt", b"locked")
    coast.world.fault("status", method="PATCH", status=423, code="resourceLocked", times=MOVES_A_ROUND + 2)
    assert guard.look(), "two were not tried yet"
    assert not guard.look()
    coast.device.put(f"{RELEASE}/planted.txt", b"planted")
    coast.world.fault("status", method="PATCH", status=423, code="resourceLocked", after=1, times=MOVES_A_ROUND - 1)
    assert not guard.look(), "the others are tried again at the next look, not at once"
    assert "planted.txt" not in coast.drive.names(RELEASE)
    coast.world.no_faults()
    guard.look()
    guard.look()
    assert coast.drive.names(RELEASE) == []

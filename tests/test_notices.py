"""Notices for staff: one an item, the newest, whatever failed between putting it up and recording that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store import pieces
from tests.store.version1 import make_database
from transfer.errors import Unavailable
from transfer.model.events import EventName
from transfer.model.states import State
from transfer.notices import Notices
from transfer.store import notices_kept
from transfer.store.database import Database, WriteTx
from transfer.store.notice_table import ENDED
from transfer.store.noticeboard import Noticeboard
from transfer.store.register import Register

DAYS = 90


class Office:
    """A register, a feedback folder, and who tells of the one in the other."""

    def __init__(self, root: Path) -> None:
        self.db = Database.create(root / "db")
        self.clock = pieces.SteppingClock()
        self.recorder = pieces.CountingRecorder()
        self.register = Register(self.recorder, clock=self.clock)
        self.feedback = root / "feedback"
        self.feedback.mkdir()
        self.notices = self.started()

    def started(self) -> Notices:
        notices = Notices(
            db=self.db,
            register=self.register,
            recorder=self.recorder,
            days=DAYS,
            board=Noticeboard(self.feedback),
            clock=self.clock,
            announce=lambda _row: None,
            tell=lambda _entry: None,
        )
        notices.begin()
        return notices

    def spool(self, number: int) -> None:
        with self.db.write() as tx:
            self.register.enter(tx, pieces.spooled(number), pieces.HAPPENED)
        self.clock.at += timedelta(days=1)  # long on its way: staff are told that it is

    def hold(self, number: int) -> None:
        with self.db.write() as tx:
            self.register.advance(tx, pieces.examined(number), pieces.HAPPENED, was=State.SPOOLED)
            self.register.advance(tx, pieces.rebuilt(number), pieces.HAPPENED, was=State.EXAMINED)
            self.register.advance(tx, pieces.held(number), pieces.HAPPENED, was=State.REBUILT)

    def refuse(self, number: int, *, post: str | None = None) -> None:
        with self.db.write() as tx:
            state = pieces.refused(number)
            if post is not None:
                state = replace(state, arrived=pieces.arrived(number, post=post))
            self.register.enter(tx, state, pieces.HAPPENED)

    def mark(self, number: int, to: State, *, was: State) -> None:
        with self.db.write() as tx:
            self.register.mark(tx, pieces.item_id(number), to, pieces.HAPPENED, was=frozenset({was}))

    def settle(self) -> None:
        while self.notices.round():
            pass

    @property
    def expired(self) -> list[dict[str, object]]:
        return [dict(event.facts) for event in self.recorder.events if event.name is EventName.FEEDBACK_EXPIRED]

    @property
    def headings(self) -> list[str]:
        return sorted(path.name.split()[0] for path in self.feedback.rglob("*.txt"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.db.close()


def forgets(office: Office, patch: pytest.MonkeyPatch) -> None:
    """What was put up is not recorded, as if the disk were full or the process killed just then."""

    @contextmanager
    def full() -> Iterator[WriteTx]:
        raise Unavailable("The disk is full.")
        yield

    patch.setattr(office.db, "write", full)


def test_the_newest_notice_replaces_the_former(office: Office) -> None:
    office.spool(1)
    office.notices.round()
    assert office.headings == ["WORKING"]
    office.hold(1)
    office.notices.round()
    assert office.headings == ["WAITING"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_notice_that_was_never_recorded_is_replaced_too(
    office: Office, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    office.spool(1)
    with monkeypatch.context() as patch:
        forgets(office, patch)
        with pytest.raises(Unavailable):
            office.notices.round()
    assert office.headings == ["WORKING"]
    office.hold(1)
    (office.started() if restarted else office.notices).round()
    assert office.headings == ["WAITING"]


def test_nothing_is_remembered_of_what_was_told(office: Office) -> None:
    for number in range(1, 6):
        office.spool(number)
        office.hold(number)
        office.notices.round()
    assert office.headings == ["WAITING"] * 5
    assert office.notices.unsure == set()


def test_notes_about_what_ended_long_ago_go_by_one_entry_and_do_not_come_back(office: Office) -> None:
    for number in (1, 2, 3):
        office.refuse(number)
    office.settle()
    assert office.headings == ["REFUSED"] * 3
    office.clock.at += timedelta(days=DAYS - 1)
    office.settle()
    assert office.headings == ["REFUSED"] * 3
    assert office.expired == []
    office.clock.at += timedelta(days=2)
    office.settle()
    assert office.headings == []
    assert office.expired == [{"items": 3, "days": DAYS}]
    office.notices = office.started()
    office.settle()
    with office.db.write() as tx:
        office.register.feedback_again(tx)  # as after a restore
    office.notices = office.started()
    office.settle()
    assert office.headings == []
    assert len(office.expired) == 1


@pytest.mark.parametrize("ended", [State.RELEASED, State.WITHDRAWN, State.EXPIRED])
def test_a_note_lives_as_long_as_its_item_and_then_its_days(office: Office, ended: State) -> None:
    office.spool(1)
    office.hold(1)
    office.settle()
    office.clock.at += timedelta(days=10 * DAYS)
    office.settle()
    assert office.headings == ["WAITING"]
    office.mark(1, State.APPROVED, was=State.HELD)
    office.mark(1, ended, was=State.APPROVED)
    office.settle()
    assert office.headings == [ended.value.upper()]
    office.clock.at += timedelta(days=DAYS, seconds=10)
    office.settle()
    assert office.headings == []


def test_what_happens_after_the_end_is_told_and_kept_anew(office: Office) -> None:
    office.spool(1)
    office.hold(1)
    office.mark(1, State.APPROVED, was=State.HELD)
    office.mark(1, State.RELEASED, was=State.APPROVED)
    office.settle()
    office.clock.at += timedelta(days=DAYS - 1)
    office.mark(1, State.WITHDRAWN, was=State.RELEASED)
    office.settle()
    office.clock.at += timedelta(days=DAYS - 1)
    office.settle()
    assert office.headings == ["WITHDRAWN"]
    office.clock.at += timedelta(days=2)
    office.settle()
    assert office.headings == []
    office.mark(1, State.RELEASED, was=State.WITHDRAWN)  # long after its note went: there is news
    office.settle()
    assert office.headings == ["RELEASED"]


def test_a_post_s_empty_folder_goes_too_but_no_campaign_s_and_nothing_of_staff_s(office: Office) -> None:
    office.refuse(1, post="one")
    office.refuse(2, post="two")
    office.settle()
    (mine,) = office.feedback.glob("*/two")
    (mine / "my own.txt").write_text("mine")
    office.clock.at += timedelta(days=DAYS + 1)
    office.settle()
    left = sorted(str(path.relative_to(office.feedback)) for path in office.feedback.rglob("*"))
    assert left == ["open-day", "open-day/two", "open-day/two/my own.txt"]


def test_kept_for_ever_and_a_clock_that_goes_back(office: Office) -> None:
    office.refuse(1)
    office.settle()
    office.clock.at -= timedelta(days=10 * DAYS)
    office.settle()
    office.notices.days = 0
    office.clock.at += timedelta(days=100 * DAYS)
    office.settle()
    assert office.headings == ["REFUSED"]
    assert office.expired == []


@pytest.mark.parametrize("step", ["remove", "gone"])
def test_interrupted_after_the_entry_the_notes_go_without_another(
    office: Office, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for number in (1, 2):
        office.refuse(number)
    office.settle()
    office.clock.at += timedelta(days=DAYS + 1)

    def killed(*_: object) -> None:
        raise Unavailable("killed just then")

    with monkeypatch.context() as patch:
        patch.setattr(*((office.notices.board, "remove") if step == "remove" else (notices_kept, "gone")), killed)
        with pytest.raises(Unavailable):
            office.settle()
    office.notices = office.started()
    office.settle()
    assert office.headings == []
    assert office.expired == [{"items": 2, "days": DAYS}]
    with office.db.read() as tx:
        assert notices_kept.going(tx, limit=10) == []


def test_without_its_entry_no_note_goes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.refuse(1)
    office.settle()
    office.clock.at += timedelta(days=DAYS + 1)
    with monkeypatch.context() as patch:
        forgets(office, patch)
        with pytest.raises(Unavailable):
            office.settle()
    assert office.headings == ["REFUSED"]


def test_a_folder_that_staff_took_away_or_exchanged_is_no_obstacle(office: Office, tmp_path: Path) -> None:
    office.refuse(1, post="one")
    office.refuse(2, post="two")
    office.settle()
    elsewhere = tmp_path / "elsewhere"
    office.feedback.joinpath("open-day", "one").rename(elsewhere)
    office.feedback.joinpath("open-day", "one").symlink_to(elsewhere)
    office.clock.at += timedelta(days=DAYS + 1)
    office.settle()
    assert len(list(elsewhere.iterdir())) == 1
    assert office.headings == []


def test_many_go_in_batches(office: Office) -> None:
    for number in range(1, 251):
        office.refuse(number)
    office.settle()
    office.clock.at += timedelta(days=DAYS + 1)
    office.settle()
    assert office.headings == []
    assert [facts["items"] for facts in office.expired] == [100, 100, 50]


def test_in_a_database_of_the_older_program_notes_count_from_the_decision(tmp_path: Path) -> None:
    make_database(tmp_path / "db")
    db = Database.open(tmp_path / "db")
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with db.read() as tx:
        (told,) = [row for row in register.rows(tx) if row.state in ENDED and row.ever_told]
        end = told.decided_at or told.arrived_at
        assert notices_kept.due_to_go(tx, end + timedelta(seconds=1), limit=100) == [told.item]
        assert notices_kept.due_to_go(tx, end, limit=100) == []
    db.close()

"""Notices for staff: one an item, the newest, whatever failed between putting it up and recording that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store import pieces
from transfer.errors import Unavailable
from transfer.model.states import State
from transfer.notices import Notices
from transfer.store.database import Database, WriteTx
from transfer.store.noticeboard import Noticeboard
from transfer.store.register import Register


class Office:
    """A register, a feedback folder, and who tells of the one in the other."""

    def __init__(self, root: Path) -> None:
        self.db = Database.create(root / "db")
        self.clock = pieces.SteppingClock()
        self.register = Register(pieces.CountingRecorder(), clock=self.clock)
        self.feedback = root / "feedback"
        self.feedback.mkdir()
        self.notices = self.started()

    def started(self) -> Notices:
        notices = Notices(
            db=self.db,
            register=self.register,
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

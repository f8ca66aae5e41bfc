"""From staging to the spool: each file is taken up once, and the register is asked about each arrival once."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.store.pieces import CountingRecorder, SteppingClock
from transfer.arrivals import Arrivals, Claims, Taking
from transfer.errors import Unavailable
from transfer.intake.folder import FolderSource
from transfer.intake.settle import SettleRules
from transfer.model.identifiers import ItemId, PersonId, SourceId
from transfer.model.states import Arrival
from transfer.policy.rulebook import load_policy
from transfer.store.blobs import Blobs
from transfer.store.database import Database, ReadTx
from transfer.store.register import Register

POLICY = Path(__file__).parents[1] / "policies" / "university.toml"


class AskedRegister(Register):
    """A register that counts how often it is asked whether it knows an arrival."""

    asked = 0

    def known(self, tx: ReadTx, arrival: Arrival) -> bool:
        self.asked += 1
        return super().known(tx, arrival)


class Door:
    """Arrivals over a real folder, register and spool, with an instant that the test moves."""

    def __init__(self, root: Path, db: Database) -> None:
        self.staging = root / "staging"
        (self.staging / "open-day").mkdir(parents=True)
        (root / "state").mkdir()
        blobs = Blobs(root / "state")
        blobs.prepare()
        self.register = AskedRegister(CountingRecorder(), clock=SteppingClock())
        self.now = 100.0
        self.taken: list[ItemId] = []
        self.on_the_line = 0
        self.each_taken: Callable[[], object] = lambda: None
        entropy = iter(range(1000))
        self.arrivals = Arrivals(
            sources=[
                FolderSource(source=SourceId("staging"), submitter=PersonId("u_" + "0" * 32), root=self.staging),
            ],
            taking=Taking(
                db=db,
                register=self.register,
                blobs=blobs,
                policy=load_policy(POLICY),
                clock=SteppingClock(),
                entropy=lambda size: next(entropy).to_bytes(size, "big"),
                reserve=0,
            ),
            rules=lambda _source: SettleRules(still=2.0),
            rescan_seconds=5.0,
            monotonic=lambda: self.now,
            taken=self.take,
            wake=lambda: None,
            ahead=lambda: self.on_the_line,
        )

    def take(self, item: ItemId) -> None:
        self.taken.append(item)
        self.each_taken()

    def drop(self, name: str, content: bytes) -> None:
        (self.staging / "open-day" / name).write_bytes(content)

    def pass_time(self, seconds: float) -> None:
        """Looks again every second, as the loop would."""
        for _ in range(round(seconds)):
            self.now += 1
            self.arrivals.round()


@pytest.fixture
def door(tmp_path: Path):  # type: ignore[no-untyped-def] # a generator
    db = Database.create(tmp_path / "db")
    yield Door(tmp_path, db)
    db.close()


def test_a_file_is_taken_once_and_asked_about_once_however_long_it_stays(door: Door) -> None:
    for number in range(5):
        door.drop(f"{number}.txt", b"text %d" % number)
    door.pass_time(60)
    assert len(door.taken) == 5
    assert door.register.asked == 5


def test_after_a_start_each_file_that_is_known_is_asked_about_once(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    first = Door(tmp_path, db)
    first.drop("a.txt", b"text")
    first.pass_time(10)
    assert len(first.taken) == 1
    again = Arrivals(
        sources=[watched.source for watched in first.arrivals._watched],
        taking=first.arrivals._taking,
        rules=lambda _source: SettleRules(still=2.0),
        rescan_seconds=5.0,
        monotonic=lambda: first.now,
        taken=first.taken.append,
        wake=lambda: None,
        ahead=lambda: 0,
    )
    first.register.asked = 0
    for _ in range(30):
        first.now += 1
        again.round()
    assert len(first.taken) == 1
    assert first.register.asked == 1
    db.close()


def test_intake_lets_a_long_line_catch_up_and_never_stands_still(door: Door) -> None:
    for number in range(100):
        door.drop(f"{number}.txt", b"text %d" % number)
    door.pass_time(3)
    assert len(door.taken) == 64  # as many as may wait on the line
    door.on_the_line = 64
    for round_number in range(1, 11):
        door.now += 0.1
        assert 0.05 < door.arrivals.round() <= 0.1  # soon again, and not at once
        assert door.arrivals.crowded
        assert len(door.taken) == 64 + round_number
    door.on_the_line = 0
    door.pass_time(6)
    assert len(door.taken) == 100
    assert not door.arrivals.crowded
    assert door.register.asked == 100


def test_what_others_take_up_fills_the_line_too(door: Door) -> None:
    for number in range(10):
        door.drop(f"{number}.txt", b"text %d" % number)
    door.pass_time(1)
    door.on_the_line = 60
    door.each_taken = lambda: setattr(door, "on_the_line", door.on_the_line + 2)  # as many again by somebody else
    door.now += 10
    assert door.arrivals.round() <= 0.1
    assert (len(door.taken), door.on_the_line, door.arrivals.crowded) == (2, 64, True)


def test_the_reserve_holds_however_many_are_taken_up_at_once(door: Door) -> None:
    claims = Claims()
    with claims.of(100) as first, claims.of(50) as second:
        assert (first, second) == (0, 100)
        with suppress(KeyError), claims.of(7) as third:
            assert third == 150
            raise KeyError
        with claims.of(1) as fourth:
            assert fourth == 150
    with claims.of(5) as alone:
        assert alone == 0
    taking = door.arrivals._taking
    free = taking.blobs.free_bytes()
    door.drop("a.txt", b"text")
    arrival = next(door.arrivals._watched[0].source.sightings())
    with taking.claims.of(free - 3), pytest.raises(Unavailable, match="no room"):
        taking.take(arrival, door.arrivals._watched[0].source)
    assert taking.take(arrival, door.arrivals._watched[0].source) is not None


def test_changed_bytes_are_a_new_item(door: Door) -> None:
    door.drop("a.txt", b"one")
    door.pass_time(10)
    door.drop("a.txt", b"other")
    door.pass_time(10)
    assert len(door.taken) == 2


def test_what_left_is_forgotten_and_what_comes_again_is_asked_about(door: Door) -> None:
    door.drop("a.txt", b"one")
    path = door.staging / "open-day" / "a.txt"
    door.pass_time(10)
    os.rename(path, door.staging.parent / "kept")
    door.pass_time(10)
    assert not door.arrivals._watched[0]._answers
    os.rename(door.staging.parent / "kept", path)  # renamed back: its ctime, and so its identity, is another
    door.pass_time(10)
    assert len(door.taken) == 2

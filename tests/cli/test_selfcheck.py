"""The gateway verifies its own log: success is noted, failure is entered, raises the alarm and stops releasing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.rooms import Room
from transfer.audit.keys import load_key
from transfer.errors import Tampered
from transfer.selfcheck import SelfCheck, kind_of, place_of
from transfer.store.verified import verified_last
from transfer.wiring import LOG_KEY, Site


@dataclass
class Time:
    """A clock that only waiting moves."""

    now: float = 0.0
    rests: list[float] = field(default_factory=list)
    stop_after: int = 1_000_000

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.rests.append(seconds)
        return len(self.rests) >= self.stop_after


@contextmanager
def checking(room: Room, moment: Time) -> Iterator[tuple[Site, SelfCheck]]:
    with room.site() as site:
        verifier = load_key(room.workspace.keys / LOG_KEY).verifier
        yield site, SelfCheck(site=site, verifier=verifier, wait=moment.wait, monotonic=moment.monotonic)


def tile_of(room: Room) -> Path:
    return next((room.workspace.log / "tile" / "entries").rglob("*.p/*"))


def spoil(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"gateway.started", b"gateway.statted"))
    assert path.read_bytes() != content


def failures(room: Room) -> list[dict[str, object]]:
    found = room.must("audit", "show", "--event", "verify.failed", "--json").json["entries"]
    return [dict(one["facts"]) for one in found]


def test_it_is_done_after_a_while_and_then_once_a_day(room: Room) -> None:
    moment = Time()
    with checking(room, moment) as (site, check):
        assert 0 < check.round() <= 60  # a start has enough to do
        assert moment.rests == []
        moment.now += 61
        check.round()
        with site.db.read() as tx:
            done = verified_last(tx)
        assert done is not None
        assert done.entries > 20
        assert moment.rests
        paused = len(moment.rests)
        moment.now += 3600
        check.round()
        assert len(moment.rests) == paused
    assert f"The log's {done.entries} entries were last verified in full" in room.must("status").out
    sentences = [one["sentence"] for one in room.call("doctor", "--json").json["checks"]]
    assert any(f"last verified all of its {done.entries} entries" in one for one in sentences)


def test_it_rests_longer_than_it_works(room: Room) -> None:
    moment = Time()
    with checking(room, moment) as (_, check):
        check.round()
        moment.now += 61
        check.round()
    assert len(moment.rests) >= 3
    assert min(moment.rests) >= 0.03  # the clock goes on by 0.01 at each look


def test_it_ends_with_the_gateway(room: Room) -> None:
    moment = Time(stop_after=2)
    with checking(room, moment) as (site, check):
        check.round()
        moment.now += 61
        assert check.round() == 0
        with site.db.read() as tx:
            assert verified_last(tx) is None
    assert len(moment.rests) == 2


def every(room: Room, hours: str) -> None:
    settings = room.workspace.settings_file
    settings.write_text(settings.read_text().replace("[log]\n", f"[log]\nverify_hours = {hours}\n"))


def test_never_is_never(room: Room) -> None:
    every(room, "0")
    moment = Time()
    with checking(room, moment) as (_, check):
        for _ in range(3):
            moment.now += 1_000_000
            check.round()
    assert moment.rests == []
    assert "does not verify its log by itself" in room.call("doctor").out


def test_what_it_finds_is_entered_and_raised(room: Room) -> None:
    spoil(tile_of(room))
    moment = Time()
    with checking(room, moment) as (_, check):
        check.round()
        moment.now += 61
        with pytest.raises(Tampered) as caught:
            check.round()
    (facts,) = failures(room)
    assert facts["found_by"] == "gateway"
    assert facts["kind"] == "changed"
    assert str(facts["place"]).startswith("tile/0/000")
    started = room.must("audit", "show", "--event", "gateway.started", "--json").json["entries"]
    assert facts["entry"] == min(one["i"] for one in started)
    entry = room.must("audit", "show", "--event", "verify.failed", "--json").json["entries"][0]
    assert entry["private"] == {"sentence": caught.value.sentence}


def test_on_top_of_a_database_that_was_rolled_back_nothing_is_entered(room: Room, tmp_path: Path) -> None:
    earlier = room.copy(tmp_path / "earlier")
    room.must("people", "add", "Ola", "--role", "auditor")
    room.publish()
    room.roll_back_to(earlier)
    moment = Time()
    with checking(room, moment) as (_, check):
        check.round()
        moment.now += 61
        with pytest.raises(Tampered, match="rolled back"):
            check.round()
    assert failures(room) == []


@pytest.mark.parametrize(
    ("sentence", "kind", "place"),
    [
        ("Entry 12 is not what was signed: it is not in log/tile/0/000.p/30.", "changed", "tile/0/000.p/30"),
        ("The database was rolled back: the log's folder shows 9 entries, …", "rolled-back", "database"),
        ("log/tile/entries/x001/002 is missing.", "missing", "tile/entries/x001/002"),
        ("log/'Sam Field.txt' has no place in a log.", "surplus", "folder"),
        ("Entry 4 releases i-1 without an approval that covers it.", "approval", "folder"),
        ("The database's index does not describe entry 3 as it is.", "index", "database"),
        ("log.vkey is not the key that signed the checkpoint.", "key", "folder"),
    ],
)  # fmt: skip
def test_the_entry_says_what_and_where_in_words_of_its_own(sentence: str, kind: str, place: str) -> None:
    assert (kind_of(Tampered(sentence)), place_of(Tampered(sentence))) == (kind, place)


@pytest.mark.slow
def test_a_running_gateway_stops_releasing_when_it_finds_something(room: Room) -> None:
    every(room, "0.0005")
    command = [sys.executable, "-m", "transfer", "run", "-q", "-w", str(room.root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as gateway:
        try:
            deadline = time.monotonic() + 60
            while "last verified in full" not in room.must("status").out:
                assert time.monotonic() < deadline
                assert gateway.poll() is None
                time.sleep(0.2)
            while gateway.poll() is None and time.monotonic() < deadline + 60:
                with suppress(AssertionError, FileNotFoundError, StopIteration):
                    spoil(tile_of(room))  # again, where something new was published meanwhile
                time.sleep(0.5)
            assert gateway.wait(10) == 4
        finally:
            if gateway.poll() is None:
                gateway.terminate()
        assert gateway.stderr is not None
        assert "is not what was signed" in gateway.stderr.read()
    (facts,) = failures(room)
    assert facts["found_by"] == "gateway"


def test_a_command_that_finds_something_enters_it_too(room: Room, tmp_path: Path) -> None:
    earlier = room.copy(tmp_path / "earlier")
    spoil(tile_of(room))
    answer = room.call("audit", "verify")
    assert (answer.code, "is entered in the log" in answer.err) == (4, True)
    (facts,) = failures(room)
    assert facts["found_by"] == "command"
    # An auditor's own question is none of the gateway's: nothing is entered about a checkpoint that does not fit.
    older = tmp_path / "older"
    older.write_bytes((room.workspace.log / "checkpoint").read_bytes().replace(b"audit", b"other", 1))
    assert room.call("audit", "verify", "--older", older).code == 4
    assert len(failures(room)) == 1

    earlier.must("people", "add", "Ola", "--role", "auditor")
    before = earlier.copy(tmp_path / "before")
    earlier.must("people", "add", "Ada", "--role", "auditor")
    earlier.publish()
    earlier.roll_back_to(before)
    answer = earlier.call("audit", "verify", "--json")
    assert (answer.code, "Not entered in the log" in answer.err) == (4, True)
    assert failures(earlier) == []

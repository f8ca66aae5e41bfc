"""SIGKILL at random instants to any process of a busy gateway, and to all at once.

While files of all kinds are dropped, signed for, released and taken back, and while somebody on the device's side
plants, alters and removes things, processes die. After each death the log verifies, approvals included; in the end
nothing is lost, nothing was released twice or unapproved, and nothing half done lies about.

TRANSFER_KILLS says how often, TRANSFER_SEED makes it the same choices again (the instants depend on the machine).
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import hashlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.system.mixture import Dropped, mixture
from tests.system.place import Place, Process, Running, end_family, family, start, stop, wait_for
from transfer.model.states import State
from transfer.store.journal_tables import AUDIT_INDEX

KILLS = int(os.environ.get("TRANSFER_KILLS", "200"))
FILES = 100
PLANTED = 12
VICTIMS = {
    "media child": 20,
    "residue child": 14,
    "media zygote": 10,
    "residue zygote": 8,
    "guard": 18,
    "gateway": 14,
    "supervisor": 6,
    "all": 10,
}
AT_WORK = 0.5
_SUBREAPER = 36
_STARTS = select(func.count()).where(AUDIT_INDEX.c.event == "gateway.started")


class Chaos:
    """The gateway under fire, and whoever uses it meanwhile."""

    def __init__(self, place: Place, chance: random.Random) -> None:
        self.place = place
        self.chance = chance
        self.running: Running = start(place, "--quiet", ready=False)
        self.met: collections.Counter[str] = collections.Counter()
        self.verified = 0
        self.to_drop: list[Dropped] = list(mixture(FILES))
        self.planted: list[bytes] = []
        self.meddled: dict[str, set[str]] = {"altered": set(), "removed": set(), "withdrawn": set()}
        self.seen: dict[int, str] = {}
        self.starts = 0
        self.waited = 0.0

    def kill_one(self) -> None:
        """One death: of a process of a random kind, or of all; often, but not always, once the gateway is at work."""
        assert self.running.process.poll() is None, self.running.complained()  # it must not give up by itself
        victim = self.chance.choices(list(VICTIMS), weights=list(VICTIMS.values()))[0]
        if "child" in victim or self.chance.random() < AT_WORK:
            self._wait(self._at_work)
        self.live(busy="child" in victim)
        if "child" in victim:
            self._wait(lambda: victim in self._roles(), within=1.5)
        time.sleep(self.chance.uniform(0.0, 0.1 if "child" in victim else 0.4))
        members = self._note(family(self.running.process.pid))
        if victim == "all":
            self._note(end_family(self.running.process.pid))
            self.running.process.wait()
            self.met["all at once"] += 1
        else:
            self._kill(self.chance.choice([each for each in members if each.role == victim] or members))
        if self.running.process.poll() is not None:
            self._all_gone()
            self.starts = self._starts()
            self.running = start(self.place, "--quiet", ready=False)

    def live(self, *, busy: bool) -> None:
        """A file comes, somebody signs, somebody plants."""
        if self.to_drop and (busy or self.chance.random() < FILES / KILLS / 2):
            dropped = self.to_drop.pop()
            self.place.drop(dropped.name, dropped.content, post=dropped.post)
        self.place.approve_all()
        if len(self.planted) < PLANTED and self.chance.random() < 0.1:
            self.planted.append(b"planted %d" % len(self.planted))
            (self.place.release / f"planted-{len(self.planted)}.txt").write_bytes(self.planted[-1])
        if self.chance.random() < 0.15:
            self._meddle(self.chance.choice(list(self.meddled)))

    def _meddle(self, how: str) -> None:
        """Something happens to a release that nothing happened to yet."""
        touched = set[str]().union(*self.meddled.values())
        rows = [row for row in self.place.rows() if row.state is State.RELEASED and row.item not in touched]
        if not rows:
            return
        row = self.chance.choice(rows)
        there = self.place.release / str(row.released_as)
        if how == "withdrawn":
            self.place.withdraw(row.item)
        elif how == "removed":
            there.unlink()
        else:
            with there.open("r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(b"an addition")
        self.meddled[how].add(row.item)

    def finish(self) -> None:
        """All that was dropped goes as far as it can."""
        wait_for(self._at_work, 40, "the last start")
        for dropped in self.to_drop:
            self.place.drop(dropped.name, dropped.content, post=dropped.post)
        self.to_drop = []

        def over() -> bool:
            self.place.approve_all()
            counts = self.place.counts()
            return sum(counts.values()) >= FILES and set(counts) <= {"released", "refused", "withdrawn"}

        wait_for(over, 60, "the end of the line")
        for event, how in (
            ("release.restored", "altered"),
            ("release.removed", "removed"),
            ("file.withdrawn", "withdrawn"),
        ):
            wait_for(lambda: self.items(event) == self.meddled[how], 20, event)  # noqa: B023 - used at once
        wait_for(lambda: not self.still_planted(), 20, "moving aside what was planted")
        stop(self.running)
        self._all_gone()

    def items(self, event: str) -> set[str]:
        return {entry["item"] for entry in self.place.entries(event)}

    def still_planted(self) -> list[str]:
        return [name for name in os.listdir(self.place.release) if name.startswith("planted")]

    def _starts(self) -> int:
        with self.place.site.db.read() as tx:
            return int(tx.connection.execute(_STARTS).scalar_one())

    def _at_work(self) -> bool:
        return self._starts() > self.starts

    def _roles(self) -> set[str]:
        return {member.role for member in family(self.running.process.pid)}

    def _wait(self, true: Callable[[], object], *, within: float = 4) -> None:
        """For a bounded while: the gateway may be what was killed a moment ago."""
        with contextlib.suppress(AssertionError):
            self.waited += wait_for(true, within, "it")

    def _kill(self, member: Process) -> None:
        self.met[member.role] += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
        if member.role == "gateway":
            self.starts = self._starts()
        if member.pid == self.running.process.pid:
            self.running.process.wait()

    def _note(self, members: list[Process]) -> list[Process]:
        self.seen |= {member.pid: member.role for member in members}
        return members

    def _all_gone(self) -> None:
        """Nothing outlives the supervisor: an orphan would hold the workspace."""

        def gone() -> bool:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            return not self.orphans()

        wait_for(gone, 10, f"the end of {self.orphans()}")

    def orphans(self) -> list[str]:
        return [member.role for member in family(os.getpid()) if member.role not in {"other", "supervisor"}]


@pytest.fixture
def adopting() -> Iterator[None]:
    """Orphans become children of this process, so that none is overlooked."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_random_instants(place: Place, adopting: None) -> None:
    seed = int(os.environ.get("TRANSFER_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    print(f"TRANSFER_SEED={seed}")
    chaos = Chaos(place, random.Random(seed))
    began = time.monotonic()
    try:
        for _ in range(KILLS):
            chaos.kill_one()
            chaos.verified = max(chaos.verified, place.verify())
        chaos.finish()
    except BaseException:
        print(place.counts(), chaos.met, chaos.running.complained())
        raise
    finally:
        end_family(chaos.running.process.pid)
    print(f"{KILLS} kills in {time.monotonic() - began:.0f} s: {dict(chaos.met)}; {chaos.verified} entries")
    _check(chaos, place)


def _check(chaos: Chaos, place: Place) -> None:
    place.verify()
    place.check_release(removed=chaos.meddled["removed"])
    assert place.leftovers() == []
    _nothing_lost(chaos, place)
    _released_once(chaos, place)
    _planted_is_recorded(chaos, place)
    states = {row.name.text: row.state for row in place.rows()}
    assert {dropped.name for dropped in mixture(FILES)} == set(states)


def _nothing_lost(chaos: Chaos, place: Place) -> None:
    """Every file that was dropped is an item; a good one was released, a bad one refused with an entry."""
    rows = place.rows()
    by_sha256 = collections.Counter(row.sha256 for row in rows)
    wanted = collections.Counter(hashlib.sha256(each.content).hexdigest() for each in mixture(FILES))
    assert by_sha256 == wanted
    good = {hashlib.sha256(each.content).hexdigest(): each.good for each in mixture(FILES)}
    refused = {entry["item"] for entry in place.entries("file.refused")}
    for row in rows:
        ended = State.WITHDRAWN if row.item in chaos.meddled["withdrawn"] else State.RELEASED
        assert (row.state is ended) == good[str(row.sha256)] or row.item in _killed_with_it(place), row
        assert (row.state is State.REFUSED) == (row.item in refused), row
    for row in rows:
        blob = place.workspace.raw / str(row.sha256)[:2] / str(row.sha256)
        assert blob.exists() or row.state is State.REFUSED
        staged = place.drop_folder / (row.post.text if row.post else "")
        assert row.retired or row.state is not State.RELEASED, row
        assert Path(staged).is_dir()


def _killed_with_it(place: Place) -> set[str]:
    """Items whose child was killed twice in a row: refused, since it looks as if they asked for too much memory."""
    return {
        entry["item"]
        for entry in place.entries("file.refused")
        if any(finding["code"] == "sandbox-memory" for finding in entry["facts"]["findings"])
    }


def _released_once(chaos: Chaos, place: Place) -> None:
    """One release an item, one name a release; no entry of a release without one that announced it."""
    released = place.entries("file.released")
    items = [entry["item"] for entry in released]
    assert len(items) == len(set(items))
    announced = [(entry["item"], entry["file"]["sha256"]) for entry in place.entries("file.releasing")]
    assert len(announced) == len(set(announced))
    assert {(entry["item"], entry["file"]["sha256"]) for entry in released} <= set(announced)
    assert chaos.items("release.altered") == chaos.meddled["altered"]
    for event in ("release.removed", "file.withdrawn", "release.restored"):
        assert len(place.entries(event)) == len(chaos.items(event)), event  # each once


def _planted_is_recorded(chaos: Chaos, place: Place) -> None:
    expected = collections.Counter(hashlib.sha256(content).hexdigest() for content in chaos.planted)
    found = collections.Counter(entry["file"]["sha256"] for entry in place.entries("return.refused"))
    assert found == expected

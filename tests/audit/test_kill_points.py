"""SIGKILL before, after and in the middle of each thing that one cycle of record, sign and publish does outside.

The faults are put in by the child process that dies of them; the product knows nothing of them. All lives of a test
work on one log: whatever one of them promised or signed, the next ones are held to.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.audit.conftest import Bench, event
from tests.audit.test_crash import Witness, rows, run
from transfer.audit import publish
from transfer.audit.log import Log
from transfer.store import database, journal

# Every call that leaves a trace outside the process, where the product makes it.
POINTS: list[tuple[object, str]] = [
    *((os, name) for name in ("write", "fsync", "rename", "unlink", "mkdir", "rmdir")),
    (database, "_commit"),
    *((journal, name) for name in ("append", "store_signed", "set_published")),
    (Log, "append"),
    *((publish.Publisher, name) for name in ("check_start", "sign", "publish")),
]
MUST_BE_MET = {
    "write", "fsync", "rename", "unlink", "_commit", "append", "store_signed", "set_published", "check_start",
    "sign", "publish",
}  # fmt: skip
BEFORE, HALF, AFTER = "before", "half", "after"
MANY = 300  # more than a bundle has: some lives complete one, and the tile above it


def dying_at(step: int, when: str, hits: int, only: str = "") -> Callable[[], None]:
    """Makes this process kill itself at its `step`-th call (of that name); a write to a file may be half done."""
    write = os.write  # before it is wrapped

    def arm() -> None:
        left = step

        def wrap(name: str, call: Callable[..., object]) -> Callable[..., object]:
            def die() -> None:
                write(hits, f"{name}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

            def counted(*args: object, **given: object) -> object:
                nonlocal left
                left -= only in {"", name}
                now = left == 0 and only in {"", name}
                if now and when == HALF and name == "write":
                    descriptor, content = args
                    write(descriptor, bytes(content)[: len(bytes(content)) // 2])  # type: ignore[arg-type, call-overload]
                if now and when != AFTER:
                    die()
                try:
                    return call(*args, **given)
                finally:
                    if now:
                        die()

            return counted

        for owner, name in POINTS:
            setattr(owner, name, wrap(name, getattr(owner, name)))

    return arm


class Torment:
    """One log, and many gateways that die of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.witness = Witness()
        self.met: Counter[str] = Counter()
        self.kills = 0
        bench.db.close()

    def life(self, step: int, when: str, only: str = "") -> bool:
        """Whether it was killed. Whatever it left is in order, and nothing it said is lost."""
        hits = os.open(self.bench.folder / "hits", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        said = run(self.bench.folder, rounds=2, arm=dying_at(step, when, hits, only))
        os.close(hits)
        met = (self.bench.folder / "hits").read_text().split()
        self.met.update(met)
        self.kills += len(met)
        self.witness.hold(Bench(self.bench.folder), said)
        return bool(met)

    def grow(self, count: int) -> None:
        """By so many entries in one transaction, published; by a gateway that lives."""
        bench = Bench(self.bench.folder)
        with bench.db.write() as tx:
            for number in range(count):
                bench.log.append(tx, event(number))
        bench.publisher.check_start()
        bench.publisher.sign()
        bench.publisher.publish()
        bench.db.close()

    def over(self) -> None:
        """A last life without a fault brings everything in order; nothing half written stays."""
        self.witness.hold(Bench(self.bench.folder), run(self.bench.folder, rounds=1, arm=lambda: None))
        bench = Bench(self.bench.folder)
        size = len(rows(bench))
        assert bench.verify_folder().size == bench.verify_database().size == size
        assert size > max(self.witness.entries, default=0)
        assert not [name for name in bench.files() if ".part-" in name]
        assert len(self.witness.roots) > 1
        bench.db.close()


def test_a_sample_of_all_points(bench: Bench) -> None:
    torment = Torment(bench)
    for step in range(1, 120, 11):
        torment.life(step, (BEFORE, HALF, AFTER)[step % 3])
    torment.over()
    assert torment.kills > 5


@pytest.mark.slow
@pytest.mark.parametrize("when", [BEFORE, HALF, AFTER])
def test_each_point_of_a_whole_cycle_in_turn(bench: Bench, when: str) -> None:
    """Every n, until a life is not killed any more because it has no n-th call."""
    torment = Torment(bench)
    torment.grow(250)
    step = 1
    while torment.life(step, when):
        step += 1
        assert step < 2000
    torment.over()
    assert torment.kills == step - 1 > 30


@pytest.mark.slow
def test_each_named_point(bench: Bench) -> None:
    """The first, second and third time that it is come to, before it, in it and after it."""
    torment = Torment(bench)
    for name in sorted(MUST_BE_MET):
        torment.grow(MANY)  # so that tiles become full, and partial ones go
        for when in (BEFORE, HALF, AFTER) if name == "write" else (BEFORE, AFTER):
            for step in (1, 2, 3):
                torment.life(step, when, name)
    torment.over()
    assert set(torment.met) == MUST_BE_MET, f"not met: {MUST_BE_MET - set(torment.met)}"
    assert torment.kills >= 50


@pytest.mark.slow
def test_a_hundred_kills_at_random_points(bench: Bench) -> None:
    torment, chance = Torment(bench), random.Random(3)
    while torment.kills < 100:
        torment.life(chance.randrange(1, 200), chance.choice([BEFORE, HALF, AFTER]))
        if chance.random() < 0.1:
            torment.grow(chance.choice([1, 200, MANY]))
    torment.over()

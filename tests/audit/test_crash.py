"""Killed anywhere in recording, signing and publishing: nothing acknowledged is lost, no size has two roots."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.conftest import ORIGIN, Bench, Salts, Ticking, event
from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.log import Log
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.store import journal
from transfer.store.database import Database

SIGNER = Ed25519Signer(ORIGIN, bytes(range(32)))
TELL = os.write  # what a gateway has said, it has said: no fault is put in here


def gateway(folder: Path, acknowledge: int, rounds: int, arm: Callable[[], None]) -> None:
    """A gateway in short: start, then record, sign and publish, saying what it has promised to whom."""

    def say(**words: object) -> None:
        TELL(acknowledge, (json.dumps(words) + "\n").encode())

    db = Database.open(folder / "transfer.db")
    log = Log(origin=ORIGIN, clock=Ticking(), entropy=Salts(given=os.getpid() << 20))
    publisher = Publisher(db=db, log_dir=folder / "log", signer=SIGNER, origin=ORIGIN, clock=Ticking())
    arm()
    publisher.check_start()
    say(published=publisher.publish())
    with db.read() as tx:
        size = journal.head(tx).size
    for _ in range(rounds):
        for _ in range(random.choice([1, 3, 60])):
            with db.write() as tx:
                ref = log.append(tx, event(size))
            size = ref.index + 1
            say(index=ref.index, hash=ref.leaf_hash.hex())
        checkpoint = publisher.sign()
        if checkpoint is not None:
            say(size=checkpoint.size, root=checkpoint.root.hex())
        say(published=publisher.publish())


POINTS = [(os, name) for name in ("fsync", "rename", "unlink", "mkdir", "rmdir")]
POINTS += [(journal, name) for name in ("append", "store_signed", "set_published")]


def die_at(step: int, after: bool) -> Callable[[], None]:
    """Kills this process at the given call of those that change anything outside, or right after it."""

    def arm() -> None:
        left = step

        def wrap(call: Callable[..., object]) -> Callable[..., object]:
            def counted(*args: object, **given: object) -> object:
                nonlocal left
                left -= 1
                if left == 0 and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = call(*args, **given)
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return counted

        for module, name in POINTS:
            setattr(module, name, wrap(getattr(module, name)))

    return arm


def run(folder: Path, *, rounds: int, arm: Callable[[], None], kill_after: float | None = None) -> list[dict]:
    """One life of a gateway in a process of its own; what it had said when it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            gateway(folder, writing, rounds, arm)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as said:
        lines = said.read().splitlines()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, "the gateway must not fail, only die"
    return [json.loads(line) for line in lines]


class Witness:
    """Remembers every promise, and holds the log to them."""

    def __init__(self) -> None:
        self.entries: dict[int, str] = {}
        self.roots: dict[int, str] = {}

    def hold(self, bench: Bench, said: list[dict]) -> None:
        published = 0
        for words in said:
            if "index" in words:
                assert self.entries.setdefault(words["index"], words["hash"]) == words["hash"]
            if "root" in words:
                assert self.roots.setdefault(words["size"], words["root"]) == words["root"]
            published = words.get("published", published)
        with bench.db.read() as tx:
            size = journal.head(tx).size
            hashes = journal.hashes(tx, 0, 0, size)
            signed = tx.connection.exec_driver_sql("SELECT size, note FROM audit_checkpoint").all()
        for _, note in signed[-50:]:  # whatever was signed, shown or not
            known = open_checkpoint(note, [SIGNER.verifier]).checkpoint
            assert self.roots.setdefault(known.size, known.root.hex()) == known.root.hex()
        assert all(hashes[index].hex() == value for index, value in self.entries.items())
        if (bench.log_dir / "checkpoint").exists():
            note = (bench.log_dir / "checkpoint").read_bytes()
            shown = open_checkpoint(note, [SIGNER.verifier]).checkpoint
            assert shown.size >= published
            assert self.roots.setdefault(shown.size, shown.root.hex()) == shown.root.hex()
            assert bench.verify_folder().size == shown.size
            assert bench.verify_database().size >= shown.size


def torment(bench: Bench, lives: int, seed: int) -> None:
    witness, chance = Witness(), random.Random(seed)
    for _ in range(lives):
        arm = die_at(chance.randrange(1, 120), chance.random() < 0.5)
        witness.hold(bench, run(bench.folder, rounds=4, arm=arm))
    run(bench.folder, rounds=1, arm=lambda: None)
    assert bench.verify_folder().size == len(rows(bench)) >= len(witness.entries) > 0
    assert not [name for name in bench.files() if ".part-" in name]


def rows(bench: Bench) -> list[bytes]:
    with bench.db.read() as tx:
        return journal.hashes(tx, 0, 0, journal.head(tx).size)


def test_killed_at_named_points(bench):
    torment(bench, 25, seed=1)


@pytest.mark.slow
def test_killed_at_random_instants(bench):
    witness, chance = Witness(), random.Random(3)
    for _ in range(60):
        said = run(bench.folder, rounds=10_000, arm=lambda: None, kill_after=chance.uniform(0.02, 0.4))
        witness.hold(bench, said)
    assert len(witness.entries) > 100

"""The transfer log: durable entries one by one, beside bare commits of as much and beside bare hashing."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.results import MORE, Budget, Result, Side
from transfer.audit.log import Log
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import PersonId, Sha256, item_id_from_entropy
from transfer.store.database import Database

_ORIGIN = "bench.example/audit"
_PERSON = PersonId("u_" + "5e" * 16)
_BLOCK = 200
_STEPS = (EventName.FILE_SPOOLED, EventName.FILE_EXAMINED, EventName.FILE_REBUILT, EventName.FILE_HELD)
_DESIGN_RATE = 1000


class Ticking:
    """A clock that goes on by a millisecond at each look."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


def measure_appending(folder: Path, *, rounds: int) -> list[Result]:
    """Blocks of our entries, of bare commits, bare fsyncs and bare hashes in turn; each side's median."""
    rates: dict[str, list[float]] = {"ours": [], "commit": [], "fsync": [], "sha256": []}
    with _log(folder / "appending") as (db, log), _bare(folder / "bare.db") as commit:
        file = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        leaf = os.urandom(600)
        number = 0

        def append() -> None:
            nonlocal number
            with db.write() as tx:
                log.append(tx, event(number))
            number += 1

        def write() -> None:
            os.write(file, leaf)
            os.fsync(file)

        bare = (("commit", lambda: commit(leaf)), ("fsync", write), ("sha256", lambda: hashlib.sha256(leaf).digest()))
        for _ in range(rounds):
            for name, once in (("ours", append), *bare):
                rates[name].append(_rate(once))
        os.close(file)
    ours = Side(what="entries with tree, index and disclosures", value=median(rates["ours"]), unit="a second")
    return [
        Result(
            name="log-append",
            what="durable log entries, one by one",
            ours=ours,
            beside=Side(what="bare SQLite commits of a row", value=median(rates["commit"]), unit="a second"),
            budget=Budget(kind=MORE, value=_expected(median(rates["commit"])), of="ours"),
            details={"ours": rates["ours"], "beside": rates["commit"], "design": _DESIGN_RATE},
        ),
        Result(
            name="log-fsync",
            what="the same, beside the disk alone",
            ours=ours,
            beside=Side(what="bare writes of a leaf with fsync", value=median(rates["fsync"]), unit="a second"),
            details={"beside": rates["fsync"]},
        ),
        Result(
            name="log-hash",
            what="the same, beside the processor alone",
            ours=ours,
            beside=Side(what="bare SHA-256 over a leaf", value=median(rates["sha256"]), unit="a second"),
            details={"beside": rates["sha256"]},
        ),
    ]


def _expected(commits: float) -> float:
    """The design's rate; on a disk so slow that bare commits do not reach twice that, half of theirs."""
    return min(_DESIGN_RATE, commits / 2)


def event(number: int) -> Event:
    """As the line writes them: four an item, with the facts that they carry."""
    name = _STEPS[number % 4]
    item = number // 4
    digest = hashlib.sha256(item.to_bytes(8, "big")).hexdigest()
    facts = {
        EventName.FILE_SPOOLED: {"campaign": "open-day", "kind": "file", "source": "staging"},
        EventName.FILE_EXAMINED: {
            "media": {"format": "image/jpeg", "width": 1920, "height": 1080, "frames": 1},
            "findings": [],
            "scans": [{"answer": "clean", "scanner": "clamd", "signatures": "27000", "threat": ""}],
            "tools": {"Pillow": "13.0", "libheif": "1.19", "libmagic": "5.46", "scanner": "27000"},
        },
        EventName.FILE_REBUILT: {"from": digest, "format": "image/jpeg", "removed": ["EXIF", "GPS"], "packets": [0, 0]},
        EventName.FILE_HELD: {
            "waiting_for": "approval",
            "reasons": [{"rule": "needs-approval", "clauses": ["G1", "G3"], "severity": "hold"}],
        },
    }[name]
    return Event(
        name=name,
        item=item_id_from_entropy(item.to_bytes(5, "big")),
        by=_PERSON if number % 4 == 0 else None,
        file=FileFact(sha256=Sha256(digest), size=700_000),
        facts=facts,
        private={"name": f"photo {item}.jpg"} if number % 4 == 0 else {},
    )


@contextmanager
def _log(folder: Path) -> Iterator[tuple[Database, Log]]:
    folder.mkdir(parents=True)
    db = Database.create(folder / "db")
    yield db, Log(origin=_ORIGIN, clock=Ticking(), entropy=os.urandom)
    db.close()


@contextmanager
def _bare(path: Path):  # type: ignore[no-untyped-def] # a context of one function
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE entry(i INTEGER PRIMARY KEY, leaf BLOB)")

    def commit(leaf: bytes) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO entry(leaf) VALUES (?)", (leaf,))
        connection.execute("COMMIT")

    yield commit
    connection.close()


def _rate(once) -> float:  # type: ignore[no-untyped-def] # any function without arguments
    started = time.perf_counter()
    for _ in range(_BLOCK):
        once()
    return _BLOCK / (time.perf_counter() - started)

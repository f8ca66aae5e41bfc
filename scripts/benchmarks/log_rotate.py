"""A large log that is sealed and goes on in its next shard, beside writing the same rows once more."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from benchmarks.results import Result, Side
from transfer.rotation import rotate
from transfer.store.shards import archive_path
from transfer.wiring import open_site
from transfer.workspace import Workspace

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'audit!_%' ESCAPE '!' ORDER BY name"


def measure(workspace: Workspace, folder: Path, *, entries: int) -> Result:
    """Rotates the log of the workspace; the bare side copies the tables of the log into a new database."""
    before = _copied(workspace.database, folder / "before.db")
    site = open_site(workspace)
    started = time.perf_counter()
    done = rotate(site, by=None, reason="")
    took = time.perf_counter() - started
    site.db.close()
    after = _copied(archive_path(workspace.database, done.label), folder / "after.db")
    return Result(
        name="log-rotate",
        what=f"a log of {done.sealed:,} entries sealed, verified and put away, the next shard opened and published",
        ours=Side(what="while nothing can be entered", value=took, unit="s"),
        beside=Side(what="its rows copied into another database, with one fsync", value=(before + after) / 2, unit="s"),
        details={"entries": entries, "beside": [before, after]},
    )


def _copied(source: Path, target: Path) -> float:
    started = time.perf_counter()
    copy = sqlite3.connect(target, isolation_level=None)
    copy.execute("PRAGMA journal_mode = OFF")
    copy.execute("ATTACH DATABASE ? AS live", (os.fspath(source),))
    copy.execute("BEGIN")
    for (name,) in copy.execute(_TABLES.replace("sqlite_master", "live.sqlite_master")).fetchall():
        copy.execute(f"CREATE TABLE main.{name} AS SELECT * FROM live.{name}")
    copy.execute("COMMIT")
    copy.close()
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    took = time.perf_counter() - started
    target.unlink()
    return took

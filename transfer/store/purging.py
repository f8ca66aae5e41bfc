"""Makes deleted rows leave the database's file, while others may use it.

Deleted bytes are overwritten in their pages already (secure_delete). What is left are earlier versions of pages in the
write-ahead log, and what slack there may be: the file is written anew, and the log emptied into it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from transfer.errors import Unavailable

_PATIENCE = 30.0  # seconds for others to end what they read
_PAUSE = 0.2
_TEMPORARIES = "SQLITE_TMPDIR"


def purge(driver: sqlite3.Connection, folder: Path) -> None:
    """`driver` is a connection without a transaction; the new file is put together in `folder`.

    Raises Unavailable if somebody reads an older state for too long, and sqlite3's own errors.
    """
    with _temporaries_in(folder):
        driver.execute("PRAGMA temp_store=FILE")  # in memory it would take as much as the database
        try:
            driver.execute("VACUUM")
        finally:
            driver.execute("PRAGMA temp_store=MEMORY")
    patience = time.monotonic() + _PATIENCE
    while _is_busy(driver):
        if time.monotonic() >= patience:
            raise Unavailable(
                "Somebody reads the database for so long that its write-ahead log cannot be emptied.",
                advice="Let that end (such as a verification), then give the same command again.",
            )
        time.sleep(_PAUSE)


def _is_busy(driver: sqlite3.Connection) -> bool:
    try:
        (busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_LOCKED:
            raise
        return True
    return bool(busy)


@contextlib.contextmanager
def _temporaries_in(folder: Path) -> Iterator[None]:
    """SQLite asks the environment where its temporary files go; they hold what the database does."""
    before = os.environ.get(_TEMPORARIES)
    os.environ[_TEMPORARIES] = os.fspath(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_TEMPORARIES, None)
        else:
            os.environ[_TEMPORARIES] = before

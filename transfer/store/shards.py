"""The rows of sealed shards: moved out of the main database into a file of their own, `log-<label>.db` beside it.

What enters: the main database, whose log was sealed. What leaves: a complete copy of the log's rows, and then, in the
caller's transaction, empty tables of the log in the main one. Its append-only triggers allow no DELETE, and they are
not loosened for this: the tables are dropped and made anew with the same triggers, in one transaction, so at no moment
does anybody meet a table without them.

An archived file has all tables of a database, those that do not belong to the log empty, so that it is opened,
migrated and copied as any other.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import bindparam, update

from transfer.errors import Tampered, Unavailable
from transfer.model.identifiers import Sha256
from transfer.store.database import Database, WriteTx
from transfer.store.directory_tables import STATEMENT
from transfer.store.durable import TEMPORARY_PREFIX, remove_file, sync_folder, world_errors
from transfer.store.erasure_table import ERASURE
from transfer.store.journal_tables import (
    AUDIT_CHECKPOINT,
    AUDIT_DISCLOSURE,
    AUDIT_ENTRY,
    AUDIT_HEAD,
    AUDIT_INDEX,
    AUDIT_NODE,
    AUDIT_TAG,
)
from transfer.store.schema import METADATA

_TABLES = (AUDIT_ENTRY, AUDIT_NODE, AUDIT_INDEX, AUDIT_TAG, AUDIT_DISCLOSURE, AUDIT_CHECKPOINT, AUDIT_HEAD)
_NAME = re.compile(r"log-(.+)\.db")
_DOING = "archiving the log's rows"


def archive_path(db: Path, label: str) -> Path:
    """Where the rows of a sealed shard lie; `db` is the main database's file."""
    return db.with_name(f"log-{label}.db")


def archives(db: Path) -> dict[str, Path]:
    """The archived databases that are there, by label, oldest first."""
    with world_errors("looking for archived logs"):
        labels = [match[1] for name in os.listdir(db.parent) if (match := _NAME.fullmatch(name))]
    return {label: archive_path(db, label) for label in sorted(labels, key=_numbers)}


def copy_rows(db: Database, target: Path) -> None:
    """Puts all rows of the log into a new database at `target`, durable, in place of what a crash left half made.

    Raises Unavailable, Tampered.
    """
    unfinished = target.with_name(TEMPORARY_PREFIX + target.name)
    with world_errors(_DOING):
        for path in target.parent.glob(f"{unfinished.name}*"):
            path.unlink()
    Database.create(unfinished).close()
    try:
        _fill(unfinished, db.path)
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
        if full or isinstance(error, sqlite3.OperationalError):
            raise Unavailable(f"The log's rows cannot be archived now ({error}).", advice="Free some space.") from error
        raise Tampered(f"The log's rows cannot be archived: {error}.", advice="`transfer audit verify`.") from error
    with world_errors(_DOING):
        descriptor = os.open(unfinished, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # A crash up to here leaves an unfinished file, which the next attempt removes.
        os.rename(unfinished, target)
        sync_folder(target.parent)


def begin_anew(tx: WriteTx, *, at: str) -> None:
    """Empties the log's tables in the caller's transaction. `at` is the time below which no entry may go."""
    for table in reversed(_TABLES):
        table.drop(tx.connection)
    METADATA.create_all(tx.connection, tables=list(_TABLES))
    tx.connection.execute(update(AUDIT_HEAD).values(at=at))


def statements_moved(tx: WriteTx, entries: Mapping[Sha256, int], *, sealed: int) -> None:
    """What is carried has another entry now, that of the running shard which carries it.

    Entries of older shards are numbered backwards from its beginning, so that they keep their order and are never taken
    for entries of the running one; `sealed` is the size of the shard that came to its end.
    """
    tx.connection.execute(update(STATEMENT).values(entry=STATEMENT.c.entry - sealed))
    tx.connection.execute(update(ERASURE).values(entry=ERASURE.c.entry - sealed))
    change = update(STATEMENT).where(STATEMENT.c.sha256 == bindparam("which")).values(entry=bindparam("at_entry"))
    if entries:
        tx.connection.execute(change, [{"which": sha256, "at_entry": index} for sha256, index in entries.items()])


def remove_archive(db: Path, label: str) -> bool:
    """Removes a sealed shard's rows, openings and all; whether they were there. Raises Unavailable."""
    path = archive_path(db, label)
    with world_errors("removing an archived log"):
        for companion in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + companion).unlink(missing_ok=True)
        return remove_file(path)


def _numbers(label: str) -> list[int]:
    """`2026` before `2026.2` before `2026.10`, and words before all."""
    return [int(part) if part.isdecimal() else 0 for part in label.split(".")]


def _fill(target: Path, source: Path) -> None:
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute("ATTACH DATABASE ? AS live", (os.fspath(source),))
        copy.execute("BEGIN")
        copy.execute(f"DELETE FROM main.{AUDIT_HEAD.name}")  # noqa: S608 names of our own tables
        for table in _TABLES:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
            copy.execute(
                f"INSERT INTO main.{table.name} ({columns}) SELECT {columns} FROM live.{table.name} ORDER BY {keys}"  # noqa: S608
            )
        copy.execute("COMMIT")
        copy.execute("DETACH DATABASE live")
        copy.execute("PRAGMA journal_mode=DELETE")  # one file without companions

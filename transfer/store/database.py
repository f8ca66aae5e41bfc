"""The database: SQLite in WAL mode with synchronous=FULL, reached through short transactions.

A `WriteTx` is a whole decision: state change, log entry and tree frontier are in it together or not at all. When the
`with` block ends without an error they are on the disk; until then nothing outside may happen.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import DBAPIError

from transfer.errors import Misuse, Tampered, TransferError, Unavailable
from transfer.model.events import EntryRef, Event
from transfer.store.schema import CONTROL, META, METADATA, SCHEMA_VERSION

_BUSY_MS = 20_000
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class ReadTx:
    """One consistent view of the database. `connection` is for the modules of `store` alone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class WriteTx(ReadTx):
    """One atomic, durable change. Only `Database.write` makes it."""


class Recorder(Protocol):
    """Appends to the transfer log, inside the transaction that changes the state."""

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        """The entry is durable when the transaction is."""
        ...


class Database:
    """One workspace's database. Safe to share between threads; transactions do not nest."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._watch = engine.connect()  # PRAGMA data_version tells about other connections' commits only

    @classmethod
    def create(cls, path: Path) -> Database:
        """A new, empty database. Raises Misuse if there is one, Unavailable if the disk will not take it."""
        if path.exists():
            raise Misuse(f"There is a database already: {path}.", advice="Choose another folder.")
        with _translated("making the database"):
            engine = _engine(path)
            with engine.begin() as connection:
                METADATA.create_all(connection)
                connection.execute(insert(META).values(key="schema_version", value=str(SCHEMA_VERSION)))
                connection.execute(insert(CONTROL).values(one=1))
            os.chmod(path, 0o600)
        return cls(path, engine)

    @classmethod
    def open(cls, path: Path) -> Database:
        """The existing database. Raises Misuse if there is none or it is of another version, Tampered if damaged."""
        if not path.exists():
            raise Misuse(f"There is no database at {path}.", advice="Make a workspace with `transfer init DIR`.")
        with _translated("opening the database"):
            engine = _engine(path)
            with engine.connect() as connection:
                found = connection.execute(select(META.c.value).where(META.c.key == "schema_version")).scalar_one()
        if int(found) != SCHEMA_VERSION:
            newer = int(found) > SCHEMA_VERSION
            raise Misuse(
                f"The database {path} has version {found}; this program knows version {SCHEMA_VERSION}.",
                advice="Use the newer program." if newer else "Restore the backup made before the update.",
            )
        return cls(path, engine)

    @contextlib.contextmanager
    def write(self) -> Iterator[WriteTx]:
        """BEGIN IMMEDIATE … COMMIT with fsync. Raises Unavailable (full, locked), Tampered (damaged)."""
        with _translated("writing to the database"), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield WriteTx(connection)
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadTx]:
        """One snapshot for several reads."""
        with _translated("reading the database"), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield ReadTx(connection)
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def data_version(self) -> int:
        """A number that changes when any other connection commits; call it from one thread only."""
        with _translated("reading the database"):
            version = self._watch.execute(text("PRAGMA data_version")).scalar_one()
            self._watch.rollback()
            return int(version)

    def close(self) -> None:
        """Gives all connections back."""
        self._watch.close()
        self._engine.dispose()


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_MS / 1000}, isolation_level="AUTOCOMMIT")

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",  # a confined process has no folder for temporary files
            "secure_delete=ON",  # what is erased is overwritten
            "cell_size_check=ON",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    try:
        yield
    except TransferError:
        raise
    except DBAPIError as error:
        cause = error.orig
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT:
            raise Tampered(
                f"The database is damaged (found while {doing}).",
                advice="Restore the last backup: `transfer restore DIR`.",
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise Unavailable(
                f"The disk is full while {doing}.", advice="Free some space; it goes on by itself."
            ) from error
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise Unavailable(f"Another process holds the database while {doing}.", advice="Try again.") from error
        if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise Unavailable(
                f"The disk refuses ({cause}) while {doing}.", advice="Check the disk and the folder's mode."
            ) from error
        raise

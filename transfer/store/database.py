"""The database: SQLite in WAL mode with synchronous=FULL, reached through short transactions.

A `WriteTx` is a whole decision: state change, log entry and tree frontier are in it together or not at all. When the
`with` block ends without an error they are on the disk; until then nothing outside may happen.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Engine, NullPool, create_engine, event, insert
from sqlalchemy.exc import DBAPIError

from transfer.errors import Misuse, Tampered, Unavailable
from transfer.model.events import EntryRef, Event
from transfer.store import tables
from transfer.store.connections import Connections, Session
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors
from transfer.store.migrations import bring_up_to_date
from transfer.store.purging import purge
from transfer.store.schema import CONTROL, META, SCHEMA_VERSION

_BUSY_MS = 20_000
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_REFUSED_BY_DISK = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_RESTORE = "Restore the last backup: `transfer restore DIR`."


class ReadTx:
    """One consistent view of the database. `connection` and `driver` are for the modules of `store` alone."""

    def __init__(self, session: Session) -> None:
        self.connection = session.connection
        self.driver = session.driver


class WriteTx(ReadTx):
    """One atomic, durable change. Only `Database.write` makes it."""


class _Reading:
    """A ReadTx for the time of a block. Every file passes a dozen: a class costs a third of what generators do."""

    __slots__ = ("_connections", "_session")

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __enter__(self) -> ReadTx:
        with _translated("reading the database"):
            self._session = self._connections.lend()
            try:
                self._session.driver.execute("BEGIN")
            except BaseException:
                self._connections.take_back(self._session)
                raise
        return ReadTx(self._session)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with _translated("reading the database"):
            self._connections.take_back(self._session)
            if isinstance(error, DBAPIError | sqlite3.Error):
                raise error


class Recorder(Protocol):
    """Appends to the transfer log, inside the transaction that changes the state."""

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        """The entry is durable when the transaction is."""
        ...


class Database:
    """One workspace's database. Safe to share between threads; transactions do not nest."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._connections = Connections(engine, patience=_BUSY_MS / 1000)
        with _translated("opening the database"):
            self._connections.data_version()

    @classmethod
    def create(cls, path: Path) -> Database:
        """A new, empty database. Raises Misuse if there is one, Unavailable if the disk will not take it."""
        if _exists(path, "making the database"):
            raise Misuse(f"There is a database already: {path}.", advice="Choose another folder.")
        unfinished = path.with_name(TEMPORARY_PREFIX + path.name)
        with world_errors("making the database"):
            _remove_database(unfinished)
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            try:
                _make_tables(unfinished)
                # A crash up to here leaves an unfinished file, which the next attempt removes.
                os.rename(unfinished, path)
                sync_folder(path.parent)
            except BaseException:
                with contextlib.suppress(OSError):
                    _remove_database(unfinished)
                raise
        return cls(path, _engine(path))

    @classmethod
    def open(cls, path: Path, *, lock: Path | None = None, keep_copy: bool = True) -> Database:
        """The existing database, brought to the present version if it is older (`store.migrations`).

        `lock` is the workspace's lock: nothing is migrated under an older program that runs. Raises Misuse if there is
        none or it is of a version that cannot be used, Tampered if damaged, Unavailable if the disk refuses.
        """
        if not _exists(path, "opening the database"):
            raise Misuse(f"There is no database at {path}.", advice="Make a workspace with `transfer init DIR`.")
        _require_writable(path.parent)
        engine = _engine(path)
        with _translated("opening the database"):
            bring_up_to_date(path, engine, lock=lock, keep_copy=keep_copy)
        return cls(path, engine)

    @contextlib.contextmanager
    def write(self) -> Iterator[WriteTx]:
        """BEGIN IMMEDIATE … COMMIT with fsync. Raises Unavailable (full, locked), Tampered (damaged)."""
        with _translated("writing to the database"), self._connections.writing() as session:
            session.driver.execute("BEGIN IMMEDIATE")
            try:
                yield WriteTx(session)
                _commit(session)
            except BaseException:
                session.roll_back()
                raise

    def read(self) -> _Reading:
        """One snapshot for several reads, as a context."""
        return _Reading(self._connections)

    def data_version(self) -> int:
        """A number that changes when another process commits (or another Database does, in this one)."""
        with _translated("reading the database"):
            return self._connections.data_version()

    def copy_to(self, path: Path) -> None:
        """One consistent copy of everything at a new `path`, 0600, durable, while others go on reading and writing.

        Raises Unavailable, or FileExistsError if something stands at `path`.
        """
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with (
            _translated("copying the database"),
            self._connections.reading() as session,
            contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy,
        ):
            session.driver.backup(copy)  # all pages in one step: one snapshot, and no writer waits for it
            copy.execute("PRAGMA journal_mode=DELETE")  # one file without companions; opening it makes it WAL again
        with world_errors("copying the database"):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def check(self) -> None:
        """Reads every page. Raises Tampered if anything in the file does not fit together."""
        with _translated("checking the database"), self._connections.reading() as session:
            (answer,) = session.driver.execute("PRAGMA integrity_check(1)").fetchone()
        if answer != "ok":
            raise Tampered(f"The database {self.path} is damaged.", advice=_RESTORE)

    def purge(self) -> None:
        """What was deleted leaves the disk: the file is written anew without free pages, the write-ahead log emptied.

        Others may go on reading and writing; those that write wait meanwhile. Raises Unavailable (full, or somebody
        reads for longer than can be waited for); nothing is lost then, and it can be asked for again.
        """
        with _translated("making deleted rows leave the database's file"), self._connections.writing() as session:
            purge(session.driver, self.path.parent)

    def remove_kept_copies(self) -> None:
        """The older databases that a migration kept go for good. Raises Unavailable."""
        with world_errors("removing the copies of the database from before an upgrade"):
            for copy in self.path.parent.glob(f"{self.path.name}.v*"):
                copy.unlink(missing_ok=True)
            sync_folder(self.path.parent)

    def close(self) -> None:
        """Gives all connections back."""
        self._connections.close()


def _exists(path: Path, doing: str) -> bool:
    with world_errors(doing):
        return path.exists()


def _require_writable(folder: Path) -> None:
    """Even reading writes, beside the database; SQLite would only say that it cannot open it."""
    with world_errors("opening the database"):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def _make_tables(path: Path) -> None:
    with _translated("making the database"):
        session = Session(_engine(path))
        try:
            session.driver.execute("BEGIN IMMEDIATE")
            tables.create_all(session.connection)
            session.connection.execute(insert(META).values(key="schema_version", value=str(SCHEMA_VERSION)))
            session.connection.execute(insert(CONTROL).values(one=1))
            session.driver.execute("COMMIT")
        finally:
            session.close()  # rolls back what is open; the last connection moves everything from the WAL into the file


def _engine(path: Path) -> Engine:
    address = URL.create("sqlite", database=os.fspath(path))
    options = {"timeout": _BUSY_MS / 1000, "check_same_thread": False}
    engine = create_engine(address, connect_args=options, isolation_level="AUTOCOMMIT", poolclass=NullPool)

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


def _commit(session: Session) -> None:
    if not session.in_transaction:
        # SQLite rolled back by itself and the caller swallowed its error: nothing of this change was kept.
        raise Unavailable("The database gave up a change while it was written.", advice="Try again.")
    session.driver.execute("COMMIT")


def _remove_database(path: Path) -> None:
    for companion in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + companion).unlink(missing_ok=True)


class _translated:  # noqa: N801 - reads as the context that it is
    """Turns what the driver says in its block into our errors, as far as it is one of ours."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError):
            _raise_translated(self._doing, error, error.orig)
        elif isinstance(error, sqlite3.Error):  # from the pragmas of a new connection, and from copying
            _raise_translated(self._doing, error, error)


def _raise_translated(doing: str, error: Exception, cause: BaseException | None) -> None:
    detailed = getattr(cause, "sqlite_errorcode", 0)
    code = detailed & 0xFF
    if code in _CORRUPT:
        raise Tampered(f"The database is damaged (found while {doing}).", advice=_RESTORE) from error
    if code == sqlite3.SQLITE_FULL or detailed == sqlite3.SQLITE_IOERR_SHMSIZE:  # the latter: no room to begin
        raise Unavailable(
            f"The disk is full while {doing}.", advice="Free some space; it goes on by itself."
        ) from error
    if code in _BUSY:
        raise Unavailable(f"Another process holds the database while {doing}.", advice="Try again.") from error
    if code in _REFUSED_BY_DISK:
        raise Unavailable(
            f"The disk refuses ({cause}) while {doing}.", advice="Check the disk and the folder's mode."
        ) from error

"""Open connections to the database, kept open: one that writes, and as many for reading as read at the same time.

A new connection costs as much as a dozen statements, and its page cache is empty. The one that writes keeps its cache
from change to change: nobody else in this process commits. Who wants to write waits here for a turn, and gets it at
the instant it is free; SQLite's own waiting, which sleeps for longer and longer times, is left for other processes.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator

from sqlalchemy import Connection, Engine

from transfer.errors import Misuse, Unavailable

_GLANCE = 0.05  # seconds to wait for the writer, by who only wants to look


class Session:
    """One open connection, used by one thread at a time. `connection` is what statements are carried out on."""

    def __init__(self, engine: Engine) -> None:
        self.connection: Connection = engine.connect()
        driver: object = self.connection.connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            self.connection.close()
            raise Misuse("Only an SQLite database can be used so far.", advice="Use the default settings.")
        self.driver = driver

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open; SQLite may have rolled it back by itself."""
        return self.driver.in_transaction

    def roll_back(self) -> None:
        """Ends what is open. After a full disk SQLite has done so already, and a second time would hide the error."""
        if self.driver.in_transaction:
            self.driver.execute("ROLLBACK")

    def close(self) -> None:
        """Gives it back to the system."""
        self.connection.close()


class Connections:
    """The sessions of one database in this process. Safe to share between threads."""

    def __init__(self, engine: Engine, *, patience: float) -> None:
        self._engine = engine
        self._patience = patience  # seconds that a writer waits for its turn
        self._turn = threading.Lock()
        self._writer: Session | None = None  # touched only by who has the turn
        self._version = 0
        self._lock = threading.Lock()  # guards the two below
        self._idle: list[Session] = []
        self._closed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for one reader; it comes back without an open transaction."""
        session = self.lend()
        try:
            yield session
        finally:
            self.take_back(session)

    def lend(self) -> Session:
        """A session for one reader, who gives it to `take_back`."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        return session or Session(self._engine)

    def take_back(self, session: Session) -> None:
        """Ends what the reader had open, and keeps the session for the next."""
        try:
            session.roll_back()
        except BaseException:
            session.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(session)
                return
        session.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """The session that writes, once it is free. Raises Unavailable."""
        if not self._turn.acquire(timeout=self._patience):
            raise Unavailable("Too many at once wait to write to the database.", advice="Try again.")
        try:
            session = self._writer = self._writer or Session(self._engine)
            yield session
        finally:
            self._turn.release()

    def data_version(self) -> int:
        """A number that changes when anybody but these sessions commits; the former one while the writer is busy."""
        if self._turn.acquire(timeout=_GLANCE):
            try:
                self._writer = self._writer or Session(self._engine)
                (self._version,) = self._writer.driver.execute("PRAGMA data_version").fetchone()
            finally:
                self._turn.release()
        return self._version

    def close(self) -> None:
        """Closes all that nobody uses now; the others are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

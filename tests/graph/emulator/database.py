"""The state on disk: metadata in SQLite, contents as files beside it.

Several processes may have it open at once (the emulator that answers and the test that plays the people), and it is
there again when a process was killed. What enters: a folder. What leaves: rows, transactions, settings.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sequence (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS drives (id TEXT PRIMARY KEY, name TEXT, kind TEXT, owner TEXT, root TEXT, quota INTEGER);
CREATE TABLE IF NOT EXISTS items (
    drive TEXT, id TEXT, guid TEXT, parent TEXT, name TEXT, folded TEXT, kind TEXT, size INTEGER, hash TEXT,
    content TEXT, etag INTEGER, ctag INTEGER, created_by TEXT, modified_by TEXT, created_at REAL, modified_at REAL,
    extra TEXT, deleted INTEGER, change INTEGER, entered INTEGER, shuffle INTEGER, changed_at REAL,
    PRIMARY KEY (drive, id));
CREATE UNIQUE INDEX IF NOT EXISTS names ON items (drive, parent, folded) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS parents ON items (drive, parent);
CREATE INDEX IF NOT EXISTS changes ON items (drive, change);
CREATE TABLE IF NOT EXISTS versions (
    drive TEXT, item TEXT, number INTEGER, size INTEGER, content TEXT, modified_by TEXT, modified_at REAL,
    PRIMARY KEY (drive, item, number));
CREATE TABLE IF NOT EXISTS departures (drive TEXT, item TEXT, left TEXT, change INTEGER);
CREATE INDEX IF NOT EXISTS left_from ON departures (drive, left);
CREATE TABLE IF NOT EXISTS permissions (
    id TEXT PRIMARY KEY, drive TEXT, item TEXT, body TEXT, identities TEXT, roles TEXT);
CREATE TABLE IF NOT EXISTS members (parent TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, identity TEXT, directory INTEGER, paused_until REAL);
CREATE TABLE IF NOT EXISTS rights (token TEXT, drive TEXT, item TEXT, role TEXT);
CREATE TABLE IF NOT EXISTS counters (
    token TEXT, drive TEXT, name TEXT, value INTEGER, PRIMARY KEY (token, drive, name));
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, token TEXT, drive TEXT, parent TEXT, name TEXT, item TEXT, size INTEGER, received INTEGER,
    behaviour TEXT, deferred INTEGER, expires REAL, actor TEXT);
CREATE TABLE IF NOT EXISTS rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, method TEXT, path TEXT, token TEXT, after INTEGER, left INTEGER,
    options TEXT);
CREATE TABLE IF NOT EXISTS due (at REAL, kind TEXT, drive TEXT, item TEXT);
CREATE TABLE IF NOT EXISTS requests (
    n INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, token TEXT, host TEXT, method TEXT, path TEXT, query TEXT,
    status INTEGER, fault TEXT, user_agent TEXT, client_request_id TEXT, authorization INTEGER)
"""


class Database:
    """One connection for all threads of a process; a write transaction excludes other processes too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contents = folder / "contents"
        self.contents.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(
            folder / "graph.sqlite", isolation_level=None, check_same_thread=False, timeout=60
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")  # a killed process loses nothing; the machine may not fail
        with self.transaction():
            for statement in _SCHEMA.split(";"):
                self._connection.execute(statement)

    def close(self) -> None:
        """Ends the connection of this process."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be entered again inside itself."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("COMMIT")

    def all(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: Any) -> sqlite3.Row | None:
        """The first row, if there is one."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
            return row

    def run(self, statement: str, *values: Any) -> int:
        """Changes rows; how many."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def next(self, name: str) -> int:
        """The next number of a sequence, from 1."""
        with self._lock:
            row = self._connection.execute(
                "INSERT INTO sequence VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            ).fetchone()
            return int(row[0])

    def setting(self, key: str, default: Any) -> Any:
        """A value that was set, or the default."""
        row = self.one("SELECT value FROM settings WHERE key = ?", key)
        return default if row is None else json.loads(row[0])

    def set(self, key: str, value: Any) -> None:
        """Sets a value for every process that has this state open."""
        self.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", key, json.dumps(value))

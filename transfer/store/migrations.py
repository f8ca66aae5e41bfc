"""Older databases brought to the present version: one transaction, a copy of the old one kept beside it.

What enters: a database file as a program of this or an earlier release left it. What leaves: one of SCHEMA_VERSION, or
a refusal that changed nothing. All steps together are one transaction: a crash anywhere leaves the old version or the
new one. Of several processes that open an old database at once, one migrates and the others wait for it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select, update

from transfer.errors import Misuse, Tampered, Unavailable
from transfer.store.connections import Session
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors
from transfer.store.erasure_table import ERASURE
from transfer.store.fingerprint_tables import create_fingerprint_tables, drop_fingerprint_parts
from transfer.store.journal_tags import create_and_fill
from transfer.store.lock import holds, who_holds
from transfer.store.notice_table import create_notice_table
from transfer.store.onedrive_staging_tables import create_onedrive_staging_tables
from transfer.store.onedrive_tables import create_onedrive_release_tables
from transfer.store.release_tables import add_release_quickxor
from transfer.store.schema import META, SCHEMA_VERSION

Step = Callable[[Connection], None]

_VERSION = "schema_version"
_PATIENCE = 5.0  # seconds for a gateway that has just started to migrate the database itself
_PAUSE = 0.1


def _to_2(connection: Connection) -> None:
    """Erasures are remembered, so that one that was interrupted is finished. The log's index has campaign and tags.
    Notes for staff grow old."""
    ERASURE.create(connection)
    create_and_fill(connection)
    create_notice_table(connection)


def _to_3(connection: Connection) -> None:
    """What was released can be recognised by what it looks like; what was released before is looked at later."""
    create_fingerprint_tables(connection)


def _to_4(connection: Connection) -> None:
    """The device's side can be a folder in OneDrive: uploads under way, and what stands there by our hand."""
    create_onedrive_release_tables(connection)


def _to_5(connection: Connection) -> None:
    """A staging folder can lie in OneDrive: what was told of it, and where to go on."""
    create_onedrive_staging_tables(connection)


def _to_6(connection: Connection) -> None:
    """Fingerprints are compared in memory: the index for them, 16 rows each, is needed no longer."""
    drop_fingerprint_parts(connection)


def _to_7(connection: Connection) -> None:
    """A release in OneDrive is told from anything else there by the service's hash of its bytes."""
    add_release_quickxor(connection)


STEPS: Mapping[int, Step] = {1: _to_2, 2: _to_3, 3: _to_4, 4: _to_5, 5: _to_6, 6: _to_7}
"""From each version to the next. A step makes its own tables, and none that a later step makes."""


def bring_up_to_date(path: Path, engine: Engine, *, lock: Path | None, keep_copy: bool) -> None:
    """Leaves the database at SCHEMA_VERSION, or raises.

    `lock` is the workspace's lock file: an older program that runs would go on writing as it knows to, so nothing is
    migrated under it. Raises Misuse for a version that cannot be used, Tampered if this is no database of ours,
    Unavailable if the older program runs or there is no room. SQLite's own errors are the caller's to translate.
    """
    with contextlib.closing(engine.connect()) as connection:
        if _usable(path, _version(path, connection)):
            return
    patience = time.monotonic() + _PATIENCE
    while not _migrated(path, engine, lock=lock, keep_copy=keep_copy, last=time.monotonic() >= patience):
        time.sleep(_PAUSE)


def kept_copy(path: Path, version: int) -> Path:
    """Where the database as it was at that version is kept, if it was ever migrated from it."""
    return path.with_name(f"{path.name}.v{version}")


def _migrated(path: Path, engine: Engine, *, lock: Path | None, keep_copy: bool, last: bool) -> bool:
    session = Session(engine)
    try:
        session.driver.execute("BEGIN IMMEDIATE")  # waits for whoever migrates it just now
        version = _version(path, session.connection)
        if _usable(path, version):
            return True
        if lock is not None and not holds(lock) and (holder := who_holds(lock)) is not None:
            if last:
                raise Unavailable(
                    f"The database is of an older version, and process {holder.pid} runs this workspace's gateway.",
                    advice="Stop that gateway, then start it with this program; the database is upgraded then.",
                )
            return False
        if keep_copy:
            _keep(path, kept_copy(path, version), engine)
        for step in range(version, SCHEMA_VERSION):
            STEPS[step](session.connection)
        session.connection.execute(
            update(META).where(META.c.key == _VERSION).values(value=str(SCHEMA_VERSION)),
        )
        session.driver.execute("COMMIT")
        return True
    finally:
        session.roll_back()
        session.close()


def _version(path: Path, connection: Connection) -> int:
    known = inspect(connection).has_table(META.name)
    versions = select(META.c.value).where(META.c.key == _VERSION)
    found = connection.execute(versions).scalar_one_or_none() if known else None
    if not isinstance(found, str) or not found.isdecimal():
        raise Tampered(
            f"The file {path} is not a database of this program.",
            advice="Restore the last backup: `transfer restore DIR`.",
        )
    return int(found)


def _usable(path: Path, version: int) -> bool:
    """Whether it is of the present version; False if there is a way to it. Raises Misuse."""
    if version == SCHEMA_VERSION:
        return True
    if version > SCHEMA_VERSION:
        raise Misuse(
            f"The database {path} has version {version}; this program knows version {SCHEMA_VERSION}.",
            advice="Use the newer program.",
        )
    if not set(range(version, SCHEMA_VERSION)) <= set(STEPS):
        raise Misuse(
            f"The database {path} has version {version}, from which there is no way to version {SCHEMA_VERSION}.",
            advice="Restore the backup made before the update, or use the program that made it.",
        )
    return False


def _keep(path: Path, copy: Path, engine: Engine) -> None:
    """The database as it is, beside it; in place of one that an interrupted attempt left."""
    unfinished = copy.with_name(TEMPORARY_PREFIX + copy.name)
    try:
        with world_errors("keeping a copy of the database before it is upgraded"):
            unfinished.unlink(missing_ok=True)
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            _copy(engine, unfinished)
            os.rename(unfinished, copy)
            sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            for companion in ("", "-journal"):
                unfinished.with_name(unfinished.name + companion).unlink(missing_ok=True)
        raise


def _copy(engine: Engine, target: Path) -> None:
    reader = Session(engine)
    try:
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            reader.driver.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file without companions
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            raise Unavailable(
                "There is no room to keep a copy of the database while it is upgraded; nothing was changed.",
                advice=f"Free some space on the disk of {target.parent}; as much as the database needs, and once more.",
            ) from error
        raise
    finally:
        reader.close()
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

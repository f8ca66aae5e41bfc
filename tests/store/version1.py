"""A workspace as an earlier program left it (database version 1), made by its own commands.

A caption was released, one waits; there are an auditor, and a submitter who was disabled. `version1.sql` is its
database, `version1.json` all other files.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from transfer.model.identifiers import Sha256
from transfer.store.backup_files import LABEL_NAME, LIST_NAME, Label, hash_file, render_label, render_list

_HERE = Path(__file__).parent
_PRIVATE = ("keys/", "state/", "demo/")
_NOT_IN_A_BACKUP = ("demo/", "feedback/", "release/", "staging/")


def lay_out(root: Path) -> None:
    """Puts the workspace at `root`, with the modes it had."""
    for folder in ("demo", "feedback", "keys", "log", "release", "release-aside", "staging", "state"):
        (root / folder).mkdir(parents=True)
    for folder in ("state/db", "state/run", "state/raw", "state/clean"):
        (root / folder).mkdir(mode=0o700)
    for path, content in json.loads((_HERE / "version1.json").read_text()).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(content))
        target.chmod(0o600 if path.startswith(_PRIVATE) else 0o644)
    for folder in ("state", "keys"):
        (root / folder).chmod(0o700)
    make_database(root / "state" / "db" / "transfer.sqlite")


def make_database(path: Path) -> None:
    """The database alone."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((_HERE / "version1.sql").read_text())


def back_up(root: Path, destination: Path) -> None:
    """What `transfer backup` of that program made of the workspace."""
    lay_out(root)
    digests: dict[str, Sha256] = {}
    size = 0
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if not path.is_file() or relative.startswith(_NOT_IN_A_BACKUP):
            continue
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        digests[relative], length = hash_file(target)
        size += length
    (destination / LIST_NAME).write_bytes(render_list(digests))
    label = Label(
        made_at=datetime(2026, 11, 22, 15, 14, tzinfo=UTC),
        files=len(digests),
        size=size,
        keys=True,
        list_sha256=hash_file(destination / LIST_NAME)[0],
    )
    (destination / LABEL_NAME).write_bytes(render_label(label))


def version_of(path: Path) -> str:
    """What a database file says of itself."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return str(version)

"""Backup and restore: a consistent copy of one workspace while its gateway runs, and back into an empty folder.

In a backup: the database (items, people, campaigns, statements, releases, the whole transfer log), all originals and
rebuilt files that are still kept, the published log, the settings, the policy in force, and, unless left out, the
keys. It can be read with `sqlite3` and checked with `sha256sum -c MANIFEST.sha256`.
Not in it: `staging/` (the staff's own), `release/` and `release-aside/` (the device's side; the gateway cannot read
them), `feedback/` and `receipts/` (written again from the database), sockets and locks, `demo/`.

Whoever holds a backup with keys can sign the log as this gateway: keep it as you keep the keys.

Why it is consistent: the published log is copied before the database, so the database knows everything the log says;
blobs are durable before a row names them and are copied after the rows, so none is missing but those that expired.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from transfer.errors import Misuse, Tampered, Unavailable
from transfer.model.clock import Clock
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.states import State
from transfer.store import journal
from transfer.store.backup_files import (
    LABEL_NAME,
    LIST_NAME,
    Label,
    copy_file,
    files_below,
    hash_file,
    make_private,
    parse_list,
    render_label,
    render_list,
    sync_all_folders,
    verify_backup,
)
from transfer.store.database import Database
from transfer.store.durable import TEMPORARY_PREFIX, replace_file, sync_folder, world_errors
from transfer.store.items import ITEM
from transfer.store.restored import Restored, mark_restored
from transfer.store.shards import archives
from transfer.workspace import POLICY_NAME, SETTINGS_NAME, Workspace

_PASSES = 20
_NEEDS_RAW = (State.SPOOLED, State.EXAMINED)
_NEEDS_CLEAN = (State.REBUILT, State.HELD, State.APPROVED, State.RELEASED)
_PUBLIC = ("log/", SETTINGS_NAME, POLICY_NAME)  # what others than the gateway's user may read

Digests = dict[str, Sha256]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """`damaged` are blobs whose bytes no longer have their digest; they were left out."""

    made_at: datetime
    files: int
    size: int
    keys: bool
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """`incomplete` are items that go on only if their file is dropped again: its bytes are not in the backup."""

    made_at: datetime
    files: int
    size: int
    keys: bool
    incomplete: tuple[ItemId, ...]


def backup(
    db: Database,
    *,
    workspace: Workspace,
    destination: Path,
    clock: Clock,
    keys: bool = True,
    leave_out: Collection[str] = (),
    progress: Callable[[str], None] | None = None,
) -> BackupReport:
    """Copies the workspace into `destination`, a new or empty folder outside of it; complete when this returns.

    `leave_out` names files in `keys/` that no backup is to have. The caller keeps others from switching or pruning the
    log meanwhile. A crash in the middle leaves a folder without `backup.json`, which `restore` refuses. `progress` is
    called with each path.

    Raises Misuse (the destination), Unavailable (the disk), Tampered (foreign things among our files).
    """
    made_at = clock.now()
    _check_destination(destination, workspace)
    with world_errors("making a backup"):
        make_private(destination)
        try:
            copying = _Copying(workspace.root, destination, progress or (lambda _: None))
            copying.log(db, workspace.log)
            copying.database(db)
            for path in archives(db.path).values():
                copying.archived_rows(path)
            copying.blobs(workspace.raw)
            copying.blobs(workspace.clean)
            copying.one(workspace.settings_file)
            copying.one(workspace.policy_file)
            if keys:
                copying.tree(workspace.keys, leave_out=leave_out)
            return copying.finish(made_at, keys=keys)
        except BaseException:
            _empty(destination)
            raise


def restore(source: Path, destination: Path) -> RestoreReport:
    """Puts a backup back into `destination`, a new or empty folder, after every byte was verified.

    Nothing stands at `destination` before all of it does. The database is marked as restored: nothing is appended to
    its log until somebody says how it goes on. Raises as `verify_backup`, and Unavailable (the disk).
    """
    label = verify_backup(source)
    unfinished = destination.with_name(TEMPORARY_PREFIX + destination.name)
    with world_errors("restoring a backup"):
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise Misuse(f"{destination} is not empty.", advice="Restore into a new folder.")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            _put_back(source, unfinished)
            incomplete = _incomplete(Workspace(unfinished), label.made_at)
            sync_all_folders(unfinished)
            # A crash up to here leaves the unfinished folder, which the next attempt removes.
            os.rename(unfinished, destination)
            sync_folder(destination.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return RestoreReport(
        made_at=label.made_at, files=label.files, size=label.size, keys=label.keys, incomplete=incomplete
    )


class _Copying:
    """One backup being made: what was copied so far, by its path in the workspace."""

    def __init__(self, root: Path, destination: Path, progress: Callable[[str], None]) -> None:
        self._root = root
        self._destination = destination
        self._progress = progress
        self._copied: dict[str, tuple[Sha256, int]] = {}
        self._damaged: list[str] = []

    def one(self, path: Path) -> None:
        """One file, if it is there."""
        relative = path.relative_to(self._root).as_posix()
        with suppress(FileNotFoundError):
            self._copied[relative] = copy_file(path, self._destination / relative)
            self._progress(relative)

    def tree(self, folder: Path, *, leave_out: Collection[str]) -> None:
        """Everything below a folder but these."""
        for path in files_below(folder, skip_temporaries=True):
            if path not in leave_out:
                self.one(folder / path)

    def blobs(self, folder: Path) -> None:
        """Blobs are copied while others come and expire; one that is not what its name says is left out."""
        for path in files_below(folder, skip_temporaries=True):
            self.one(folder / path)
            relative = (folder / path).relative_to(self._root).as_posix()
            if relative in self._copied and self._copied[relative][0] != path.rpartition("/")[2]:
                self._leave_out(relative)
                self._damaged.append(relative)

    def database(self, db: Database) -> None:
        """One snapshot of the database."""
        relative = db.path.relative_to(self._root).as_posix()
        copy = self._destination / relative
        make_private(copy.parent)
        db.copy_to(copy)
        self._copied[relative] = hash_file(copy)
        self._progress(relative)

    def archived_rows(self, path: Path) -> None:
        """The rows of a sealed shard, which change no more but for what is erased."""
        db = Database.open(path)
        try:
            self.database(db)
        finally:
            db.close()

    def log(self, db: Database, folder: Path) -> None:
        """The published log as it stands between two publications.

        All its files but the checkpoint keep their content for ever: a first pass copies most of them, and the rest
        is done while nobody can sign a new checkpoint.
        """
        self._log_pass(folder)
        with db.write():
            for _ in range(_PASSES):
                if not self._log_pass(folder):
                    return
        raise Unavailable("The published log does not hold still.", advice="Try again.")

    def finish(self, made_at: datetime, *, keys: bool) -> BackupReport:
        """Writes the list, then the label that makes the backup a complete one."""
        digests: Digests = {path: digest for path, (digest, _) in self._copied.items()}
        size = sum(length for _, length in self._copied.values())
        listed = render_list(digests)
        replace_file(self._destination / LIST_NAME, listed)
        digest = hash_file(self._destination / LIST_NAME)[0]
        sync_all_folders(self._destination)
        label = Label(made_at=made_at, files=len(digests), size=size, keys=keys, list_sha256=digest)
        replace_file(self._destination / LABEL_NAME, render_label(label))
        sync_folder(self._destination.parent)
        damaged = tuple(self._damaged)
        return BackupReport(made_at=made_at, files=len(digests), size=size, keys=keys, damaged=damaged)

    def _log_pass(self, folder: Path) -> bool:
        """Brings the copy of the log up to date; whether there was anything to do."""
        prefix = folder.relative_to(self._root).as_posix() + "/"
        there = {prefix + path for path in files_below(folder, skip_temporaries=True)}
        ours = {path for path in self._copied if path.startswith(prefix)}
        checkpoint = prefix + "checkpoint"
        stale = ours - there
        if checkpoint in ours & there and hash_file(self._root / checkpoint) != self._copied[checkpoint]:
            stale.add(checkpoint)
        for path in stale:
            self._leave_out(path)
        missing = sorted(there - (ours - stale))
        for path in missing:
            self.one(self._root / path)
        return bool(stale or missing)

    def _leave_out(self, relative: str) -> None:
        (self._destination / relative).unlink()
        del self._copied[relative]


def _check_destination(destination: Path, workspace: Workspace) -> None:
    with world_errors("looking at the backup's destination"):
        if destination.resolve().is_relative_to(workspace.root.resolve()):
            raise Misuse("A backup cannot lie inside the workspace.", advice="Give a folder on another disk.")
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise Misuse(f"{destination} is not empty.", advice="Give a new folder for each backup.")


def _empty(destination: Path) -> None:
    with suppress(OSError):
        for path in destination.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _put_back(source: Path, destination: Path) -> None:
    workspace = Workspace(destination)
    for folder in (workspace.state, workspace.db, workspace.raw, workspace.clean, workspace.run, workspace.log):
        make_private(folder)
    digests = parse_list((source / LIST_NAME).read_bytes())
    for path, digest in sorted(digests.items()):
        public = path.startswith(_PUBLIC)
        copied, _ = copy_file(source / path, destination / path, mode=0o644 if public else 0o600)
        if copied != digest:
            raise Tampered(f"The backup's {path} was changed while it was restored.", advice="Try another backup.")
    for folder in (destination, workspace.log, *(path for path in workspace.log.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _incomplete(workspace: Workspace, made_at: datetime) -> tuple[ItemId, ...]:
    db = Database.open(workspace.database, keep_copy=False)  # a backup by an older program is brought up to date
    try:
        db.check()
        with db.write() as tx:
            mark_restored(tx, Restored(entries=journal.head(tx).size, made_at=made_at))
        with db.read() as tx:
            query = select(ITEM.c.item, ITEM.c.state, ITEM.c.sha256, ITEM.c.rebuilt_sha256).order_by(ITEM.c.seq)
            rows = tx.connection.execute(query.where(ITEM.c.state.in_([*_NEEDS_RAW, *_NEEDS_CLEAN]))).all()
    finally:
        db.close()
    lacking: list[ItemId] = []
    for row in rows:
        raw = row.state in _NEEDS_RAW
        digest = (row.sha256 if raw else row.rebuilt_sha256) or ""
        if not ((workspace.raw if raw else workspace.clean) / digest[:2] / digest).is_file():
            lacking.append(ItemId(row.item))
    return tuple(lacking)

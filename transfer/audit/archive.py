"""A sealed shard put away: its rows into a database of their own, its files into `log/archive/<label>/`.

What enters: a database whose log is sealed, signed and published to its last entry. What leaves: copies that were
verified, and last a public folder without the old tiles. Every step is durable when it returns, looks first at what a
crash left, and takes nothing away that the step before did not put elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from transfer.audit.notes import Verifier
from transfer.audit.proving import receipt_at
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import ARCHIVE, OPENED, SEALED, FolderReader
from transfer.audit.receipts import render_receipt
from transfer.audit.shards import is_switching, label_of
from transfer.audit.verify import verify_log
from transfer.errors import Tampered
from transfer.store import journal, shards
from transfer.store.backup_files import files_below, sync_all_folders
from transfer.store.database import Database
from transfer.store.durable import TEMPORARY_PREFIX, replace_file, sync_folder, world_errors

_DOING = "putting a sealed log away"


def archive_rows(db: Database, verifier: Verifier) -> None:
    """All rows in `log-<label>.db`, verified. Raises Tampered, Unavailable."""
    target = shards.archive_path(db.path, label_of(verifier.name))
    if not target.exists():
        shards.copy_rows(db, target)
    copy = Database.open(target)
    try:
        with copy.read() as tx, db.read() as ours:
            if journal.head(tx) != journal.head(ours):
                raise Tampered(f"{target} holds another log than the one that was sealed.", advice="Move it away.")
            verify_log(DatabaseReader(tx), [verifier], origin=verifier.name)
    finally:
        copy.close()


def archive_folder(db: Database, log: Path, verifier: Verifier) -> None:
    """All files, with proofs of the first and the last entry, in `archive/<label>/`. Raises Tampered, Unavailable."""
    target = log / ARCHIVE / label_of(verifier.name)
    if target.exists():  # a crash left it
        verify_log(FolderReader(target), [verifier], origin=verifier.name)
        return
    unfinished = target.with_name(TEMPORARY_PREFIX + target.name)
    with db.read() as tx:
        head = journal.head(tx)
        first, last = (
            render_receipt(receipt_at(tx, index, size=head.size, note=head.signed_note)).encode()
            for index in (0, head.size - 1)
        )
    with world_errors(_DOING):
        shutil.rmtree(unfinished, ignore_errors=True)
        _link_files(log, unfinished)
        replace_file(unfinished / OPENED, first, mode=0o644)
        replace_file(unfinished / SEALED, last, mode=0o644)
        sync_all_folders(unfinished)
    verify_log(FolderReader(unfinished), [verifier], origin=verifier.name)
    with world_errors(_DOING):
        # A crash up to here leaves an unfinished folder, which readers pass over and the next attempt removes.
        os.rename(unfinished, target)
        sync_folder(target.parent)
        sync_folder(log)


def clear_folder(log: Path) -> None:
    """The sealed shard's tiles leave log/; its checkpoint stays until the next one's takes its place."""
    if is_switching(log):
        with world_errors(_DOING):
            shutil.rmtree(log / "tile", ignore_errors=True)
            sync_folder(log)


def _link_files(log: Path, target: Path) -> None:
    """A second name for each file: none of them ever changes, and log/ only removes its own names. Raises OSError."""
    for path in files_below(log, skip_temporaries=True):
        if path.startswith(f"{ARCHIVE}/"):
            continue
        place = target / path
        for folder in reversed([place.parent, *place.parent.parents]):
            if folder.is_relative_to(target.parent):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, 0o755)
        try:
            os.link(log / path, place)
        except OSError:  # a file system without second names
            replace_file(place, (log / path).read_bytes(), mode=0o644)

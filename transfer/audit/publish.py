"""The public log: tiles and checkpoint in `log/`, derived from the database's rows.

    log/checkpoint                     the newest published checkpoint
    log/log.vkey                       the verifier key, for convenience
    log/tile/entries/…, log/tile/<L>/… entry bundles and hash tiles

What enters: the database, whose rows are the truth, and the log's signer. What leaves: files, each written beside its
place, synced and renamed: bundles first, then tiles from the leaves upwards, the checkpoint last. Whoever reads a
checkpoint therefore finds everything it speaks of. A crash leaves files of a checkpoint that is not there yet; the next
publishing, at the start or later, writes the same bytes again. Of what it wrote, only the checkpoint is
read again: what has been shown to anybody is never contradicted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from transfer.audit.checkpoint import Checkpoint
from transfer.audit.notes import Ed25519Signer
from transfer.audit.reader_folder import CHECKPOINT, VKEY, FolderReader
from transfer.audit.signing import check_row_root, check_signed, sign_newest
from transfer.audit.start import StartReport, check_start, compare_sizes, published_checkpoint
from transfer.audit.tiles import BUNDLE, MAX_LEVEL, WIDTH, Tile, render_bundle, tile_widths, tiles_between
from transfer.errors import Tampered
from transfer.model.clock import Clock
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.store.durable import open_folder, replace_file, sync_folder, world_errors

FILE_MODE = 0o644  # the public log holds no personal data, and auditors read it


class Publisher:
    """Signs and publishes one workspace's log. Several of them, in several processes too, do not disturb each other."""

    def __init__(self, *, db: Database, log_dir: Path, signer: Ed25519Signer, origin: str, clock: Clock) -> None:
        self._db = db
        self._log_dir = log_dir
        self._signer = signer
        self._origin = origin
        self._clock = clock
        self.published_at: datetime | None = None  # when this process last published something

    def check_start(self) -> StartReport:
        """Compares database and folder before anything is signed or published. Raises Tampered, Unavailable.

        Says exactly what disagrees: the database was rolled back or edited, the folder is another gateway's, or holds
        a file that no log has. What a crash left unfinished is in order; the next `publish` finishes it.
        """
        with alone(self._log_dir):
            return check_start(db=self._db, log_dir=self._log_dir, signer=self._signer, origin=self._origin)

    def sign(self) -> Checkpoint | None:
        """Signs what the log has grown to; None if nothing is new. Raises Tampered, Unavailable."""
        return sign_newest(self._db, self._signer, self._origin)

    def publish(self) -> int:
        """Brings the folder to the newest signed checkpoint; answers its size. Raises Tampered, Unavailable."""
        with self._db.read() as tx:
            head = journal.head(tx)
            if head.published == head.signed_size:
                return head.published
        with alone(self._log_dir):
            return self._publish(published_checkpoint(FolderReader(self._log_dir), self._signer, self._origin))

    def _publish(self, shown: Checkpoint | None) -> int:
        with world_errors("publishing the log"), self._db.read() as tx:
            head = journal.head(tx)
            checkpoint = check_signed(head, self._signer, self._origin)
            if checkpoint is None or head.published == checkpoint.size:
                return head.published
            compare_sizes(shown, checkpoint, head.published)
            check_row_root(tx, checkpoint.size, checkpoint.root)
            if shown is not None:  # what has been shown is never taken back
                check_row_root(tx, shown.size, shown.root)
            if shown is None:  # otherwise it lies there already, and was found to be ours
                self._write(VKEY, (self._signer.vkey + "\n").encode())
            for level in range(BUNDLE, MAX_LEVEL + 1):
                for tile in tiles_between(level, head.published, checkpoint.size):
                    self._write(tile.path, content_of(tx, tile))
            # After a crash before this line the folder still shows the former checkpoint, with all that belongs to it.
            self._write(CHECKPOINT, head.signed_note.encode())
        # After a crash before the next commit all is published; publishing again writes the same bytes.
        with self._db.write() as tx:
            journal.set_published(tx, checkpoint.size)
        self.published_at = self._clock.now()
        with world_errors("tidying the log"):
            self._remove_outdated(head.published, checkpoint.size)
        return checkpoint.size

    def _write(self, path: str, content: bytes) -> None:
        target = self._log_dir / path
        ensure_folder(target.parent)
        replace_file(target, content, mode=FILE_MODE)

    def _remove_outdated(self, old: int, new: int) -> None:
        """Partial tiles that full or wider ones have replaced."""
        for level in range(BUNDLE, MAX_LEVEL + 1):
            (old_full, old_partial), (full, partial) = tile_widths(level, old), tile_widths(level, new)
            if old_partial and old_full < full:
                self._remove_partials(Tile(level, old_full), keep=set())
            if partial:
                self._remove_partials(Tile(level, full), keep={partial})

    def _remove_partials(self, tile: Tile, *, keep: set[int]) -> None:
        folder = self._log_dir / f"{tile.path}.p"
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(folder)
            widths = {int(name) for name in names if re.fullmatch("[1-9][0-9]{0,2}", name)}
            for width in widths - keep:
                if width < max(keep, default=WIDTH):  # what has no place here stays for whoever looks into it
                    os.unlink(folder / str(width))
            if not keep and len(names) == len(widths):
                os.rmdir(folder)


@contextlib.contextmanager
def alone(log_dir: Path) -> Iterator[None]:
    """One publisher at a time; a process that dies lets go. Raises Unavailable."""
    with world_errors("opening the log's folder"):
        ensure_folder(log_dir)
        with open_folder(log_dir) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield


def content_of(tx: ReadTx, tile: Tile) -> bytes:
    """A tile or bundle as it is published. Raises Tampered if the rows for it are not all there."""
    first = tile.index * WIDTH
    parts = (
        journal.leaves(tx, first, first + tile.width)
        if tile.level == BUNDLE
        else journal.hashes(tx, tile.level, first, tile.width)
    )
    if len(parts) != tile.width:
        raise Tampered(
            f"The database lacks entries or hashes for {tile.path}.",
            advice="Somebody changed the database. Restore the last backup: `transfer restore DIR`.",
        )
    return render_bundle(parts) if tile.level == BUNDLE else b"".join(parts)


def ensure_folder(path: Path) -> None:
    """Makes the folder and those above it, durably. Raises OSError."""
    if path.is_dir():
        return
    ensure_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o755)
    sync_folder(path.parent)

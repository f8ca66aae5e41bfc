"""Receipts that are made by themselves: one file for every release, refusal and withdrawal, as soon as it is signed.

    receipts/<YYYY-MM>/<item>-released.tlog-proof        …-refused, …-withdrawn; the month is the entry's

What enters: the database's rows and the log's verifiers. What leaves: files. They are derived: each is a function of
its entry and of the first checkpoint that was signed over it, so making one again gives the same bytes. A mark in the
database says up to which entry they lie there; it moves after the files are durable, so that a crash at most has some
of them compared once more. A genuine receipt is never replaced, not even by another one.

Those of a sealed shard were complete when it was sealed. If the folder was lost since, they are made again as well,
from the rows of the sealed shards, the oldest first; not those of a shard that was pruned.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transfer.audit.entries import parse_leaf
from transfer.audit.notes import Verifier
from transfer.audit.proving import receipt_at
from transfer.audit.receipts import open_receipt, parse_receipt, render_receipt
from transfer.errors import Misuse, NotSo, Tampered, Unavailable
from transfer.model.events import EventName
from transfer.model.identifiers import parse_item_id
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.store.durable import replacing, sync_folder, world_errors
from transfer.store.receipt_cursor import (
    first_checkpoint_over,
    receipts_again,
    receipts_until,
    sealed_receipts_due,
    set_receipts_until,
    set_sealed_receipts_due,
)
from transfer.store.shards import archives

SUFFIX = ".tlog-proof"
RECEIPTED = {
    EventName.FILE_RELEASED.value: "released",
    EventName.FILE_REFUSED.value: "refused",
    EventName.FILE_WITHDRAWN.value: "withdrawn",
}

_BATCH = 50  # receipts a round: what is stopped waits for no more than these
_SCANNED = 1024  # entries a round
_MAX_BYTES = 1 << 16
_FOLDER_MODE = 0o755  # no personal data: auditors and staff may read them
_FILE_MODE = 0o644
_DOING = "writing receipts"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    index: int
    entry: bytes
    month: str
    name: str
    text: bytes


class ReceiptFiles:
    """Writes one workspace's receipts. One thread calls `round`."""

    def __init__(self, *, db: Database, folder: Path, verifiers: Sequence[Verifier]) -> None:
        self._db = db
        self._folder = folder
        self._verifiers = verifiers
        self._until: int | None = None  # ahead of what the database says, by entries that have no receipt
        self._sealed: list[Path] | None = None  # sealed shards whose receipts are to be made again
        self._sealed_until = 0  # of the first of them

    def round(self) -> bool:
        """Makes some of those that are due; whether there may be more. Raises Unavailable, Tampered."""
        return self._sealed_round() or self._running_round()

    def _sealed_round(self) -> bool:
        if self._sealed is None:
            with self._db.read() as tx:
                due = sealed_receipts_due(tx)
            # After a crash this begins again, and finds what it wrote.
            self._sealed = list(archives(self._db.path).values()) if due else []
            if due and not self._sealed:
                self._sealed_are_there()
        if not self._sealed:
            return False
        with contextlib.closing(Database.open(self._sealed[0])) as archived, archived.read() as tx:
            signed = journal.head(tx).signed_size
            made, end = self._make(tx, self._sealed_until, min(signed, self._sealed_until + _SCANNED))
        self._write_all(made)
        self._sealed_until = end
        if end >= signed:
            del self._sealed[0]
            self._sealed_until = 0
            if not self._sealed:
                self._sealed_are_there()
        return True

    def _sealed_are_there(self) -> None:
        with self._db.write() as tx:
            set_sealed_receipts_due(tx, due=False)

    def _running_round(self) -> bool:
        with self._db.read() as tx:
            marked = receipts_until(tx)
            first = max(marked, self._until or 0)
            signed = journal.head(tx).signed_size
            made, end = self._make(tx, first, min(signed, first + _SCANNED)) if first < signed else ([], first)
        self._write_all(made)
        # After a crash before the next commit the files lie there; the next round finds them and writes none of them.
        if made or end - marked >= _SCANNED:
            with self._db.write() as tx:
                set_receipts_until(tx, end)
        self._until = end
        return end < signed

    def _write_all(self, made: Sequence[_Made]) -> None:
        with world_errors(_DOING):
            for month in sorted({receipt.month for receipt in made}):
                self._write(month, [receipt for receipt in made if receipt.month == month])

    def _make(self, tx: ReadTx, first: int, end: int) -> tuple[list[_Made], int]:
        """The receipts of a range of entries, at most a batch, and up to where that is."""
        due = [row.index for row in journal.index_rows(tx, first, end) if row.event in RECEIPTED]
        if len(due) > _BATCH:
            end = due[_BATCH]
        known: dict[tuple[int, int], bytes] = {}
        return [self._made(tx, index, known) for index in due[:_BATCH]], end

    def _made(self, tx: ReadTx, index: int, known: dict[tuple[int, int], bytes]) -> _Made:
        """Raises Tampered rather than hand out a receipt that would not verify."""
        checkpoint = first_checkpoint_over(tx, index)
        if checkpoint is None:
            raise Tampered("The database has lost the checkpoint that was signed last.", advice="Restore a backup.")
        receipt = receipt_at(tx, index, size=checkpoint[0], note=checkpoint[1], known=known)
        entry, _ = open_receipt(receipt, self._verifiers)
        leaf = parse_leaf(entry)
        try:
            name = f"{parse_item_id(leaf.item or '')}-{RECEIPTED[leaf.event]}"
        except (Misuse, KeyError) as error:
            raise Tampered(f"Entry {index} is not what the index says of it.") from error
        text = render_receipt(receipt).encode()
        return _Made(index=index, entry=entry, month=leaf.at[:7], name=name, text=text)

    def _write(self, month: str, made: Sequence[_Made]) -> None:
        if not self._folder.is_dir():
            raise Unavailable(
                f"The folder {self._folder} is gone.",
                advice="Start the gateway again: it makes the folder, and every receipt anew.",
            )
        folder = self._folder / month
        if not folder.is_dir():
            _make_folder(folder)
        with replacing(folder, mode=_FILE_MODE) as put:
            for receipt in made:
                name = self._name_for(folder, receipt)
                if name is not None:
                    put(name, receipt.text)

    def _name_for(self, folder: Path, receipt: _Made) -> str | None:
        """The name under which it has to be written; None if a receipt of this entry lies there.

        A second entry of this kind for one item, as after a restore, has its number in its name.
        """
        for name in (receipt.name + SUFFIX, f"{receipt.name}-{receipt.index}{SUFFIX}"):
            found = _content(folder / name)
            entry = receipt.entry if found == receipt.text else self._proven(found)
            if entry == receipt.entry:
                return None
            if entry is None:
                return name
        raise Tampered(
            f"Two genuine receipts of other entries lie at {folder / receipt.name}.",
            advice="They show that this log had another content once. Keep them; ask whoever runs the gateway.",
        )

    def _proven(self, found: bytes | None) -> bytes | None:
        """The entry that a file proves to be in this log; None if there is no file or it proves nothing."""
        if found is None:
            return None
        try:
            return open_receipt(parse_receipt(found), self._verifiers)[0]
        except (Tampered, NotSo):
            return None


def prepare_folder(folder: Path, db: Database) -> None:
    """Where there is no folder it is made, and every receipt that belongs into it will be, as into an empty one.

    Raises Unavailable.
    """
    with world_errors(f"making the folder {folder}"):
        there = folder.is_dir()
        if there and any(folder.iterdir()):
            return
    with db.write() as tx:  # before the folder is there: after a crash between the two this is done again
        receipts_again(tx)
        set_sealed_receipts_due(tx, due=True)
    if not there:
        with world_errors(f"making the folder {folder}"):
            _make_folder(folder)


def _make_folder(path: Path) -> None:
    """Raises OSError."""
    os.mkdir(path, _FOLDER_MODE)
    os.chmod(path, _FOLDER_MODE)  # whatever the umask
    sync_folder(path.parent)


def _content(path: Path) -> bytes | None:
    """The beginning of a regular file, more than any receipt has; None if there is none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISREG(os.lstat(path).st_mode):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return os.read(descriptor, _MAX_BYTES)
            finally:
                os.close(descriptor)
    return None

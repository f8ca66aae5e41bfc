"""The public log written anew from the database's rows, for a folder that was lost or damaged.

What enters: the database with its archived shards, whose rows are the truth, and the log's signer. What leaves: every
file of `log/` that is missing or not what was published, as it was; nothing new is signed. First everything is checked:
the rows are hashed again, and what the folder shows may be damaged but neither newer than the rows nor another log's.
What has no place in a log is not taken away here: it is evidence. Of a sealed shard that was pruned nothing is written:
its entries are gone, and its hashes lie in the folder alone.

After a crash some files are written and others are not; doing it again writes the others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from transfer.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from transfer.audit.entries import parse_leaf
from transfer.audit.notes import Ed25519Signer, Ed25519Verifier, parse_note, parse_vkey
from transfer.audit.proving import receipt_at
from transfer.audit.publish import FILE_MODE, alone, content_of, ensure_folder
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import ARCHIVE, CHECKPOINT, OPENED, SEALED, VKEY, FolderReader
from transfer.audit.receipts import render_receipt
from transfer.audit.shards import is_switching, label_of
from transfer.audit.signing import check_row_root, check_signed
from transfer.audit.start import check_nothing_newer, compare_sizes
from transfer.audit.tiles import BUNDLE, MAX_LEVEL, tiles_between
from transfer.audit.verify import verify_log
from transfer.errors import Misuse, NotSo, Tampered, Unavailable
from transfer.model.events import EventName
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.store.durable import replace_file, world_errors
from transfer.store.restored import restored_from
from transfer.store.shards import archives

_FOREIGN = "Name this gateway's own log folder in transfer.toml, or put its own key back."
_EDITED = "Find out who changed the database, and restore the last backup: `transfer restore DIR`."
_DOING = "publishing the log anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Republished:
    """`entries` of the running shard are published; `shards` were looked at, this one included; `written` files of
    theirs were missing or otherwise, by their paths below `log/`."""

    entries: int
    shards: int
    written: tuple[str, ...]


def republish(*, db: Database, log_dir: Path, signer: Ed25519Signer) -> Republished:
    """Writes what is missing or damaged, after everything was checked. The caller holds the workspace.

    Raises Tampered if the rows are not what was signed, or the folder is newer or another gateway's, NotSo if nothing
    was signed yet, Misuse for a restored workspace that has not been told to go on, Unavailable if the disk will not
    take it or the log is just switched to its next shard.
    """
    verifier = signer.verifier
    with alone(log_dir), contextlib.ExitStack() as opened:
        _check_not_switching(db, log_dir)
        with db.read() as tx:
            size = _check(tx, log_dir, signer)
            shards = [_Shard(folder=log_dir, path="", tx=tx, verifier=verifier)]
            shards += _sealed_before(db, log_dir, shards[0], opened)
            for shard in reversed(shards[1:]):
                shard.verify()
            for shard in reversed(shards):
                shard.write()
        with db.write() as write:
            journal.set_published(write, size)
    written = tuple(path for shard in reversed(shards) for path in shard.written)
    return Republished(entries=size, shards=len(shards), written=written)


@dataclass(kw_only=True)
class _Shard:
    """One shard's rows and its folder; `path` is what its files' paths begin with in `log/`."""

    folder: Path
    path: str
    tx: ReadTx
    verifier: Ed25519Verifier
    written: list[str] = field(default_factory=list)

    def verify(self) -> None:
        """Whether the rows are what was signed, and the folder holds nothing else. Raises Tampered."""
        _verify_rows(self.tx, self.verifier)
        FolderReader(self.folder).survey(journal.head(self.tx).size)

    def write(self) -> None:
        """What is not there as it was published; the checkpoint last. Raises Tampered, Unavailable."""
        head = journal.head(self.tx)
        for level in range(BUNDLE, MAX_LEVEL + 1):
            for tile in tiles_between(level, 0, head.signed_size):
                self._put(tile.path, content_of(self.tx, tile))
        self._put(VKEY, (self.verifier.vkey + "\n").encode())
        if self.path:
            for name, index in ((OPENED, 0), (SEALED, head.size - 1)):
                receipt = receipt_at(self.tx, index, size=head.size, note=head.signed_note)
                self._put(name, render_receipt(receipt).encode())
        self._put(CHECKPOINT, head.signed_note.encode())
        verify_log(FolderReader(self.folder), [self.verifier], origin=self.verifier.name)

    def _put(self, name: str, content: bytes) -> None:
        target = self.folder / name
        with world_errors(_DOING):
            if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
                return
            ensure_folder(target.parent)
            replace_file(target, content, mode=FILE_MODE)
        self.written.append(self.path + name)


def _check(tx: ReadTx, log_dir: Path, signer: Ed25519Signer) -> int:
    """How many entries are to be published. Raises Tampered, NotSo, Misuse."""
    if restored_from(tx) is not None:
        raise Misuse(
            "This workspace was restored, and nobody has said that it goes on.",
            advice="First `transfer audit adopt`, with --log DIR if its log was published further since the backup.",
            clauses=("G10",),
        )
    stored = check_signed(journal.head(tx), signer, signer.name)
    if stored is None:
        raise NotSo("Nothing has been signed yet, so there is nothing to publish.", advice="Run the gateway once.")
    folder = FolderReader(log_dir)
    shown = _shown(folder, signer.verifier)
    compare_sizes(shown, stored, 0)
    check_nothing_newer(folder, folder.survey(stored.size), stored.size)
    if shown is not None:  # what has been shown is never taken back
        check_row_root(tx, shown.size, shown.root)
    _verify_rows(tx, signer.verifier)
    return stored.size


def _verify_rows(tx: ReadTx, verifier: Ed25519Verifier) -> None:
    try:
        verify_log(DatabaseReader(tx), [verifier], origin=verifier.name)
    except Tampered as error:
        raise Tampered(f"The database is not what was signed. {error.sentence}", advice=_EDITED) from error


def _shown(folder: FolderReader, verifier: Ed25519Verifier) -> Checkpoint | None:
    """The folder's checkpoint; None where there is none or a damaged one. Raises Tampered for another log's."""
    key = origin = None
    with contextlib.suppress(Tampered):
        key = folder.own_key()
    if key is not None and key != verifier:
        raise Tampered(f"{folder.folder.name}/{VKEY} is not this gateway's verifier key.", advice=_FOREIGN)
    note = _note(folder)
    if note is None:
        return None
    with contextlib.suppress(Tampered):
        return open_checkpoint(note, [verifier]).checkpoint
    with contextlib.suppress(Tampered):
        origin = parse_checkpoint(parse_note(note)[0]).origin
    if origin not in {None, verifier.name}:
        raise Tampered(f"{folder.folder.name}/{CHECKPOINT} is of the log {origin}.", advice=_FOREIGN)
    return None


def _note(folder: FolderReader) -> bytes | None:
    with contextlib.suppress(Tampered):
        return folder.checkpoint()
    return None


def _check_not_switching(db: Database, log_dir: Path) -> None:
    with db.read() as tx:
        size = journal.head(tx).size
        newest = journal.leaves(tx, size - 1, size) if size else []
    shown = _note(FolderReader(log_dir))
    if (shown is not None and is_switching(log_dir)) or (
        newest and parse_leaf(newest[0]).event == EventName.SHARD_SEALED.value
    ):
        raise Unavailable(
            "The log is sealed, and its next shard is not published yet.",
            advice="Start the gateway, or `transfer audit rotate`: either finishes this.",
        )


def _sealed_before(db: Database, log_dir: Path, running: _Shard, opened: contextlib.ExitStack) -> Iterator[_Shard]:
    """The sealed shards whose rows are kept, newest first; each is named by the first entry of the one after it."""
    there, after = archives(db.path), running
    while True:
        first = journal.leaves(after.tx, 0, 1)
        facts = parse_leaf(first[0]).body["facts"] if first else {}
        if "previous" not in facts:
            return
        verifier = parse_vkey(facts["previous"]["vkey"])
        label = label_of(verifier.name)
        path = there.get(label)
        if path is None:  # pruned, with those before it
            return
        archive = Database.open(path)
        opened.callback(archive.close)
        tx = opened.enter_context(archive.read())
        after = _Shard(folder=log_dir / ARCHIVE / label, path=f"{ARCHIVE}/{label}/", tx=tx, verifier=verifier)
        yield after

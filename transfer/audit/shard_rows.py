"""The rows of all shards of a log: the main database's, and those of sealed shards in files of their own.

What enters: the main database, the public folder beside which the sealed ones lie, and which shard somebody wants to
look into. What leaves: one transaction after the other, and the key of each shard as the folder has it. Nothing is
trusted here: what is read is verified by whoever shows or proves it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from transfer.audit.entries import decode_leaf
from transfer.audit.notes import Ed25519Verifier
from transfer.audit.reader_folder import ARCHIVE, FolderReader
from transfer.audit.shards import archived, label_of
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.model.events import EventName
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.store.shards import archive_path, archives


class ShardRows:
    """All shards of one log, oldest first. `origin` is the log's name where nothing in it says one yet."""

    def __init__(self, db: Database, log: Path, *, origin: str) -> None:
        self._db = db
        self._log = log
        with db.read() as tx:
            self.running = running_label(tx, origin)
        # Between two steps of a rotation the rows of the running shard lie in its archive already.
        self.sealed = tuple(label for label in archives(db.path) if label != self.running)
        gone = [reader.folder.name for reader in archived(log) if reader.is_pruned()]
        self.pruned = tuple(label for label in gone if label not in self.sealed)

    @property
    def labels(self) -> tuple[str, ...]:
        """The shards that have rows, the running one last."""
        return (*self.sealed, self.running)

    @property
    def several(self) -> bool:
        """Whether the log was ever sealed: then an entry's number alone does not say which entry it is."""
        return bool(self.sealed or self.pruned)

    def chosen(self, label: str) -> tuple[str, ...]:
        """The one that is asked for, or all for an empty label. Raises NotSo if there is none of that name."""
        return chosen(label, self.labels, self.pruned)

    @contextlib.contextmanager
    def read(self, label: str) -> Iterator[ReadTx]:
        """One snapshot of a shard's rows. Raises Misuse, Tampered, Unavailable."""
        if label == self.running:
            with self._db.read() as tx:
                yield tx
            return
        with contextlib.closing(Database.open(archive_path(self._db.path, label))) as db, db.read() as tx:
            yield tx

    def key(self, label: str) -> Ed25519Verifier:
        """The verifier key that the public folder has for a shard. Raises Tampered, Unavailable."""
        folder = self._log if label == self.running else self._log / ARCHIVE / label
        return key_in(FolderReader(folder), label)


def running_label(tx: ReadTx, origin: str) -> str:
    """The label of the running shard; `origin` is taken where neither its first entry nor a signature names one."""
    leaves = journal.leaves(tx, 0, 1)
    first = decode_leaf(leaves[0]) if leaves else {}
    facts = first.get("facts")
    if first.get("event") == EventName.SHARD_OPENED.value and isinstance(facts, dict):
        return label_of(str(facts.get("origin")))
    return label_of(journal.head(tx).signed_note.partition("\n")[0] or origin)


def chosen(label: str, labels: tuple[str, ...], pruned: tuple[str, ...]) -> tuple[str, ...]:
    """The shards to look through: the one of this label, or all. Raises NotSo."""
    if not label:
        return labels
    if label in labels:
        return (label,)
    if label in pruned:
        raise NotSo(
            f"The entries of the shard {label} were pruned; its hashes and its checkpoint are left.",
            advice="A receipt or pack that was made before still verifies; a backup from before has the entries.",
        )
    raise NotSo(f"There is no shard {label[:40]!a}.", advice=f"There are: {', '.join(labels)}.")


def key_in(reader: FolderReader, label: str) -> Ed25519Verifier:
    """The key beside a published shard. Raises Tampered if it is of another one, Unavailable if none lies there."""
    key = reader.own_key() if reader.checkpoint() is not None else None
    if key is None:
        raise Unavailable(
            f"The shard {label} has not been published yet, so there is no key to check against.",
            advice="A running gateway publishes within a second; `transfer run --once` does so too.",
        )
    if label_of(key.name) != label:
        raise Tampered(f"The key beside the shard {label} is that of {key.name}.", advice="`transfer audit verify`.")
    return key

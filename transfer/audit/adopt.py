"""The explicit way out after a rollback: the database takes over the entries that only the public folder still has.

What enters: a folder that verifies under this gateway's own key, and a database whose entries are its beginning. What
leaves: a log that continues the one auditors have seen; nothing is signed twice. The entries come without the openings
of their commitments, and without the states they tell of: whoever adopts must look after the items they name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transfer.audit.checkpoint import Checkpoint
from transfer.audit.entries import Leaf, parse_leaf
from transfer.audit.merkle import Frontier, leaf_hash
from transfer.audit.notes import Ed25519Signer
from transfer.audit.reader_folder import FolderReader
from transfer.audit.signing import check_row_root, check_signed
from transfer.audit.start import published_checkpoint
from transfer.audit.tiles import WIDTH
from transfer.audit.verify import verify_log
from transfer.errors import NotSo, Tampered
from transfer.model.facets import Inheritance
from transfer.store import journal
from transfer.store.database import Database, WriteTx
from transfer.store.journal_tags import campaign_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """The entries `first` to `end` - 1 were taken over; `items` are those they tell of, in order of appearance."""

    first: int
    end: int
    items: tuple[str, ...]


def adopt(*, db: Database, log_dir: Path, signer: Ed25519Signer, origin: str) -> Adopted:
    """Takes over what the folder has and the database has not, in one transaction.

    Raises NotSo if there is nothing to take over, Tampered if the folder does not verify or does not continue the
    database's own entries (unsigned entries of the database that differ from the folder's are such a fork).
    """
    folder = FolderReader(log_dir)
    verify_log(folder, [signer.verifier], origin=origin)
    shown = published_checkpoint(folder, signer, origin)
    with db.write() as tx:
        head = journal.head(tx)
        check_signed(head, signer, origin)
        if shown is None or shown.size <= head.signed_size:
            raise NotSo("There is nothing to adopt: the database has signed everything that the folder shows.")
        frontier = Frontier.from_bytes(head.size, head.peaks)
        if not _is_beginning(folder, frontier, shown):
            raise Tampered(
                f"The {head.size} entries of the database are not the beginning of what the log's folder shows.",
                advice="Restore an older backup, whose entries are, and adopt then.",
            )
        items: dict[str, None] = {}
        for leaf in _append_rest(tx, folder, frontier, shown.size):
            if leaf.item is not None:
                items.setdefault(leaf.item)
        check_row_root(tx, shown.size, shown.root)
        note = (folder.checkpoint() or b"").decode()
        if not journal.store_signed(tx, was=head.signed_size, size=shown.size, note=note):
            raise Tampered("Another checkpoint was signed meanwhile.")
        journal.set_published(tx, shown.size)
    return Adopted(first=head.size, end=shown.size, items=tuple(items))


def _is_beginning(folder: FolderReader, frontier: Frontier, shown: Checkpoint) -> bool:
    """Whether the folder's first entries have the database's root; the folder was verified before."""
    if frontier.size > shown.size:
        return False
    again = Frontier()
    for index in range(-(-frontier.size // WIDTH)):
        for entry in folder.entries(index, min(WIDTH, frontier.size - index * WIDTH)):
            again.append(leaf_hash(entry))
    return again.root() == frontier.root()


def _append_rest(tx: WriteTx, folder: FolderReader, frontier: Frontier, end: int) -> Iterator[Leaf]:
    first = frontier.size
    inheritance = Inheritance(lambda previous: campaign_of(tx.connection, previous))
    for index in range(first // WIDTH, -(-end // WIDTH)):
        entries = folder.entries(index, min(WIDTH, end - index * WIDTH))
        for number, entry in enumerate(entries, index * WIDTH):
            if number < first:
                continue
            leaf, hashed = parse_leaf(entry), leaf_hash(entry)
            completed = frontier.append(hashed)
            journal.append(
                tx,
                journal.NewEntry(
                    index=number,
                    leaf=entry,
                    leaf_hash=hashed,
                    nodes=[(height // 8, number >> height, root) for height, root in completed if height % 8 == 0],
                    peaks=frontier.to_bytes(),
                    facets=inheritance.facets(leaf.body),
                    disclosures=(),
                ),
            )
            yield leaf

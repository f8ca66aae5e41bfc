"""Receipts out of the database: the proof that an entry is in the log, as it was signed.

What enters: the database's rows. What leaves: receipts, which anybody checks with the log's verifier key alone.
"""

from __future__ import annotations

from transfer.audit.proofs import inclusion_path
from transfer.audit.receipts import Receipt
from transfer.audit.tiles import range_hash
from transfer.errors import NotSo, Tampered
from transfer.model.events import EventName
from transfer.store import journal
from transfer.store.database import ReadTx

_VERIFY = "Run `transfer audit verify`."

# How an item ended, what says most of it first.
ENDS = (EventName.FILE_RELEASED, EventName.FILE_REFUSED, EventName.FILE_WITHDRAWN)


def prove(tx: ReadTx, index: int) -> Receipt:
    """The proof that entry `index` is in the log as it was signed last. Raises NotSo if it is not signed yet."""
    head = journal.head(tx)
    if index >= head.signed_size:
        raise NotSo(
            f"Entry {index} is not signed yet: {head.signed_size} entries are.",
            advice="A running gateway signs within a second; `transfer run --once` does so too.",
        )
    return receipt_at(tx, index, size=head.signed_size, note=head.signed_note)


def receipt_at(
    tx: ReadTx, index: int, *, size: int, note: str, known: dict[tuple[int, int], bytes] | None = None
) -> Receipt:
    """The proof that entry `index` is in the log of `size` entries, of which `note` is the checkpoint.

    The same bytes whenever it is made. `known` are hashes of ranges that proofs of the same transaction have in common;
    what this one needed is added to them. Raises Tampered if the database lacks the entry or a hash.
    """
    leaves = journal.leaves(tx, index, index + 1)
    if not leaves:
        raise Tampered(f"The database lacks entry {index}.", advice=_VERIFY)

    def recorded(level: int, first: int, count: int) -> list[bytes]:
        found = journal.hashes(tx, level, first, count)
        if len(found) != count:
            raise Tampered("Some recorded hashes are missing.", advice=_VERIFY)
        return found

    def hash_of(start: int, end: int) -> bytes:
        if (start, end) not in shared:
            shared[start, end] = range_hash(start, end, recorded)
        return shared[start, end]

    shared = {} if known is None else known
    path = inclusion_path(index, size, hash_of)
    return Receipt(entry=leaves[0], index=index, path=tuple(path), note=note)


def newest_of(tx: ReadTx, *, item: str | None = None, sha256: str | None = None, event: str = "") -> int | None:
    """The newest signed entry of an item or a file, of one kind or of any; None if there is none."""
    size = journal.head(tx).signed_size
    rows = journal.find(tx, item=item, sha256=sha256, events=(event,) if event else (), before=size, limit=1)
    return rows[0].index if rows else None

"""Up to which entry receipts lie in `receipts/`; kept beside what they are made of, and behind it after a crash."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.errors import Tampered
from transfer.store.database import ReadTx, WriteTx
from transfer.store.journal_tables import AUDIT_CHECKPOINT
from transfer.store.schema import META

_KEY = "receipts"
_SEALED_KEY = "receipts.sealed"


def receipts_until(tx: ReadTx) -> int:
    """Every entry before this index that should have a receipt has one. Raises Tampered if it is no number."""
    found = tx.connection.execute(select(META.c.value).where(META.c.key == _KEY)).scalar_one_or_none()
    if found is not None and not (found.isascii() and found.isdecimal()):
        raise Tampered("The database's mark of how far receipts are written cannot be read.")
    return int(found or 0)


def set_receipts_until(tx: WriteTx, index: int) -> None:
    """Receipts are durable for every entry before `index`."""
    row = upsert(META).values(key=_KEY, value=str(index))
    tx.connection.execute(row.on_conflict_do_update(index_elements=[META.c.key], set_={"value": str(index)}))


def receipts_again(tx: WriteTx) -> None:
    """All of the running shard are to be made anew, as into a folder that has none."""
    tx.connection.execute(delete(META).where(META.c.key == _KEY))


def sealed_receipts_due(tx: ReadTx) -> bool:
    """Whether those of sealed shards, which were complete when each was sealed, are to be made anew."""
    found = tx.connection.execute(select(META.c.value).where(META.c.key == _SEALED_KEY))
    return found.scalar_one_or_none() is not None


def set_sealed_receipts_due(tx: WriteTx, *, due: bool) -> None:
    """They are to be made anew; or they are durable, all of them."""
    tx.connection.execute(delete(META).where(META.c.key == _SEALED_KEY))
    if due:
        tx.connection.execute(upsert(META).values(key=_SEALED_KEY, value="again"))


def first_checkpoint_over(tx: ReadTx, index: int) -> tuple[int, str] | None:
    """The smallest signed checkpoint that covers entry `index`, as its size and note; None if it is not signed."""
    columns = AUDIT_CHECKPOINT.c
    query = select(columns.size, columns.note).where(columns.size > index).order_by(columns.size).limit(1)
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else (int(row.size), str(row.note))

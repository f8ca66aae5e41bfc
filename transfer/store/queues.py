"""What waits to be worked on, found along small indexes: originals to retire, held items whose wait may be over."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Index, select

from transfer.model.findings import WaitingFor
from transfer.model.identifiers import ItemId
from transfer.model.states import State
from transfer.store.database import ReadTx
from transfer.store.items import ITEM

# Partial: they hold only what still waits, however many items there ever were.
Index("item_to_retire", ITEM.c.seq, sqlite_where=(ITEM.c.state == "released") & (ITEM.c.retired == 0))
Index("item_waiting", ITEM.c.waiting_for, ITEM.c.seq, sqlite_where=ITEM.c.waiting_for.is_not(None))


def to_retire(tx: ReadTx, *, limit: int) -> list[ItemId]:
    """Released items whose staged original has not been dealt with, oldest first."""
    query = select(ITEM.c.item).where(ITEM.c.state == "released", ITEM.c.retired == 0).order_by(ITEM.c.seq)
    return [ItemId(found) for found in tx.connection.scalars(query.limit(limit))]


def held_waiting(tx: ReadTx, waits: Iterable[WaitingFor], *, limit: int) -> list[ItemId]:
    """Held items that wait for any of these, oldest first for each."""
    found: list[ItemId] = []
    for wait in waits:
        query = select(ITEM.c.item).where(ITEM.c.waiting_for == wait.value, ITEM.c.state == State.HELD.value)
        found += [ItemId(item) for item in tx.connection.scalars(query.order_by(ITEM.c.seq).limit(limit))]
    return found

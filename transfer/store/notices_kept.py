"""Which notes for staff are about items that have ended, and since when they hang: for letting them go.

What enters: items whose end staff were told of. What leaves: those whose notes are old enough, oldest first. A row goes
when its note does, so what is asked here costs nothing for all that ended long ago; an ended item without a row has no
note any more, and gets none again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import render_time
from transfer.model.identifiers import ItemId
from transfer.store.database import ReadTx, WriteTx
from transfer.store.items import ITEM
from transfer.store.notice_table import HAS_ENDED, NOTICE_KEPT


def told_of_end(tx: WriteTx, item: ItemId, change: int, at: datetime) -> None:
    """Staff were told at this moment that it ended, by this change; telling the same again does not count anew."""
    row = upsert(NOTICE_KEPT).values(item=item, change=change, since=render_time(at), going=0)
    fresh = {"change": row.excluded.change, "since": row.excluded.since, "going": 0}
    tx.connection.execute(
        row.on_conflict_do_update(
            index_elements=[NOTICE_KEPT.c.item], set_=fresh, where=NOTICE_KEPT.c.change < row.excluded.change
        )
    )


def due_to_go(tx: ReadTx, before: datetime, *, limit: int) -> list[ItemId]:
    """Ended items whose notes hang since before this moment, longest first."""
    query = select(NOTICE_KEPT.c.item).join(ITEM, ITEM.c.item == NOTICE_KEPT.c.item)
    query = query.where(NOTICE_KEPT.c.going == 0, NOTICE_KEPT.c.since < render_time(before), HAS_ENDED)
    return [ItemId(item) for item in tx.connection.scalars(query.order_by(NOTICE_KEPT.c.since).limit(limit))]


def going(tx: ReadTx, *, limit: int) -> list[ItemId]:
    """Items whose notes were let go by an entry, and may hang there still."""
    query = select(NOTICE_KEPT.c.item).where(NOTICE_KEPT.c.going == 1)
    return [ItemId(item) for item in tx.connection.scalars(query.limit(limit))]


def let_go(tx: WriteTx, items: Iterable[ItemId]) -> None:
    """They have an entry now."""
    tx.connection.execute(update(NOTICE_KEPT).where(NOTICE_KEPT.c.item.in_(list(items))).values(going=1))


def gone(tx: WriteTx, items: Iterable[ItemId]) -> None:
    """They are taken down."""
    rows = delete(NOTICE_KEPT).where(NOTICE_KEPT.c.item.in_(list(items)), NOTICE_KEPT.c.going == 1)
    tx.connection.execute(rows)


def all_again(tx: WriteTx) -> None:
    """All feedback is due again, as into a folder that has none; but what was let go for its age stays away."""
    hangs = select(NOTICE_KEPT.c.item).where(NOTICE_KEPT.c.going == 0)
    tx.connection.execute(update(ITEM).where(~HAS_ENDED | ITEM.c.item.in_(hangs)).values(told=0))

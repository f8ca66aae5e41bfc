"""The table of notes that hang about items that have ended; `store.notices_kept` reads and writes it."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, func, insert, literal, select

from transfer.model.states import State
from transfer.store.items import ITEM
from transfer.store.schema import METADATA

ENDED = (State.RELEASED, State.REFUSED, State.WITHDRAWN, State.EXPIRED)
HAS_ENDED = ITEM.c.state.in_([state.value for state in ENDED])

NOTICE_KEPT = Table(
    "notice_kept",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("change", Integer, nullable=False),  # of the item, that the note tells of
    Column("since", Text, nullable=False),
    Column("going", Integer, nullable=False),  # 1: its entry is in the log, and the note may hang there still
    sqlite_strict=True,
)
Index("notice_kept_by_age", NOTICE_KEPT.c.going, NOTICE_KEPT.c.since)


def create_notice_table(connection: Connection) -> None:
    """In a database that had none: the notes that hang there count from their items' last decision."""
    NOTICE_KEPT.create(connection)
    since = func.coalesce(ITEM.c.decided_at, ITEM.c.arrived_at)
    rows = select(ITEM.c.item, ITEM.c.told, since, literal(0)).where(HAS_ENDED, ITEM.c.told > 0)
    connection.execute(insert(NOTICE_KEPT).from_select(["item", "change", "since", "going"], rows))

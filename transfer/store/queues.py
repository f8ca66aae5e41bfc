"""What waits to be worked on, found along small indexes: originals to retire, held items whose wait may be over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import render_time
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import CampaignId, ItemId, Sha256
from transfer.model.states import State
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory_tables import DECISION
from transfer.store.items import ITEM, RAW_KEPT
from transfer.store.records import verdict_by


def to_retire(tx: ReadTx, *, limit: int) -> list[ItemId]:
    """Released items whose staged original has not been dealt with, oldest first."""
    query = select(ITEM.c.item).where(ITEM.c.state == "released", ITEM.c.retired == 0).order_by(ITEM.c.seq)
    return [ItemId(found) for found in tx.connection.scalars(query.limit(limit))]


def reviewed_waiting(tx: ReadTx) -> dict[ItemId, int]:
    """What waits for a person to look at it, and that a person has looked at: how many reviews there are of each."""
    query = select(DECISION.c.item, func.count()).join(ITEM, ITEM.c.item == DECISION.c.item)
    query = query.where(ITEM.c.waiting_for == WaitingFor.REVIEW.value, DECISION.c.kind == "review")
    return {ItemId(item): count for item, count in tx.connection.execute(query.group_by(DECISION.c.item))}


def held_waiting(tx: ReadTx, waits: Iterable[WaitingFor], *, limit: int) -> list[ItemId]:
    """Held items that wait for any of these, oldest first for each."""
    found: list[ItemId] = []
    for wait in waits:
        query = select(ITEM.c.item).where(ITEM.c.waiting_for == wait.value, ITEM.c.state == State.HELD.value)
        found += [ItemId(item) for item in tx.connection.scalars(query.order_by(ITEM.c.seq).limit(limit))]
    return found


def judged_otherwise(tx: ReadTx, policy: Sha256, *, limit: int) -> list[ItemId]:
    """Held items whose verdict is by another policy than this one, oldest first. As long as what is held."""
    query = select(ITEM.c.item).where(ITEM.c.state == State.HELD.value, ~ITEM.c.record.contains(verdict_by(policy)))
    return [ItemId(item) for item in tx.connection.scalars(query.order_by(ITEM.c.seq).limit(limit))]


def campaigns_waited_for(tx: ReadTx) -> list[CampaignId | None]:
    """The campaigns whose standing held items wait for; None for files that lie in none."""
    query = select(ITEM.c.campaign).where(ITEM.c.waiting_for == WaitingFor.CAMPAIGN.value).distinct()
    return [None if found is None else CampaignId(found) for found in tx.connection.scalars(query)]


def raw_kept(tx: WriteTx, item: ItemId, since: datetime) -> None:
    """The item is released; its original's blob is kept from now on by the policy's days."""
    tx.connection.execute(upsert(RAW_KEPT).values(item=item, since=render_time(since)).on_conflict_do_nothing())


def raw_due(tx: ReadTx, before: datetime, *, limit: int) -> list[ItemId]:
    """Released items whose original's blob has been kept since before this moment, longest first."""
    query = select(RAW_KEPT.c.item).where(RAW_KEPT.c.since < render_time(before)).order_by(RAW_KEPT.c.since)
    return [ItemId(item) for item in tx.connection.scalars(query.limit(limit))]


def raw_gone(tx: WriteTx, item: ItemId) -> None:
    """The original's blob is let go."""
    tx.connection.execute(delete(RAW_KEPT).where(RAW_KEPT.c.item == item))


def expired_lately(tx: ReadTx, after: datetime, *, limit: int) -> list[ItemId]:
    """Items that expired after this moment."""
    query = select(ITEM.c.item).where(ITEM.c.state == State.EXPIRED.value, ITEM.c.decided_at > render_time(after))
    return [ItemId(item) for item in tx.connection.scalars(query.order_by(ITEM.c.decided_at.desc()).limit(limit))]

"""What a new shard of the log carries over from the one before it, so that it can be judged by itself.

    statement.carried   every statement about who may decide, in their order: each names the one before it
    file.carried        every item that is not at its end, as the log left it
    statement.carried   the approvals of those items

What enters: the old shard's leaves, and which items are open. What leaves: events for the new one. All but an item's
state is taken from the log, not from the tables, so what is carried is what `trail` finds when it reads both shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from transfer.approvals.authority import Root
from transfer.approvals.signing import Signed
from transfer.approvals.trail import Trail
from transfer.approvals.trail_items import TrailItem
from transfer.model.clock import render_time
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import ItemId, Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenItem:
    """An item that is not at its end: its state in a word, and its newest file."""

    item: ItemId
    state: str
    file: FileFact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The events in their order; `statements` of them, the first ones, are about who may decide.

    `digests` has the statement of each event that carries one.
    """

    events: Sequence[Event]
    statements: int
    digests: Sequence[Sha256 | None]


def carry(leaves: Iterable[tuple[int, Mapping[str, Any]]], items: Iterable[OpenItem], *, root: Root) -> Carried:
    """Reads the whole old shard. What is wrong in it is for verifying to say, not for us."""
    trail = Trail(root=root, four_eyes=False)
    for index, leaf in leaves:
        trail.feed(index, leaf)
    known = [(one, there) for one in items if (there := trail.item(one.item)) is not None]
    events = [_statement(signed) for signed in trail.governing]
    events += [_item(one, there) for one, there in known]
    approvals = list(_approvals(there for _, there in known))
    digests: list[Sha256 | None] = [signed.sha256 for signed in trail.governing]
    digests += [None for _ in known] + [signed.sha256 for signed, _ in approvals]
    events += [_statement(signed, until=until) for signed, until in approvals]
    return Carried(events=events, statements=len(trail.governing), digests=digests)


def _approvals(items: Iterable[TrailItem]) -> Iterator[tuple[Signed, datetime]]:
    """Each once, however many items it is about; oldest first for each item."""
    seen: set[Sha256] = set()
    for item in items:
        for signed, until in item.approvals:
            if signed.sha256 not in seen:
                seen.add(signed.sha256)
                yield signed, until


def _statement(signed: Signed, *, until: datetime | None = None) -> Event:
    facts: dict[str, Json] = {
        "kind": signed.statement.kind,
        "statement": signed.note,
        "statement_sha256": signed.sha256,
    }
    if until is not None:
        facts["valid_until"] = render_time(until)
    return Event(name=EventName.STATEMENT_CARRIED, by=signed.statement.by, facts=facts)


def _item(one: OpenItem, there: TrailItem) -> Event:
    facts: dict[str, Json] = {"state": one.state, **there.told()}
    return Event(name=EventName.FILE_CARRIED, item=one.item, by=there.submitter, file=one.file, facts=facts)

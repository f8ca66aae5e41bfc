"""The table of items: one row for each thing that ever stood in a staging folder, and what its columns are made of.

The whole record of an item is JSON in `record`; every other column repeats a part of it so that it can be searched,
or tells what a record does not: the order of arrival (`seq`), the order of changes (`changed`), the change that staff
were last told of (`told`). No query here grows with the number of items ever handled: each has its index.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from transfer.model.clock import render_time
from transfer.model.findings import Code
from transfer.model.states import Arrival, Arrived, Examined, Held, Rebuilt, Refused, Spooled, State
from transfer.store.records import Record, kind_of, render_arrival, render_reasons, render_record
from transfer.store.schema import METADATA

ITEM = Table(
    "item",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("item", Text, nullable=False, unique=True),
    Column("identity", LargeBinary, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),  # which type `record` is of
    Column("record", Text, nullable=False),
    Column("arrival", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("campaign", Text),
    Column("post", Text),
    Column("submitter", Text, nullable=False),
    Column("waiting_for", Text),
    Column("media_type", Text),
    Column("size", Integer, nullable=False),
    Column("sha256", Text),
    Column("rebuilt_sha256", Text),
    Column("rebuilt_size", Integer),
    Column("released_as", Text),
    Column("reasons", Text, nullable=False),
    Column("arrived_at", Text, nullable=False),
    Column("decided_at", Text),
    Column("retired", Integer, nullable=False),  # 1: the staged original was removed
    Column("produced", Integer, nullable=False),  # 1: it was held at least once, so its rebuilt bytes count as ours
    Column("came_back", Integer, nullable=False),  # 1: its bytes were ours already, and not staged by staff before that
    Column("changed", Integer, nullable=False, unique=True),
    Column("told", Integer, nullable=False),
    sqlite_strict=True,
)

Index("item_by_state", ITEM.c.state, ITEM.c.seq)
Index("item_by_decision", ITEM.c.state, ITEM.c.decided_at)
Index("item_by_arrival_time", ITEM.c.arrived_at)
Index("item_by_post", ITEM.c.campaign, ITEM.c.post, sqlite_where=ITEM.c.post.is_not(None))
Index("item_by_raw", ITEM.c.sha256)
Index("item_by_rebuilt", ITEM.c.rebuilt_sha256)
Index("item_to_tell", ITEM.c.changed, sqlite_where=ITEM.c.told < ITEM.c.changed)
# Partial: they hold only what still waits, however many items there ever were.
Index("item_to_retire", ITEM.c.seq, sqlite_where=(ITEM.c.state == "released") & (ITEM.c.retired == 0))
Index("item_waiting", ITEM.c.waiting_for, ITEM.c.seq, sqlite_where=ITEM.c.waiting_for.is_not(None))

# Originals in the spool whose clean copy was released; a row goes when the original does.
RAW_KEPT = Table(
    "raw_kept",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("since", Text, nullable=False, index=True),
    sqlite_strict=True,
)

Values = dict[str, Any]

_DECIDED = frozenset({State.HELD, State.REFUSED, State.APPROVED, State.WITHDRAWN, State.EXPIRED})
_WAS_HELD = frozenset({State.HELD, State.APPROVED, State.RELEASED, State.WITHDRAWN, State.EXPIRED})


def identity_digest(arrival: Arrival) -> bytes:
    """32 bytes, equal exactly when two arrivals are the same one; inode numbers may exceed SQLite's integers."""
    return hashlib.sha256(repr(arrival.identity).encode()).digest()


def arrived_of(record: Record) -> Arrived:
    """The first state that every record holds at its heart."""
    match record:
        case Spooled() | Refused():
            return record.arrived
        case Examined():
            return record.spooled.arrived
        case Rebuilt():
            return record.examined.spooled.arrived
        case Held():
            return record.rebuilt.examined.spooled.arrived


def spooled_of(record: Record) -> Spooled | None:
    """The spooled file that a record goes back to; None for what was turned away at the door."""
    match record:
        case Spooled():
            return record
        case Examined():
            return record.spooled
        case Rebuilt():
            return record.examined.spooled
        case Held():
            return record.rebuilt.examined.spooled
        case Refused():
            return None


def first_values(record: Spooled | Refused, *, now: datetime, changed: int) -> Values:
    """All columns of a new item's row but `seq`."""
    arrived = record.arrived
    return {
        "item": arrived.item,
        "identity": identity_digest(arrived.arrival),
        "arrival": render_arrival(arrived.arrival),
        "name": arrived.name.text,
        "campaign": arrived.campaign,
        "post": arrived.post.text if arrived.post else None,
        "submitter": arrived.submitter,
        "arrived_at": render_time(arrived.at),
        "waiting_for": None,
        "reasons": render_reasons(()),
        "retired": 0,
        "produced": 0,
        "came_back": 0,
        "told": 0,
        "media_type": None,
        "sha256": None,
        "rebuilt_sha256": None,
        "rebuilt_size": None,
        "released_as": None,
        "decided_at": None,
        **record_values(record),
        **state_values(kind_of(record), now=now, changed=changed),
    }


def record_values(record: Record) -> Values:
    """The columns that a new record replaces. What it does not tell keeps its value: a refused item still shows what
    had been rebuilt from it."""
    values: Values = {"kind": kind_of(record), "record": render_record(record)}
    match record:
        case Spooled():
            values |= {"sha256": record.raw.sha256, "size": record.raw.size}
        case Examined():
            values |= {"media_type": record.media.format}
        case Rebuilt():
            values |= {"rebuilt_sha256": record.clean.sha256, "rebuilt_size": record.clean.size}
            values |= {"media_type": record.examined.media.format}  # a picture comes here in one step from the spool
        case Held():
            values |= {
                "media_type": record.rebuilt.examined.media.format,
                "rebuilt_sha256": record.rebuilt.clean.sha256,
                "rebuilt_size": record.rebuilt.clean.size,
                "reasons": render_reasons(record.verdict.reasons),
                "waiting_for": record.verdict.waiting_for,
                "produced": 1,
            }
        case Refused():
            values |= {"sha256": record.sha256, "size": record.size, "reasons": render_reasons(record.reasons)}
            values |= {"waiting_for": None}
            if record.media is not None:
                values |= {"media_type": record.media.format}
            if record.reached in _WAS_HELD:
                values |= {"produced": 1}
            if any(finding.code is Code.RETURNING for finding in record.findings):
                values |= {"came_back": 1}
    return values


def state_values(state: State, *, now: datetime, changed: int) -> Values:
    """The columns of a new state. `decided_at` is when the policy, a person or the retention last decided."""
    values: Values = {"state": state, "changed": changed}
    if state in _DECIDED:
        values["decided_at"] = render_time(now)
    return values

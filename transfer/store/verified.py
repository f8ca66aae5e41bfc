"""When the running gateway last verified its whole log, and how many entries that were: a note for people, no proof."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import parse_time, render_time
from transfer.store.database import ReadTx, WriteTx
from transfer.store.schema import META

_KEY = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A verification that found everything in order."""

    at: datetime
    entries: int


def verified_last(tx: ReadTx) -> Verified | None:
    """The last one; None if there was none, or the note cannot be read."""
    found = tx.connection.execute(select(META.c.value).where(META.c.key == _KEY)).scalar_one_or_none()
    try:
        told = json.loads(found or "")
        return Verified(at=parse_time(told["at"]), entries=int(told["entries"]))
    except (ValueError, TypeError, KeyError):
        return None


def set_verified(tx: WriteTx, verified: Verified) -> None:
    """Notes it, in place of the one before."""
    value = json.dumps({"at": render_time(verified.at), "entries": verified.entries})
    row = upsert(META).values(key=_KEY, value=value)
    tx.connection.execute(row.on_conflict_do_update(index_elements=[META.c.key], set_={"value": value}))

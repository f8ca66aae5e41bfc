"""The last verdict in the log on who may reach a release folder in OneDrive, so that only what is new is an entry."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.store.database import ReadTx, WriteTx
from transfer.store.schema import META

_KEY = "release_access"


def kept_verdict(tx: ReadTx) -> str | None:
    """The facts of the entry, as canonical JSON; None before the first."""
    found: str | None = tx.connection.scalar(select(META.c.value).where(META.c.key == _KEY))
    return found


def keep_verdict(tx: WriteTx, text: str) -> None:
    """In place of the last one; its entry is written in the same transaction."""
    row = upsert(META).values(key=_KEY, value=text)
    tx.connection.execute(row.on_conflict_do_update(index_elements=[META.c.key], set_={"value": text}))

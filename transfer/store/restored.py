"""Whether this database is a restored one that nobody has said may go on.

What was restored from a backup knows less than the log may have shown since. Until somebody says how it goes on
(`transfer audit adopt`), a mark stands here and nothing is appended to the log: an entry more would contradict what
auditors hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.errors import Tampered
from transfer.model.clock import parse_time, render_time
from transfer.store.database import ReadTx, WriteTx
from transfer.store.schema import META

_KEY = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`entries` is the log's size in this database when the mark was set; `made_at` is the backup's time.

    `made_at` is None where the database did not come from a backup of ours, but was behind its own published log.
    """

    entries: int
    made_at: datetime | None


def restored_from(tx: ReadTx) -> Restored | None:
    """The mark, if it stands. Raises Tampered if it is not one of ours."""
    found = tx.connection.execute(select(META.c.value).where(META.c.key == _KEY)).scalar_one_or_none()
    if found is None:
        return None
    try:
        told = json.loads(found)
        made_at = told["made_at"]
        return Restored(entries=int(told["entries"]), made_at=None if made_at is None else parse_time(made_at))
    except (ValueError, TypeError, KeyError) as error:
        raise Tampered(
            "The database's mark of having been restored cannot be read.", advice="Restore the backup again."
        ) from error


def mark_restored(tx: WriteTx, restored: Restored) -> None:
    """Sets the mark, over one that stood there."""
    value = json.dumps(
        {"entries": restored.entries, "made_at": None if restored.made_at is None else render_time(restored.made_at)}
    )
    row = upsert(META).values(key=_KEY, value=value)
    tx.connection.execute(row.on_conflict_do_update(index_elements=[META.c.key], set_={"value": value}))


def clear_restored(tx: WriteTx) -> None:
    """It goes on."""
    tx.connection.execute(delete(META).where(META.c.key == _KEY))

"""Legal holds: while one stands, nothing is pruned, erased or let go. What the log says, and nothing else.

What enters: a transaction. What leaves: the holds that stand. They are read from the entries each time: a row that
somebody removes cannot end a hold. What stands when a shard is opened is carried in its first entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transfer.audit.entries import Leaf, parse_disclosure, parse_leaf
from transfer.errors import NotSo
from transfer.model.events import EventName
from transfer.store import journal
from transfer.store.database import ReadTx

_EVENTS = (EventName.HOLD_SET.value, EventName.HOLD_RELEASED.value)
_MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One that stands: its name, since when, by whom, and why if that can be read here."""

    hold: str
    at: str
    by: str | None
    reason: str | None

    def told(self) -> dict[str, str]:
        """As `shard.opened` carries it."""
        return {"hold": self.hold, "at": self.at, **({} if self.by is None else {"by": self.by})}


def holds(tx: ReadTx) -> list[Hold]:
    """All that stand, oldest first. Raises Tampered if an entry cannot be read."""
    standing: dict[str, Hold] = {}
    for carried in _carried(tx):
        standing[carried["hold"]] = Hold(hold=carried["hold"], at=carried["at"], by=carried.get("by"), reason=None)
    for row in reversed(journal.find(tx, events=_EVENTS, limit=_MOST)):
        leaf = parse_leaf(journal.leaves(tx, row.index, row.index + 1)[0])
        name = str(leaf.body["facts"]["hold"])
        if leaf.event == EventName.HOLD_SET.value:
            standing[name] = Hold(hold=name, at=leaf.at, by=leaf.by, reason=_reason(tx, leaf))
        else:
            standing.pop(name, None)
    return list(standing.values())


def require_no_hold(tx: ReadTx, *, what: str) -> None:
    """Raises NotSo while a hold stands; `what` is not to happen then."""
    standing = holds(tx)
    if standing:
        raise NotSo(
            f"{what} while a legal hold stands: {', '.join(hold.hold for hold in standing)}.",
            advice="`transfer audit hold list` shows it; whoever set it decides when it is released.",
        )


def _carried(tx: ReadTx) -> list[dict[str, Any]]:
    first = journal.leaves(tx, 0, 1)
    leaf = parse_leaf(first[0]) if first else None
    if leaf is None or leaf.event != EventName.SHARD_OPENED.value:
        return []
    return list(leaf.body["facts"].get("holds", []))


def _reason(tx: ReadTx, leaf: Leaf) -> str | None:
    opened = [parse_disclosure(text) for text in journal.disclosures(tx, leaf.index)]
    return next((one.value for one in opened if one.name == "reason" and one.digest in leaf.commitments), None)

"""What the log says was decided, to hold the tables against it.

A statement that somebody deleted from its table (a disabling, a closing, a pause) is still an entry of the log, where
deleting it breaks the tree. Since each statement names the one before it, comparing the last ones compares all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transfer.approvals.signing import read_unverified
from transfer.approvals.statement import LINE, PEOPLE, series_of
from transfer.audit.entries import decode_leaf
from transfer.errors import Misuse, Tampered
from transfer.model.events import EventName
from transfer.model.identifiers import ItemId
from transfer.store import journal
from transfer.store.database import ReadTx

_PAGE = 100

_PEOPLE = (EventName.PERSON_ENROLLED.value, EventName.PERSON_DISABLED.value)
_LINE = (EventName.GATEWAY_PAUSED.value, EventName.GATEWAY_RESUMED.value)
_APPROVED = (EventName.FILE_APPROVED.value, EventName.FILE_CARRIED.value)
_CAMPAIGNS = (EventName.CAMPAIGN_APPROVED.value, EventName.CAMPAIGN_CLOSED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A governing statement as the log has it."""

    entry: int
    note: str


def last_recorded(tx: ReadTx, series: str) -> Recorded | None:
    """The newest entry with a statement of this series, or None. Raises Tampered if an entry cannot be read."""
    events = (*{PEOPLE: _PEOPLE, LINE: _LINE}.get(series, _CAMPAIGNS), EventName.STATEMENT_CARRIED.value)
    before: int | None = None
    while True:
        rows = journal.find(tx, events=events, before=before, limit=_PAGE)
        for row in rows:
            note = _note(tx, row.index)
            if note is not None and _series(note) == series:
                return Recorded(entry=row.index, note=note)
        if len(rows) < _PAGE:
            return None
        before = rows[-1].index


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which demands of the policy an item was marked approved."""

    quorum: int
    four_eyes: bool


def recorded_terms(tx: ReadTx, item: ItemId) -> Terms:
    """The demands that the item's newest `file.approved` names, or what carried them here. Raises Tampered if none."""
    rows = journal.find(tx, item=item, events=_APPROVED, limit=1)
    facts = _facts(tx, rows[0].index) if rows else {}
    quorum, four_eyes = facts.get("quorum"), facts.get("four_eyes")
    if not isinstance(quorum, int) or quorum < 1 or not isinstance(four_eyes, bool):
        raise Tampered(f"The log does not say that item {item} was ever approved.", advice="`transfer audit verify`.")
    return Terms(quorum=quorum, four_eyes=four_eyes)


def _note(tx: ReadTx, index: int) -> str | None:
    note = _facts(tx, index).get("statement")
    return note if isinstance(note, str) else None  # people who sign nothing are enrolled without one


def _facts(tx: ReadTx, index: int) -> dict[str, Any]:
    leaves = journal.leaves(tx, index, index + 1)
    if not leaves:
        raise Tampered(f"Entry {index} of the log is missing.", advice="`transfer audit verify`.")
    facts = decode_leaf(leaves[0]).get("facts")
    return facts if isinstance(facts, dict) else {}


def _series(note: str) -> str | None:
    try:
        return series_of(read_unverified(note))
    except Misuse as error:
        raise Tampered("A statement in the log is malformed.", advice="`transfer audit verify`.") from error

"""Retention: what the policy no longer keeps is let go, each with an entry in the log before it goes.

    held, nobody approved it in time      the item expires; its blobs go
    refused, withdrawn, long ago          the item expires; its blobs go
    released, long ago                    the original's blob goes; the clean one stays as long as it may be restored

Two things are let go by those who alone may touch them: notes for staff by `notices`, and what the guard moved aside
by the guard itself (`return_guard.evidence`).

What enters: the policy's days and the clock. A crash between an entry and the removal leaves a blob behind; the next
rounds of a day look at what expired lately once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from transfer.audit.holds import holds
from transfer.errors import NotSo
from transfer.model.clock import Clock
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.states import State
from transfer.policy.rules import Policy
from transfer.store.blobs import Blobs
from transfer.store.database import Database, Recorder
from transfer.store.queues import expired_lately, raw_due, raw_gone
from transfer.store.register import ItemRow, Register

_BATCH = 200
_GONE = frozenset({State.EXPIRED})
_AGAIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Housekeeping:
    """One round lets go of whatever is due, in batches."""

    db: Database
    register: Register
    recorder: Recorder
    blobs: Blobs
    policy: Policy
    clock: Clock

    def round(self) -> bool:
        """Whether there may be more at once. Raises Unavailable."""
        with self.db.read() as tx:
            if holds(tx):  # whatever a court may want to see
                return False
        keep = self.policy.retention
        more = self._expire(State.HELD, keep.unapproved_days)
        more = self._expire(State.REFUSED, keep.refused_days) or more
        more = self._expire(State.WITHDRAWN, keep.clean_days) or more
        more = self._let_raw_go(keep.raw_days) or more
        self._sweep()
        return more

    def _expire(self, state: State, days: int) -> bool:
        before = self.clock.now() - timedelta(days=days)
        with self.db.read() as tx:
            due = self.register.decided_before(tx, state, before, limit=_BATCH)
        for item in due:
            self._expire_one(item, state, days)
        return len(due) == _BATCH

    def _expire_one(self, item: ItemId, state: State, days: int) -> None:
        with self.db.write() as tx:
            row = self.register.row(tx, item)
            event = Event(
                name=EventName.FILE_EXPIRED,
                item=item,
                file=_evidence(row),
                facts={"was": state.value, "days": days, "what": "item"},
            )
            try:
                self.register.mark(tx, item, State.EXPIRED, event, was=frozenset({state}))
            except NotSo:  # somebody decided about it a moment ago
                return
        self._remove_blobs(row)

    def _let_raw_go(self, days: int) -> bool:
        before = self.clock.now() - timedelta(days=days)
        with self.db.read() as tx:
            due = raw_due(tx, before, limit=_BATCH)
            rows = [self.register.row(tx, item) for item in due]
        for row in rows:
            event = Event(
                name=EventName.FILE_EXPIRED,
                item=row.item,
                file=_evidence(row),
                facts={"days": days, "what": "original"},
            )
            with self.db.write() as tx:
                self.recorder.append(tx, event)
                raw_gone(tx, row.item)
            self._remove_raw(row)
        return len(due) == _BATCH

    def _sweep(self) -> None:
        with self.db.read() as tx:
            rows = [self.register.row(tx, item) for item in expired_lately(tx, self.clock.now() - _AGAIN, limit=_BATCH)]
        for row in rows:
            self._remove_blobs(row)

    def _remove_blobs(self, row: ItemRow) -> None:
        self._remove_raw(row)
        if row.rebuilt_sha256 is not None:
            self._remove(row.rebuilt_sha256, row.item, self.blobs.remove_clean)

    def _remove_raw(self, row: ItemRow) -> None:
        if row.sha256 is not None:
            self._remove(row.sha256, row.item, self.blobs.remove_raw)

    def _remove(self, sha256: Sha256, item: ItemId, remove: Callable[[Sha256], bool]) -> None:
        """Unless another item has the same bytes. As a writer: whoever takes a blob into use does that as one, too."""
        with self.db.write() as tx:
            if not self.register.needed(tx, sha256, but=item, gone=_GONE):
                remove(sha256)


def _evidence(row: ItemRow) -> FileFact | None:
    return None if row.sha256 is None else FileFact(sha256=row.sha256, size=row.size)

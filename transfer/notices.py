"""Tells people: feedback files for staff, and a call for whoever watches the gateway live.

What enters: rows of the register that changed, and new entries about the device's side. What leaves: files in
`feedback/` and calls of `announce` and `tell`. All is derived: after a crash what was not written is written again.

Notes about items that ended longer ago than the policy's days are taken down, here and not in `housekeeping`, so that
whoever puts notes up is the one who takes them down. One entry a round, with the number of items, comes first and is
enough: a note holds nothing that is not in the item's own entries. After a crash between entry and removal the notes
that were let go are still known as such, and go without another entry. They are not put up again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from transfer.audit.show import ShownEntry, show_entry
from transfer.model.clock import Clock
from transfer.model.events import Event, EventName
from transfer.model.identifiers import ItemId
from transfer.policy.explain import explain
from transfer.store import journal, notices_kept
from transfer.store.database import Database, ReadTx, Recorder
from transfer.store.erasures import erased_people
from transfer.store.notice_table import ENDED
from transfer.store.noticeboard import Noticeboard
from transfer.store.register import ItemRow, Register

_BATCH = 100
_ENTRIES = 10_000
_NEWS = frozenset(
    {
        EventName.RETURN_REFUSED,
        EventName.RELEASE_ALTERED,
        EventName.RELEASE_RESTORED,
        EventName.RELEASE_REMOVED,
        EventName.RELEASE_REWRITTEN,
        EventName.RELEASE_MISMATCH,
        EventName.RELEASE_EXPOSED,
        EventName.RELEASE_ENCLOSED,
        EventName.GATEWAY_PAUSED,
        EventName.GATEWAY_RESUMED,
    }
)
_LONG = timedelta(seconds=5)  # what is on its way longer than this is told of as such; most take less


@dataclass(kw_only=True)
class Notices:
    """One thread runs this. `change` is the number of the last change that was announced; a note about something that
    has ended is kept for so many `days`, 0: for ever."""

    db: Database
    register: Register
    recorder: Recorder
    board: Noticeboard
    clock: Clock
    days: int
    announce: Callable[[ItemRow], None]
    tell: Callable[[ShownEntry], None]
    change: int = 0
    entry: int = 0
    unsure: set[ItemId] = field(default_factory=set)  # of what may hang there although that was never recorded

    def begin(self) -> None:
        """Announces only what happens from now on."""
        with self.db.read() as tx:
            self.change = self.register.last_change(tx)
            self.entry = journal.head(tx).size
            self.unsure = self.register.never_told(tx)

    def round(self) -> bool:
        """Whether there may be more at once. Raises Unavailable."""
        with self.db.read() as tx:
            told, end = self._news(tx)
            changed = self.register.changed_since(tx, self.change, _BATCH)
            due = self.register.feedback_due(tx, _BATCH, patience=self.clock.now() - _LONG)
        for entry in told:
            self.tell(entry)
        self.entry = end
        for number, row in changed:
            self.announce(row)
            self.change = number
        if due:
            self._put_up(due)
        more = self._take_down()
        return more or len(due) == _BATCH or len(changed) == _BATCH

    def _put_up(self, due: list[ItemRow]) -> None:
        first = {row.item for row in due if not row.ever_told} - self.unsure
        self.unsure |= first  # until it is recorded
        with self.db.read() as tx:
            erased = erased_people(tx)
        with self.board.posting() as post:
            for row in due:
                if row.submitter in erased:  # whoever dropped it is not to be found by it any more
                    continue
                heading, text = explain(row)
                post(row, text, heading, row.item in first)
        with self.db.write() as tx:
            for row in due:
                self.register.feedback_done(tx, row.item, row.change)
                if row.state in ENDED:
                    notices_kept.told_of_end(tx, row.item, row.change, self.clock.now())
        self.unsure.difference_update(row.item for row in due)

    def _take_down(self) -> bool:
        """What is too old; whether there may be more at once."""
        before = self.clock.now() - timedelta(days=self.days)
        with self.db.read() as tx:
            old = notices_kept.due_to_go(tx, before, limit=_BATCH) if self.days else []
        if old:
            event = Event(name=EventName.FEEDBACK_EXPIRED, facts={"items": len(old), "days": self.days})
            with self.db.write() as tx:
                self.recorder.append(tx, event)
                notices_kept.let_go(tx, old)
        with self.db.read() as tx:
            rows = [self.register.row(tx, item) for item in notices_kept.going(tx, limit=_BATCH)]
        # A crash from here on: they are found again above, and taken down without another entry.
        for row in rows:
            self.board.remove(row)
        if rows:
            with self.db.write() as tx:
                notices_kept.gone(tx, [row.item for row in rows])
        return len(rows) == _BATCH

    def _news(self, tx: ReadTx) -> tuple[list[ShownEntry], int]:
        """The new entries that somebody at the terminal wants to know of, and up to where that is."""
        end = min(journal.head(tx).size, self.entry + _ENTRIES)
        rows = [row for row in journal.index_rows(tx, self.entry, end) if row.event in _NEWS]
        return [show_entry(tx, row.index) for row in rows], end

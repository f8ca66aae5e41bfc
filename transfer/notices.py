"""Tells people: feedback files for staff, and a call for whoever watches the gateway live.

What enters: rows of the register that changed. What leaves: files in `feedback/` and calls of `announce`. All of it is
derived: after a crash whatever was not written is written again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from transfer.model.clock import Clock
from transfer.policy.explain import explain
from transfer.store.database import Database
from transfer.store.noticeboard import Noticeboard
from transfer.store.register import ItemRow, Register

_BATCH = 100
_LONG = timedelta(seconds=2)  # what is on its way longer than this is told of as such; most take less


@dataclass(kw_only=True)
class Notices:
    """One thread runs this. `change` is the number of the last change that was announced."""

    db: Database
    register: Register
    board: Noticeboard
    clock: Clock
    announce: Callable[[ItemRow], None]
    change: int = 0

    def begin(self) -> None:
        """Announces only what happens from now on."""
        with self.db.read() as tx:
            self.change = self.register.last_change(tx)

    def round(self) -> bool:
        """Whether there may be more at once. Raises Unavailable."""
        with self.db.read() as tx:
            changed = self.register.changed_since(tx, self.change, _BATCH)
            due = self.register.feedback_due(tx, _BATCH, patience=self.clock.now() - _LONG)
        for number, row in changed:
            self.announce(row)
            self.change = number
        for row in due:
            heading, text = explain(row)
            self.board.post(row, text, heading)
        if due:
            with self.db.write() as tx:
                for row in due:
                    self.register.feedback_done(tx, row.item, row.change)
        return len(due) == _BATCH or len(changed) == _BATCH

"""The recorder of a restored workspace that nobody has said may go on: it refuses every entry.

An entry appended now could contradict what the log has shown since the backup was made, and a signature over it cannot
be taken back. Reading and verifying work; whatever changes something takes an entry, so it is refused here.
"""

from __future__ import annotations

from typing import NoReturn

from transfer.audit.log import Log
from transfer.errors import Misuse
from transfer.model.clock import render_time
from transfer.model.events import Event
from transfer.store.database import WriteTx
from transfer.store.restored import Restored


class HaltedLog(Log):
    """Stands where the log stands. `restored` says where the database came from."""

    def __init__(self, log: Log, restored: Restored) -> None:
        self.origin = log.origin
        self._restored = restored

    def append(self, tx: WriteTx, event: Event) -> NoReturn:  # noqa: ARG002 - the recorder's arguments
        """Raises Misuse."""
        made_at = self._restored.made_at
        came = (
            f"was restored from the backup of {render_time(made_at)}"
            if made_at is not None
            else "was behind its own published log"
        )
        raise Misuse(
            f"This workspace {came}, with {self._restored.entries} entries, and nobody has said that it goes on.",
            advice="If its log was published further since then, run `transfer audit adopt --log DIR` with that log's "
            "folder; if not, run `transfer audit adopt`.",
            clauses=("G10",),
        )

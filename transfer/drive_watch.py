"""What OneDrive makes the gateway wait for, told wherever somebody may look: the program's log, and `transfer status`.

What enters: each source's present wait. What leaves: a line when it begins or ends, and a row that other processes
read. A wait of a few seconds is told of as well, if it lasts until somebody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from transfer.model.drive import Wait
from transfer.model.identifiers import SourceId
from transfer.store.database import Database
from transfer.store.onedrive_staging import forget_waits, note_wait, waits

_log = structlog.get_logger()


class Drive(Protocol):
    """A source that may have to wait."""

    @property
    def id(self) -> SourceId:
        """Its identifier in the settings."""
        ...

    def waiting(self) -> Wait | None:
        """What it waits for now. For any thread."""
        ...

    def close(self) -> None:
        """Closes all connections."""
        ...


@dataclass(kw_only=True)
class DriveWatch:
    """`begin` is called at the start, `round` every second where there is a drive."""

    db: Database
    drives: Sequence[Drive]
    _told: dict[SourceId, Wait | None] = field(default_factory=dict, init=False)

    def begin(self) -> None:
        """What an earlier run noted is over, also of drives that are in the settings no longer. Raises Unavailable."""
        with self.db.read() as tx:
            left = waits(tx)
        if left:
            with self.db.write() as tx:
                forget_waits(tx)

    def round(self) -> bool:
        """Tells of what has changed; False: there is no more to do now. Raises Unavailable."""
        for drive in self.drives:
            wait = drive.waiting()
            if drive.id in self._told and self._told[drive.id] == wait:
                continue
            before = self._told.get(drive.id)
            with self.db.write() as tx:
                note_wait(tx, drive.id, wait)
            self._told[drive.id] = wait
            if wait is not None and (before is None or before.why != wait.why):
                _log.warning("waiting", loop=f"onedrive {drive.id}", why=wait.why)
            elif wait is None and before is not None:
                _log.info("going on", loop=f"onedrive {drive.id}")
        return False

    def close(self) -> None:
        """Ends all connections."""
        for drive in self.drives:
            drive.close()

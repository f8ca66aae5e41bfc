"""Evidence in OneDrive grows old: what lies aside longer than the policy's days is told, and removed once it is in the
log.

What enters: how many days the gateway says (0: for ever), and what the guard itself has named in the folder aside. What
leaves: cases. The entry comes first, as the intention; a crash before the answer, and it is found and told again under
the number that it was moved under. Without a gateway nothing is let go.

How old a thing is its name says. A clock that is put forward while the guard runs makes nothing older; one that is put
back keeps everything longer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transfer.model.clock import Clock
from transfer.return_guard.messages import What
from transfer.return_guard.onedrive_cases import Case, Cases
from transfer.return_guard.onedrive_perimeter import OneDrivePerimeter, report_of

AT_ONCE = 200
LOOK_SECONDS = 3600.0
_SOON_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DriveEvidence:
    """For the thread that does the rounds; `keep` for any. `monotonic` is in seconds."""

    def __init__(
        self, *, perimeter: OneDrivePerimeter, cases: Cases, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._perimeter = perimeter
        self._cases = cases
        self._clock = clock
        self._monotonic = monotonic
        self._began = (clock.now(), monotonic())
        self._next_look = 0.0
        self._days = 0

    def keep(self, days: int) -> None:
        """How long the gateway wants it kept; 0: for ever, and while nobody is there to be told."""
        self._days, self._next_look = days, 0.0

    def look(self) -> None:
        """Finds what is too old, now and then. Raises GraphFault."""
        days = self._days
        if days == 0 or self._monotonic() < self._next_look:
            return
        before = (self._now() - timedelta(days=days) - _EPOCH) // timedelta(milliseconds=1)
        found = 0
        for name, item in self._perimeter.reported():
            if name.milliseconds >= before or self._cases.knows(name.report):
                continue
            if found >= AT_ONCE or not self._cases.add(
                Case(report=report_of(item, name, What.EXPIRED), name=name, item=item.id)
            ):
                break
            found += 1
        self._next_look = self._monotonic() + (_SOON_SECONDS if found >= AT_ONCE else LOOK_SECONDS)

    def _now(self) -> datetime:
        """Not later than the time at the start and what has passed since by the steady clock."""
        wall, steady = self._began
        return min(self._clock.now(), wall + timedelta(seconds=self._monotonic() - steady))

"""The watch over the malware scanners: whether they find what they must, and which held items they are to see again.

What enters: the scanners and the register. What leaves: held items to be judged again, where the line scans anew what
is outdated. A loop of its own, for a scanner that hangs must hold up nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from transfer.inspection.scan import NoScanner, Scanners
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import ItemId
from transfer.model.states import Held
from transfer.store.database import Database
from transfer.store.queues import held_waiting
from transfer.store.register import Register

_BACK_SECONDS = 15.0  # how often a scanner that items wait for is asked whether it is back
_TEST_SECONDS = 3600.0
_OLD_SECONDS = 600.0
_LONGEST_PAUSE = 600.0
_BATCH = 1000
_ALL = 1_000_000

_log = structlog.get_logger()


@dataclass(kw_only=True)
class ScannerWatch:
    """`round` is called every few seconds."""

    db: Database
    register: Register
    scanners: Scanners
    monotonic: Callable[[], float]
    _due: dict[str, float] = field(default_factory=dict, init=False)
    _pauses: dict[ItemId, tuple[float, float]] = field(default_factory=dict, init=False)  # until when, and how long
    _failing: tuple[str, ...] = field(default=(), init=False)

    def round(self) -> list[ItemId]:
        """The held items that should be judged again. Raises Unavailable."""
        again: list[ItemId] = []
        if self.scanners.tend():  # other rules look now: at everything that has not gone yet
            again += self._held(list(WaitingFor), _ALL)
        if self._is_due("test", _TEST_SECONDS):
            self._well()
        if self._is_due("old", _OLD_SECONDS):
            again += self._outdated()
        if self._is_due("back", _BACK_SECONDS):
            again += self._back()
        return list(dict.fromkeys(again))

    def _back(self) -> list[ItemId]:
        """What waits for a scanner that is well again; one that it fails on again and again is asked about less often.

        So a file that ends the scanner cannot keep it from the others for long.
        """
        waiting = self._held([WaitingFor.SCANNER], _BATCH)
        if not waiting or not self._well():
            return []
        now = self.monotonic()
        self._pauses = {item: self._pauses[item] for item in waiting if item in self._pauses}
        due = [item for item in waiting if now >= self._pauses.get(item, (0.0, 0.0))[0]]
        for item in due:
            pause = min(2 * self._pauses.get(item, (0.0, _BACK_SECONDS / 2))[1], _LONGEST_PAUSE)
            self._pauses[item] = (now + pause, pause)
        return due

    def _well(self) -> bool:
        """Whether all pass their test; the program's log is told when that changes."""
        tests = self.scanners.self_tests()
        if any(test.scanner == NoScanner.name for test in tests):
            return False  # as it was set up, which is said at the start: no news
        failing = tuple(test.sentence for test in tests if not test.passed)
        if failing != self._failing:
            for sentence in failing:
                _log.warning("waiting", loop="scanner", why=sentence)
            if not failing:
                self._pauses = {}
                _log.info("going on", loop="scanner")
            self._failing = failing
        return not failing

    def _held(self, waits: list[WaitingFor], most: int) -> list[ItemId]:
        with self.db.read() as tx:
            return held_waiting(tx, waits, limit=most)

    def _outdated(self) -> list[ItemId]:
        """Of what waits for approval, what was scanned so long ago that such signatures would not be believed."""
        found = []
        for item in self._held([WaitingFor.APPROVAL], _ALL):
            with self.db.read() as tx:
                record = self.register.load(tx, item)
            if isinstance(record, Held):
                rebuilt = record.rebuilt
                if any(map(self.scanners.outdated, (rebuilt.examined.scans, rebuilt.scans))):
                    found.append(item)
        return found

    def _is_due(self, what: str, period: float) -> bool:
        now = self.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + period
        return True

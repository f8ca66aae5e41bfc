"""The thread that does the rounds in OneDrive: looks on a schedule, and at once when somebody asks.

What enters: parts that each do one kind of look. What leaves: which look began last and which came to its end, so that
a question is answered only by a look that began after it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from transfer.errors import Unavailable
from transfer.return_guard.messages import Audited
from transfer.return_guard.onedrive_audit import DriveAudit
from transfer.return_guard.onedrive_evidence import DriveEvidence
from transfer.return_guard.onedrive_patrol import DrivePatrol

_LEAST_SIGHT_SECONDS = 30.0
_SIGHT_ROUNDS = 3  # after the time of so many rounds without one that came to its end, it counts as blind
_BREATH_SECONDS = 0.2  # between two rounds, however much is asked
_log = structlog.get_logger()


class Rounds:
    """`rang` is called after each round. What is a defect of ours is kept as `fault`, for the other thread to raise."""

    def __init__(
        self,
        *,
        patrol: DrivePatrol,
        evidence: DriveEvidence,
        audit: DriveAudit,
        poll_seconds: float,
        monotonic: Callable[[], float],
        rang: Callable[[], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patrol = patrol
        self._evidence = evidence
        self._audit = audit
        self._poll = poll_seconds
        self._sight = max(_LEAST_SIGHT_SECONDS, _SIGHT_ROUNDS * poll_seconds)
        self._monotonic = monotonic
        self._rang = rang
        self._pause = pause
        self._asked = threading.Event()
        self._last_look: float | None = None
        self._failing = ""
        self._thread = threading.Thread(target=self._work, name="rounds", daemon=True)
        self.begun = 0
        self.finished = 0  # the number of the last look that came to its end
        self.fault: BaseException | None = None

    def start(self) -> None:
        """Only after the process has been confined."""
        self._thread.start()

    def soon(self) -> None:
        """Somebody waits for a look."""
        self._asked.set()

    def keep(self, days: int) -> None:
        """How long evidence is kept, 0: for ever, and while no gateway is there."""
        self._evidence.keep(days)
        self._asked.set()

    @property
    def sees(self) -> bool:
        """Whether the service told all that is there a short time ago."""
        return self._last_look is not None and self._monotonic() - self._last_look < self._sight

    @property
    def audits(self) -> int:
        """How many verdicts on who may reach the folder there have been."""
        return self._audit.number

    def verdict(self) -> Audited | None:
        """The last one."""
        return self._audit.verdict()

    def item_of(self, name: str) -> str | None:
        """The item that the last look found under a name of ours, as it should be."""
        return self._patrol.ours.get(name)

    def _work(self) -> None:
        try:
            while True:
                more = self._round()
                self._rang()
                self._pause(_BREATH_SECONDS)
                if not more:
                    self._asked.wait(max(0.0, self._poll - _BREATH_SECONDS))
                self._asked.clear()  # whoever asked before this line is answered by the look that begins after it
        except BaseException as error:  # noqa: BLE001 - a defect of ours must end the process, not a thread unseen
            self.fault = error
            self._rang()

    def _round(self) -> bool:
        self.begun += 1
        number, began = self.begun, self._monotonic()
        try:
            more = self._patrol.look()
            self._last_look = began
            if not more:
                self.finished = number
            self._evidence.look()
        except Unavailable as fault:
            if fault.sentence != self._failing:
                self._failing = fault.sentence
                _log.warning("waiting", loop="rounds", why=fault.sentence)
            return False
        if self._failing:
            self._failing = ""
            _log.info("going on", loop="rounds")
        if self._audit.is_due:
            self._audit.look(list(self._patrol.ours.values()))
        return more

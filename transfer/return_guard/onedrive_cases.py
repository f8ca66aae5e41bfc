"""What the guard of a release folder in OneDrive has to tell, until the gateway has it in the log.

What enters: reports, and the gateway's answers. What leaves: reports to be sent, at most `WINDOW` unanswered at a time,
and the answers, for the thread that carries them out. Memory holds at most `ROOM` of them; what was moved aside keeps
the rest by its name.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from transfer.model.identifiers import Sha256
from transfer.return_guard.messages import Report, Verdict
from transfer.return_guard.perimeter import AsideName

WINDOW = 16
ROOM = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to be told. `item` is its id in the drive; None of something that is gone."""

    report: Report
    name: AsideName
    item: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the gateway made of it."""

    case: Case
    verdict: Verdict


class Cases:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Case] = {}
        self._sent: dict[str, Case] = {}
        self._answered: deque[Answered] = deque()

    @property
    def pending(self) -> int:
        """How much is not told and answered yet, or answered and not carried out."""
        with self._lock:
            return len(self._waiting) + len(self._sent) + len(self._answered)

    def add(self, case: Case) -> bool:
        """Whether there was room; nothing happens if it is known."""
        with self._lock:
            if self._knows(case.report.id):
                return True
            if len(self._waiting) + len(self._sent) + len(self._answered) >= ROOM:
                return False
            self._waiting[case.report.id] = case
            return True

    def concerns(self, name_sha256: Sha256) -> bool:
        """Whether something about this name is still to be answered or carried out."""
        with self._lock:
            open_cases = [*self._waiting.values(), *self._sent.values(), *(one.case for one in self._answered)]
        return any(case.name.name_sha256 == name_sha256 for case in open_cases)

    def knows(self, report: str) -> bool:
        """Whether it is here already."""
        with self._lock:
            return self._knows(report)

    def next(self) -> Case | None:
        """One to be sent now, if there is one and the window is open; it counts as sent."""
        with self._lock:
            if not self._waiting or len(self._sent) >= WINDOW:
                return None
            report = next(iter(self._waiting))
            case = self._sent[report] = self._waiting.pop(report)
            return case

    def send_again(self) -> None:
        """What was sent over the last connection may not have been taken in."""
        with self._lock:
            self._waiting = {**self._sent, **self._waiting}
            self._sent = {}

    def answer(self, report: str, verdict: Verdict) -> bool:
        """The gateway has it; whether such a report was sent."""
        with self._lock:
            case = self._sent.pop(report, None)
            if case is not None:
                self._answered.append(Answered(case=case, verdict=verdict))
            return case is not None

    def first_answered(self) -> Answered | None:
        """What is to be carried out next."""
        with self._lock:
            return self._answered[0] if self._answered else None

    def carried_out(self) -> None:
        """That is done."""
        with self._lock:
            self._answered.popleft()

    def _knows(self, report: str) -> bool:
        answered = any(one.case.report.id == report for one in self._answered)
        return report in self._waiting or report in self._sent or answered

"""The talk of the guard of a release folder in OneDrive with the gateway: hears, answers, tells, beats.

What enters: the gateway's packets, what the rounds found. What leaves: messages. A question is answered by a look that
began after it; the list, too, counts as taken in only when everything was looked at by it.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from transfer.graph.throttle import Waiting
from transfer.model.clock import Clock
from transfer.return_guard.line import Bell, Line
from transfer.return_guard.link import receive
from transfer.return_guard.messages import (
    Ask,
    Beat,
    Done,
    Expect,
    Expected,
    Forget,
    FromGateway,
    Hello,
    Keep,
    ListBegins,
    ListEnds,
    Received,
    Seen,
    Stage,
    SweepNow,
)
from transfer.return_guard.onedrive_cases import Cases
from transfer.return_guard.onedrive_roll import Roll
from transfer.return_guard.onedrive_rounds import Rounds
from transfer.return_guard.packets import parse_from_gateway

_BEAT_SECONDS = 0.25
_MAX_QUESTIONS = 64
_LONGEST_WAIT = 86_400
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What waits for a look later than `after`. `name` of an `Ask`; `told`: all that was found is to be in the log."""

    sequence: int
    after: int
    name: str | None = None
    told: bool = False


class Talk:
    """One thread's work: `run`, which does not return."""

    def __init__(
        self,
        *,
        line: Line,
        bell: Bell,
        roll: Roll,
        cases: Cases,
        rounds: Rounds,
        waiting: Callable[[], Waiting | None],
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._line = line
        self._bell = bell
        self._roll = roll
        self._cases = cases
        self._rounds = rounds
        self._waiting = waiting
        self._clock = clock
        self._monotonic = monotonic
        self._coming: tuple[int, list[Expected]] | None = None
        self._questions: list[_Question] = []
        self._audits_told = 0
        self._next_beat = 0.0
        self._waited = ""

    def run(self) -> None:
        """Talks until the process is killed. Raises what broke the rounds."""
        while True:
            self.step()

    def step(self) -> None:
        """One turn. Raises what broke the rounds."""
        if self._line.reach():
            self._begin_anew()
            self._line.send(Hello())
        self._wait()
        if self._rounds.fault is not None:
            raise self._rounds.fault
        self._listen()
        self._tell()  # first: who asked for a sweep has all that was found by then
        self._answer()
        self._beat()
        self._line.flush()

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._bell.reader, select.POLLIN)
        if self._line.connection is not None:
            poller.register(self._line.connection, select.POLLIN | (select.POLLOUT if self._line.backlog else 0))
        if dict(poller.poll(_BEAT_SECONDS * 1000)).get(self._bell.reader):
            self._bell.clear()

    def _begin_anew(self) -> None:
        """Whatever was half said over an earlier connection; the roll stays, and days are said anew."""
        self._coming, self._questions, self._audits_told = None, [], 0
        self._cases.send_again()
        self._rounds.keep(0)

    def _listen(self) -> None:
        """Takes in all packets that are there; a word out of place ends the connection, and a new one begins anew."""
        try:
            while self._line.connection is not None:
                packet = receive(self._line.connection)
                if packet is None:
                    raise ConnectionResetError
                self._handle(parse_from_gateway(packet))
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._line.close()

    def _handle(self, message: FromGateway) -> None:
        """Raises ValueError if it has no place in the conversation."""
        match message:
            case Keep(days):
                self._rounds.keep(days)
            case ListBegins(count):
                self._coming = (count, [])
            case Expect(0, expected):
                if self._coming is None or len(self._coming[1]) >= self._coming[0]:
                    raise ValueError("more names than the list was said to have")
                self._coming[1].append(expected)
            case ListEnds(sequence):
                self._adopt_list()
                self._ask(sequence)
            case SweepNow(sequence):
                self._ask(sequence, told=True)
            case Received(report, verdict):
                if self._cases.answer(report, verdict):
                    self._rounds.soon()
            case Expect() | Forget() | Ask():
                self._request(message)

    def _adopt_list(self) -> None:
        if self._coming is None or len(self._coming[1]) != self._coming[0]:
            raise ValueError("the list is not as long as it was said to be")
        self._roll.adopt(self._coming[1])
        self._coming = None

    def _request(self, message: Expect | Forget | Ask) -> None:
        if not self._roll.adopted or self._coming is not None:
            raise ValueError("a request before the list")
        match message:
            case Expect(sequence, expected):
                self._roll.expect(expected)
                self._line.send(Done(sequence))
                if expected.stage is Stage.PLACED:
                    self._rounds.soon()
            case Forget(sequence, name):
                self._roll.forget(name)
                self._line.send(Done(sequence))
            case Ask(sequence, name):
                self._ask(sequence, name=name.text)

    def _ask(self, sequence: int, *, name: str | None = None, told: bool = False) -> None:
        if len(self._questions) >= _MAX_QUESTIONS:
            raise ValueError("too many questions at once")
        self._questions.append(_Question(sequence=sequence, after=self._rounds.begun, name=name, told=told))
        self._rounds.soon()

    def _answer(self) -> None:
        open_questions = []
        for question in self._questions:
            late = self._rounds.finished <= question.after
            if late or (question.told and self._cases.pending):
                open_questions.append(question)
            elif question.name is None:
                self._line.send(Done(question.sequence))
            else:
                there = self._rounds.item_of(question.name) is not None
                self._line.send(Seen(question.sequence, self._roll.sha256_of(question.name) if there else None))
        self._questions = open_questions

    def _tell(self) -> None:
        while self._line.connection is not None and (case := self._cases.next()) is not None:
            if not self._line.send(case.report):
                self._cases.send_again()
        verdict = self._rounds.verdict()
        if verdict is not None and self._rounds.audits != self._audits_told and self._line.send(verdict):
            self._audits_told = self._rounds.audits

    def _beat(self) -> None:
        now = self._monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + _BEAT_SECONDS
        waiting = self._waiting()
        self._tell_of(waiting)
        if self._rounds.sees:
            left = 0.0 if waiting is None else (waiting.until - self._clock.now()).total_seconds()
            self._line.send(
                Beat(self._rounds.finished, self._cases.pending, min(max(int(left + 0.999), 0), _LONGEST_WAIT))
            )

    def _tell_of(self, waiting: Waiting | None) -> None:
        why = "" if waiting is None else waiting.why
        if why != self._waited:
            self._waited = why
            if why:
                _log.warning("waiting", loop="return guard", why=why)
            else:
                _log.info("going on", loop="return guard")

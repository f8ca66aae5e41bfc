"""Manners: how many requests one identity makes, and when it waits. One throttle for each identity.

What enters: status and headers of answers, the clock. What leaves: a `Turn` for each request, later or never; `Waiting`
for whoever shows what the gateway is doing. The rules are in `pace`; here is only the waiting.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from transfer.graph.faults import GraphFault, Unreached, retry_after
from transfer.graph.pace import PASSING, THROTTLED, Manners, Pace, back_off, budget_of
from transfer.model.clock import Clock

_BUSY = "OneDrive asked the gateway to slow down; nothing is asked of it until then."
_FAILING = "OneDrive could not be reached or failed; it is tried again then."


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing is asked before `until`; `why` is a sentence."""

    until: datetime
    why: str


class Turn:
    """One request's permission to be sent, held until its answer was read to the end."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._held = True

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer came; names of headers are in lower case."""
        self._throttle.heard(status, headers)

    def ended(self) -> None:
        """The request is over, whatever became of it. Saying so twice does no harm."""
        if self._held:
            self._held = False
            self._throttle.left()


class Throttle:
    """One identity's requests, across all its sessions. Safe from any thread and any event loop."""

    def __init__(
        self,
        *,
        clock: Clock,
        manners: Manners | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock
        self._manners = manners or Manners()
        self._monotonic = monotonic
        self._draw = draw or random.SystemRandom().random
        self._lock = threading.Lock()
        self._pace = Pace(self._manners)
        self._queue: list[Future[None]] = []
        self._rests: dict[object, float] = {}

    async def turn(self, cost: int) -> Turn:
        """Waits until a request of so many units may be sent. Raises GraphFault where patience would not do."""
        started = self._monotonic()
        while True:
            called: Future[None] = Future()
            with self._lock:
                now = self._monotonic()
                wait = self._pace.ask(now, cost)
                if not wait:
                    return Turn(self)
                self._queue.append(called)
            left = started + self._manners.patience - now
            if left <= 0 or left < wait < math.inf:
                self._forget(called)
                raise self._impatient()
            try:
                async with asyncio.timeout(min(wait, left)):
                    await asyncio.wrap_future(called)
            except TimeoutError:
                continue
            finally:
                self._forget(called)

    async def rest(self, fault: GraphFault, *, attempt: int, since: float) -> None:
        """Waits before a request that failed for the `attempt`-th time is made again; `since` is when it was first.

        A fault that stops all requests has made its pause already, which `turn` keeps. Raises the fault where it is
        none that passes, or where patience has ended.
        """
        if not (isinstance(fault, Unreached) or fault.status in THROTTLED or fault.status in PASSING):
            raise fault
        now = self._monotonic()
        pause = 0.0 if fault.status in THROTTLED else back_off(attempt, self._manners, self._draw())
        with self._lock:
            until = max(now + pause, self._pace.resumes_at(now) or now)
        if until - since > self._manners.patience:
            raise fault
        if pause:
            mark = object()
            with self._lock:
                self._rests[mark] = now + pause
            try:
                await asyncio.sleep(pause)
            finally:
                with self._lock:
                    del self._rests[mark]

    def now(self) -> float:
        """The steady clock that patience is measured by."""
        return self._monotonic()

    def moment(self) -> datetime:
        """The present instant of the wall clock."""
        return self._clock.now()

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        with self._lock:
            now = self._monotonic()
            resumes, rests = self._pace.resumes_at(now), max(self._rests.values(), default=now)
        if resumes is not None:
            return Waiting(until=self._moment(resumes - now), why=_BUSY)
        if rests > now:
            return Waiting(until=self._moment(rests - now), why=_FAILING)
        return None

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """An answer's head came; for `Turn`."""
        pause = retry_after(headers, self._clock.now())
        with self._lock:
            self._pace.answered(
                self._monotonic(), status, retry_after=pause, budget=budget_of(headers), draw=self._draw()
            )
        self._call()

    def left(self) -> None:
        """A request is over; for `Turn`."""
        with self._lock:
            self._pace.ended()
        self._call()

    def _call(self) -> None:
        """Everybody in the queue asks again."""
        with self._lock:
            queue, self._queue = self._queue, []
        for called in queue:
            if called.set_running_or_notify_cancel():
                called.set_result(None)

    def _forget(self, called: Future[None]) -> None:
        with self._lock:
            if called in self._queue:
                self._queue.remove(called)

    def _impatient(self) -> GraphFault:
        waiting = self.waiting()
        return GraphFault(
            waiting.why if waiting else "Too many requests to OneDrive are under way; none has ended for long.",
            code="throttled",
            advice="Nothing was lost; it will be tried again.",
        )

    def _moment(self, ahead: float) -> datetime:
        return self._clock.now() + timedelta(seconds=ahead)

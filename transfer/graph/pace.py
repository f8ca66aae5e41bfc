"""When one identity may send its next request: a state machine without a clock.

    free ──429, 503──▶ paused until Retry-After ──▶ one at a time ──each good answer──▶ one more … ──▶ free
    RateLimit headers: what is left of the budget is spread over the time until it is renewed

What enters: instants as seconds of any steady clock, statuses, headers, a random number where something is to vary.
What leaves: how long to wait. Sources: Microsoft's advice that Retry-After stops all requests and not only the one that
was answered so; RateLimit headers after IETF draft 3; reference numbers of resource units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

THROTTLED = frozenset({429, 503})
PASSING = frozenset({500, 502, 504})  # trouble of one request, which may well go through the next time
WHEN_ONE_ENDS = math.inf
_SCARCE = 0.2  # share of the budget below which the rest of it is spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How many requests at once, how many seconds to wait at most before giving up, the first and longest pause."""

    in_flight: int = 8
    patience: float = 120.0
    first_pause: float = 1.0
    longest_pause: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What RateLimit headers say: units a period, units left, seconds until they are renewed."""

    limit: int
    remaining: int
    reset: float


def budget_of(headers: Mapping[str, str]) -> Budget | None:
    """The budget in an answer's headers (names in lower case), None unless all three are there and make sense."""
    texts = [headers.get(f"ratelimit-{name}", "").strip() for name in ("limit", "remaining", "reset")]
    if not all(re.fullmatch(r"[0-9]{1,9}", text) for text in texts):
        return None
    limit, remaining, reset = map(int, texts)
    return Budget(limit=limit, remaining=remaining, reset=min(float(reset), 3600.0)) if limit else None


def back_off(attempt: int, manners: Manners, draw: float) -> float:
    """The pause after the `attempt`-th failure (from 1): doubled each time up to the longest, half of it drawn."""
    full = min(manners.longest_pause, manners.first_pause * 2.0 ** min(attempt - 1, 30))
    return full * (0.5 + draw / 2)


class Pace:
    """One identity's state. Every method takes the present instant; instants never go back."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._in_flight = 0
        self._allowed = manners.in_flight
        self._paused_until = -math.inf
        self._throttled = 0  # answers in a row that asked for a pause
        self._next_at = -math.inf
        self._spacing = 0.0  # seconds a unit, until:
        self._spaced_until = -math.inf

    def ask(self, now: float, cost: int) -> float:
        """0 and the request counts as in flight; or seconds to wait before asking again; or WHEN_ONE_ENDS."""
        if now < self._paused_until:
            return self._paused_until - now
        if self._in_flight >= self._allowed:
            return WHEN_ONE_ENDS
        if now < self._next_at and now < self._spaced_until:
            return min(self._next_at, self._spaced_until) - now
        self._in_flight += 1
        if now < self._spaced_until:
            self._next_at = max(now, self._next_at) + cost * self._spacing
        return 0.0

    def answered(
        self, now: float, status: int, *, retry_after: float | None, budget: Budget | None, draw: float
    ) -> None:
        """An answer's head came."""
        if status in THROTTLED:
            self._throttled += 1
            pause = retry_after or back_off(self._throttled, self._manners, draw)
            self._paused_until = max(self._paused_until, now + pause)
            self._allowed = 1
        elif status not in PASSING:
            self._throttled = 0
            self._allowed = min(self._manners.in_flight, self._allowed + 1)
        if budget is not None:
            self._spread(now, budget)

    def ended(self) -> None:
        """A request is over, whatever became of it."""
        self._in_flight -= 1

    def resumes_at(self, now: float) -> float | None:
        """When the next request may go, if none may now for a reason of time."""
        if now < self._paused_until:
            return self._paused_until
        if now < min(self._next_at, self._spaced_until):
            return min(self._next_at, self._spaced_until)
        return None

    def _spread(self, now: float, budget: Budget) -> None:
        if budget.remaining == 0:
            self._paused_until = max(self._paused_until, now + budget.reset)
        scarce = budget.remaining < budget.limit * _SCARCE
        self._spacing = budget.reset / budget.remaining if scarce and budget.remaining else 0.0
        self._spaced_until = now + budget.reset if self._spacing else -math.inf
        self._next_at = max(self._next_at, now) if self._spacing else -math.inf

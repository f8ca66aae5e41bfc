"""Throttling: resource units a minute for each token, RateLimit headers, and who does not wait when told to."""

from __future__ import annotations

import threading
import time

from tests.graph.emulator.access import Access
from tests.graph.emulator.answers import Problem

_MINUTE = 60.0
_TELL_FROM = 0.8  # of the budget: before that, no RateLimit headers
_ON_ITS_WAY = 0.05  # seconds after an answer with Retry-After in which a request may have left already


class Budget:
    """What each token has spent in this minute."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._lock = threading.Lock()
        self._spent: dict[str, tuple[float, int]] = {}  # token: since when, how much
        self._pauses: dict[str, tuple[float, float]] = {}  # token: told when, until when

    def spend(self, token: str, units: int) -> dict[str, str]:
        """Takes units; the RateLimit headers for the answer, or 429. What is throttled has cost as much."""
        limit, now = int(self.access.tree.switch("budget")), self.access.tree.now()
        with self._lock:
            told, until = self._pauses.get(token, (0.0, 0.0))
            since, spent = self._spent.get(token, (now, 0))
            if now - since >= _MINUTE:
                since, spent = now, 0
            spent += units
            self._spent[token] = (since, spent)
        if told + _ON_ITS_WAY < time.time() < until:
            self.access.count("impatient", 1, token=token)
        self.access.count("units", units, token=token)
        if not limit:
            return {}
        left = max(1, round(since + _MINUTE - now))
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - spent)),
            "RateLimit-Reset": str(left),
        }
        if spent > limit:
            self.access.count("throttled", 1, token=token)
            raise Problem(429, "The request has been throttled.", headers={"Retry-After": str(left), **headers})
        return headers if spent >= _TELL_FROM * limit else {}

    def paused(self, token: str, seconds: str | None) -> None:
        """The token was told to wait."""
        if seconds is not None:
            with self._lock:
                self._pauses[token] = (time.time(), time.time() + float(seconds))

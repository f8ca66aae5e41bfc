"""Manners: how many requests one identity makes, and when it waits. One throttle for each identity.

What enters: status and headers of answers, the clock. What leaves: permission to send, later or never; `Waiting` for
whoever shows what the gateway is doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from transfer.model.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing is asked before `until`; `why` is a sentence."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How many requests at once, how many seconds to wait at most before giving up, the first and longest pause."""

    in_flight: int = 8
    patience: float = 120.0
    first_pause: float = 1.0
    longest_pause: float = 60.0


class Throttle:
    """One identity's requests, across all its sessions. Safe from any thread."""

    def __init__(self, *, clock: Clock, manners: Manners | None = None) -> None:
        self._clock = clock
        self._manners = manners or Manners()

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        raise NotImplementedError

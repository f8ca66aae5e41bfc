"""The worklist: which items the line has still to carry, each at most once, in order of arrival."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from transfer.model.identifiers import ItemId


class Worklist:
    """Shared by threads. It holds nothing that is not in the register: after a crash it is filled from there."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._queue: deque[ItemId] = deque()
        self._queued: set[ItemId] = set()
        self._busy = 0

    def add(self, items: Iterable[ItemId]) -> None:
        """Items to carry; one that is queued already is not queued again."""
        with self._turn:
            for item in items:
                if item not in self._queued:
                    self._queued.add(item)
                    self._queue.append(item)
            self._turn.notify_all()

    def take(self, seconds: float) -> ItemId | None:
        """The next item, waiting so long for one; `done` must follow."""
        with self._turn:
            if not self._queue:
                self._turn.wait(seconds)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued.discard(item)
            self._busy += 1
            return item

    def done(self) -> None:
        """One that was taken is finished with, or was added again."""
        with self._turn:
            self._busy -= 1
            self._turn.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether nothing is queued or being carried, after waiting at most so long."""
        with self._turn:
            return self._turn.wait_for(lambda: not self._queue and not self._busy, seconds)

    def __len__(self) -> int:
        with self._turn:
            return len(self._queue) + self._busy

"""One staging source with what is known of it between two looks.

What enters: notices of its watcher, from any thread, and what the register answered. What leaves: which arrivals it
was asked about already. The memory is lost with the process: then the register is asked again.
"""

from __future__ import annotations

import threading
from collections import deque

from transfer.intake.folder import Happening, Notice
from transfer.intake.settle import Settling
from transfer.model.ends import Source
from transfer.model.states import Arrival


class Watched:
    """One source with what is known of it: what settles there, and which arrivals the register has.

    Only this gateway enters items, and an item's arrival stays known for ever: what the register answered once about
    an arrival holds until it is taken up.
    """

    def __init__(self, source: Source, settling: Settling) -> None:
        self.source = source
        self.settling = settling
        self._answers: dict[bytes, tuple[tuple[object, ...], bool]] = {}
        self._news: deque[tuple[Notice, float]] = deque()
        self._lock = threading.Lock()

    def remembered(self, arrival: Arrival) -> bool | None:
        """Whether the register knows it; None if it was not asked about this very arrival."""
        identity, known = self._answers.get(arrival.path, ((), False))
        return known if identity == arrival.identity else None

    def remember(self, arrival: Arrival, *, known: bool) -> None:
        """What the register answered."""
        self._answers[arrival.path] = (arrival.identity, known)

    def forget(self, path: bytes) -> None:
        """Ask again."""
        self._answers.pop(path, None)

    def forget_all_but(self, present: set[bytes]) -> None:
        """After a full look: what no longer lies there needs no memory."""
        for path in self._answers.keys() - present:
            del self._answers[path]

    def put(self, notice: Notice, at: float) -> None:
        """News of the watcher, with its instant; for any thread."""
        with self._lock:
            self._news.append((notice, at))

    def apply_news(self) -> None:
        """Takes account of all that was put since."""
        with self._lock:
            news = list(self._news)
            self._news.clear()
        for notice, at in news:
            self._apply(notice, at)

    def _apply(self, notice: Notice, at: float) -> None:
        match notice.happening:
            case Happening.CLOSED:
                self.settling.closed(notice.path, at=at)
            case Happening.CHANGED:
                self.settling.changed(notice.path, at=at)
            case Happening.MOVED:
                self.settling.moved(notice.path, notice.to, at=at)
            case Happening.GONE:
                self.settling.gone(notice.path)

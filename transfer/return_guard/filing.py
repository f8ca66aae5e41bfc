"""What the guard tells is made durable in a thread of its own, and only then acknowledged.

What enters: reports and verdicts with the connection they came over. What leaves: entries, by `record` and `audited`,
in the order in which they came; the acknowledgement, if that connection is still the one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from transfer.errors import Unavailable
from transfer.return_guard.messages import Audited, Received, Report, Verdict

_QUEUE = 64
_RETRY_SECONDS = 0.5


class Filing:
    """One thread runs `work`; `put` is for another. `record` and `audited` are called again after Unavailable until
    they succeed; `recorded` after each."""

    def __init__(
        self,
        *,
        record: Callable[[Report], Verdict],
        audited: Callable[[Audited], None] | None,
        recorded: Callable[[], None],
        acknowledge: Callable[[int, Received], None],
        closing: threading.Event,
    ) -> None:
        self._record = record
        self._audited = audited
        self._recorded = recorded
        self._acknowledge = acknowledge
        self._closing = closing
        self._told: queue.Queue[tuple[int, Report | Audited]] = queue.Queue(_QUEUE)

    def put(self, connection: int, told: Report | Audited) -> None:
        """Raises queue.Full: the guard tells it again."""
        self._told.put_nowait((connection, told))

    def is_settled(self, seconds: float) -> bool:
        """Whether all that was put so far is durable, at once or within this time."""
        with self._told.all_tasks_done:
            return self._told.all_tasks_done.wait_for(lambda: not self._told.unfinished_tasks, seconds)

    def work(self) -> None:
        """Until it is closing."""
        while not self._closing.is_set():
            try:
                connection, told = self._told.get(timeout=0.2)
            except queue.Empty:
                continue
            try:
                self._until_durable(connection, told)
            finally:
                self._told.task_done()

    def _until_durable(self, connection: int, told: Report | Audited) -> None:
        while not self._closing.is_set():
            try:
                self._file(connection, told)
                break
            except Unavailable:
                self._closing.wait(_RETRY_SECONDS)

    def _file(self, connection: int, told: Report | Audited) -> None:
        if isinstance(told, Report):
            self._acknowledge(connection, Received(told.id, self._record(told)))
        elif self._audited is not None:
            self._audited(told)
        self._recorded()

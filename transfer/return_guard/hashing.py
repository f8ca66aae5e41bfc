"""Hashing beside the sweep: a thread that takes the smallest file first, so that one large file delays nothing else.

What enters: jobs with a key, at most one a key at a time. What leaves: results, in the order in which they are ready,
fetched by the patrol; `wake` is called after each. The guard runs two such threads: what is ours never waits for what
was planted.
"""

from __future__ import annotations

import contextlib
import heapq
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from transfer.return_guard.perimeter import Digest

KeyT = TypeVar("KeyT")


@dataclass(order=True)
class _Job(Generic[KeyT]):
    size: int
    number: int
    key: KeyT = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashed(Generic[KeyT]):
    """One job done. `digest` is None if there was nothing to hash or the disk failed; `began_ns` is wall-clock time."""

    key: KeyT
    digest: Digest | None
    began_ns: int


class Hasher(Generic[KeyT]):
    """One thread that hashes. `hash_one` and `wake` are called in it; `clock_ns` is nanoseconds since the epoch."""

    def __init__(
        self,
        *,
        hash_one: Callable[[KeyT], Digest | None],
        wake: Callable[[], None],
        clock_ns: Callable[[], int],
        name: str,
    ) -> None:
        self._hash_one = hash_one
        self._wake = wake
        self._clock_ns = clock_ns
        self._jobs: list[_Job[KeyT]] = []
        self._busy: set[KeyT] = set()
        self._results: deque[Hashed[KeyT]] = deque()
        self._number = 0
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Only after the process has been confined: threads started before stay as they were."""
        self._thread.start()

    def submit(self, key: KeyT, size: int) -> None:
        """Does nothing if this key is waiting already, or its result is."""
        with self._condition:
            if key in self._busy:
                return
            self._busy.add(key)
            self._number += 1
            heapq.heappush(self._jobs, _Job(size, self._number, key))
            self._condition.notify()

    def results(self) -> list[Hashed[KeyT]]:
        """All that became ready since the last call."""
        with self._condition:
            ready = list(self._results)
            self._results.clear()
            self._busy.difference_update(result.key for result in ready)
            return ready

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._jobs:
                    self._condition.wait()
                job = heapq.heappop(self._jobs)
            began_ns = self._clock_ns()
            digest: Digest | None = None
            with contextlib.suppress(OSError):  # a failing disk: the next sweep asks again
                digest = self._hash_one(job.key)
            with self._condition:
                self._results.append(Hashed(key=job.key, digest=digest, began_ns=began_ns))
            self._wake()

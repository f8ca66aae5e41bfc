"""A stopwatch for processor time: who is measured is stopped while what it calls is measured under a name of its own.

What enters: functions and methods to be timed, each under a lap's name. What leaves: the sums by lap, in a small file
that several processes have in memory: a confined child can open nothing, but goes on writing to what it has.
"""

from __future__ import annotations

import functools
import mmap
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_CELL = struct.Struct("d")


class Stopwatch:
    """Sums of seconds by lap, in `path`. One thread of a process uses it; no two processes use the same lap at a time.

    What is in no lap counts for `rest`, from `begin` on to `pause` and from then on to the next `begin`.
    """

    def __init__(
        self, path: Path, laps: Sequence[str], *, rest: str, clock: Callable[[], float] = time.process_time
    ) -> None:
        size = _CELL.size * len(laps)
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._sums = mmap.mmap(file.fileno(), size)
        self._places = {lap: _CELL.size * number for number, lap in enumerate(laps)}
        self._rest = self._places[rest]
        self._clock = clock
        self._replaced: list[tuple[Any, str, Any]] = []
        self._running: list[int] = []
        self._since = 0.0

    def sums(self) -> dict[str, float]:
        """Seconds by lap, so far."""
        return {lap: _CELL.unpack_from(self._sums, place)[0] for lap, place in self._places.items()}

    def begin(self) -> None:
        """From here on everything counts."""
        self._running = [self._rest]
        self._since = self._clock()

    def pause(self) -> None:
        """What is done until the next `begin` does not count."""
        self._add(self._clock())
        self._running = []

    def time(self, owner: Any, name: str, lap: str) -> None:
        """Puts a timed function in the place of `owner.name`, a module's function or a class's method."""
        function = getattr(owner, name)
        self._replaced.append((owner, name, function))
        setattr(owner, name, self._timed(function, self._places[lap]))

    def put_back(self) -> None:
        """Nothing is timed any more."""
        while self._replaced:
            setattr(*self._replaced.pop())

    def _timed(self, function: Callable[..., Any], place: int) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if not self._running:
                return function(*arguments, **named)
            self._add(self._clock())
            self._running.append(place)
            try:
                return function(*arguments, **named)
            finally:
                self._add(self._clock())
                self._running.pop()

        return timed

    def _add(self, now: float) -> None:
        if self._running:
            place = self._running[-1]
            _CELL.pack_into(self._sums, place, _CELL.unpack_from(self._sums, place)[0] + now - self._since)
        self._since = now


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was added to each lap, in milliseconds."""
    return {lap: 1000 * (after[lap] - before[lap]) for lap in after}

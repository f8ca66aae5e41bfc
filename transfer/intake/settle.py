"""When a dropped file is taken: pure, from observations and instants.

A file has settled when its writer has closed it and it has been quiet for 150 ms, or, where nobody told of a close
(network folders, lost events), when size, mtime and ctime have stood still for the settle time. An empty file is what
many sync clients put first: it is given much longer to fill, and so is one that a drive says is not finished.

What enters: arrivals as a source observes them, what a watcher tells, and instants in seconds of one steady clock.
What leaves: "settled", or the instant at which to look again. Nothing is trusted for longer than until the copy,
which is compared with the source once more when it is done.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from transfer.model.states import Arrival, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRules:
    """Seconds: of standing still, of quiet after a close, and of patience with a file that stays empty."""

    still: float
    quiet: float = 0.15
    empty: float = 600.0


@dataclass(frozen=True, slots=True)
class Settled:
    """It can be taken as it was just observed."""

    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: observe it again at this instant."""

    until: float


@dataclass(frozen=True, slots=True)
class _Watched:
    """`arrival` as last observed, None when only events told of it; `since` when it last changed, `closed` when its
    writer last closed it with no change after that."""

    arrival: Arrival | None
    since: float
    closed: float | None
    until: float


class Settling:
    """What is known of the files that have not settled yet. Not for several threads at once."""

    def __init__(self, rules: SettleRules) -> None:
        self._rules = rules
        self._watched: dict[bytes, _Watched] = {}

    def seen(self, arrival: Arrival, *, at: float) -> Settled | Wait:
        """What this observation means; a settled file is forgotten here."""
        before = self._watched.get(arrival.path)
        if before is None:
            now = _Watched(arrival, since=at, closed=None, until=at)
        elif before.arrival is None:
            now = replace(before, arrival=arrival, since=at)
        elif _same(before.arrival, arrival):
            now = before
        elif before.closed is not None and _same_content(before.arrival, arrival):
            # Times or modes were set after the close, as copying programs do: quiet begins again.
            now = _Watched(arrival, since=at, closed=at, until=at)
        else:
            now = _Watched(arrival, since=at, closed=None, until=at)
        until = self._settles_at(arrival, now)
        if at >= until:
            self._watched.pop(arrival.path, None)
            return Settled(arrival)
        self._watched[arrival.path] = replace(now, until=until)
        return Wait(until)

    def closed(self, path: bytes, *, at: float) -> None:
        """The watcher tells that a writer closed it."""
        before = self._watched.get(path)
        seen = before.arrival if before else None
        since = before.since if before else at
        self._watched[path] = _Watched(seen, since=since, closed=at, until=at + self._rules.quiet)

    def changed(self, path: bytes, *, at: float) -> None:
        """The watcher tells that it was made or written to: an earlier close counts no longer."""
        before = self._watched.get(path)
        seen = before.arrival if before else None
        self._watched[path] = _Watched(seen, since=at, closed=None, until=at + self._rules.still)

    def moved(self, path: bytes, to: bytes, *, at: float) -> None:
        """The watcher tells of a new name: how a download ends. A file closed under its old name is closed."""
        before = self._watched.pop(path, None)
        closed = at if before is not None and before.closed is not None else None
        until = at if closed is None else at + self._rules.quiet  # standing still is counted from the first look
        self._watched[to] = _Watched(None, since=at, closed=closed, until=until)

    def watches(self, path: bytes) -> bool:
        """Whether it is known and has not settled yet, or was not looked at again since."""
        return path in self._watched

    def gone(self, path: bytes) -> None:
        """It is there no longer, or needs no settling."""
        self._watched.pop(path, None)

    def rescanned(self, present: Collection[bytes]) -> None:
        """After a full look at the source: what was not there is forgotten, whatever events were lost."""
        for path in self._watched.keys() - set(present):
            del self._watched[path]

    def due(self, *, at: float) -> list[bytes]:
        """The paths to observe again now, longest due first. Each stays due until it is `seen` or `gone`."""
        over = [(watched.until, path) for path, watched in self._watched.items() if watched.until <= at]
        return [path for _, path in sorted(over)]

    def next_due(self) -> float | None:
        """When to look again, if at all."""
        return min((watched.until for watched in self._watched.values()), default=None)

    def _settles_at(self, arrival: Arrival, now: _Watched) -> float:
        unfinished = arrival.version is not None and arrival.version.unfinished
        if arrival.kind is Kind.FILE and (arrival.size == 0 or unfinished):
            return now.since + self._rules.empty
        if now.closed is not None:
            return now.closed + self._rules.quiet
        return now.since + self._rules.still


def _same(one: Arrival, other: Arrival) -> bool:
    return one.identity == other.identity and one.kind is other.kind


def _same_content(one: Arrival, other: Arrival) -> bool:
    same_file = (one.kind, one.device, one.inode) == (other.kind, other.device, other.inode)
    return same_file and one.size == other.size

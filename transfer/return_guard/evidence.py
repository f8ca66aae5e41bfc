"""Evidence grows old: what lies aside longer than the policy's days is let go, one thing after the other.

What enters: how many days the gateway says (0: for ever), and what the guard itself has named in the folder aside.
What leaves: reports, and nothing on the disk but what was reported. The entry comes first, as the intention:

    found ─▶ hashed ─▶ reported ─▶ the gateway has the entry and says so ─▶ removed, in bounded steps

A crash before the answer: the thing lies there, is found and reported again under the number it was moved under; the
gateway has one entry for it. A crash after the answer: the same, and the answer comes again. So nothing goes without
an entry, and what has an entry goes in the end. Without a gateway nothing is let go.

How old a thing is its name says. A clock that is put forward while the guard runs makes nothing older; one that is
put back keeps everything longer.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from transfer.model.clock import Clock
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.hashing import Hasher
from transfer.return_guard.messages import MAX_SIZE, FromGateway, Keep, Received, Report, Verdict, What
from transfer.return_guard.perimeter import AsideName, FolderPerimeter

AT_ONCE = 200  # names found in one look
STEPS = 500  # removals in one round
LOOK_SECONDS = 3600.0
_SOON_SECONDS = 1.0
_FAILED_REMEMBERED = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Phase(Enum):
    HASHING = auto()
    READY = auto()
    SENT = auto()
    GOING = auto()


class Evidence:
    """At most one thing at a time. `monotonic` is in seconds; `send` is false while it cannot be sent."""

    def __init__(
        self,
        *,
        perimeter: FolderPerimeter,
        hasher: Hasher[AsideName],
        clock: Clock,
        monotonic: Callable[[], float],
        send: Callable[[Report], bool],
    ) -> None:
        self._perimeter = perimeter
        self._hasher = hasher
        self._clock = clock
        self._monotonic = monotonic
        self._send = send
        self._began = (clock.now(), monotonic())
        self._days = 0
        self._next_look = 0.0
        self._found: deque[AsideName] = deque()
        self._failed: dict[str, None] = {}
        self._name: AsideName | None = None
        self._phase = _Phase.HASHING
        self._kind, self._size = Kind.FILE, 0
        self._sha256: Sha256 | None = None

    @property
    def busy(self) -> bool:
        """Whether there is something to do again soon."""
        return self._name is not None and self._phase is _Phase.GOING

    def handle(self, message: FromGateway) -> bool:
        """Whether this message was about evidence."""
        match message:
            case Keep(days):
                self._days, self._next_look = days, 0.0
                self._found.clear()
                return True
            case Received(report, verdict) if self._awaits(report):
                self._phase = _Phase.GOING
                if verdict is not Verdict.LET_GO:
                    self._give_up()
                return True
        return False

    def disconnected(self) -> None:
        """What was sent over the last connection may not have been taken in; days are said anew over the next one."""
        self._days = 0
        self._found.clear()
        if self._phase is _Phase.SENT:
            self._phase = _Phase.READY

    def advance(self, *, connected: bool) -> None:
        """Goes on as far as it can now."""
        self._take_in()
        if self._name is not None and self._phase is _Phase.GOING:
            self._remove(self._name)
        if not connected or self._days == 0:
            return
        if self._name is None:
            self._begin()
        if self._name is not None and self._phase is _Phase.READY and self._send(self._report(self._name)):
            self._phase = _Phase.SENT

    def _awaits(self, report: str) -> bool:
        return self._name is not None and self._phase is _Phase.SENT and self._name.report == report

    def _begin(self) -> None:
        if not self._found and self._monotonic() >= self._next_look:
            self._look()
        while self._found:
            name = self._found.popleft()
            with contextlib.suppress(OSError):
                sight = self._perimeter.look_aside(name, reported=True)
                if sight is None:
                    continue
                self._name, self._kind, self._sha256 = name, sight.kind, None
                self._size = sight.identity.size if sight.kind is Kind.FILE else 0
                self._phase = _Phase.READY
                if sight.kind is Kind.FILE:
                    self._phase = _Phase.HASHING
                    self._hasher.submit(name, sight.identity.size)
                return

    def _look(self) -> None:
        before = self._now() - timedelta(days=self._days)
        milliseconds = (before - _EPOCH) // timedelta(milliseconds=1)
        with contextlib.suppress(OSError):
            for name in self._perimeter.reported():
                if name.milliseconds < milliseconds and name.report not in self._failed:
                    self._found.append(name)
                if len(self._found) >= AT_ONCE:
                    break
        more = len(self._found) >= AT_ONCE
        self._next_look = self._monotonic() + (_SOON_SECONDS if more else LOOK_SECONDS)

    def _now(self) -> datetime:
        """Not later than the time at the start and what has passed since by the steady clock."""
        wall, steady = self._began
        return min(self._clock.now(), wall + timedelta(seconds=self._monotonic() - steady))

    def _take_in(self) -> None:
        for result in self._hasher.results():
            if result.key == self._name and self._phase is _Phase.HASHING:
                if result.digest is not None:
                    self._sha256, self._size = result.digest.sha256, result.digest.identity.size
                self._phase = _Phase.READY

    def _remove(self, name: AsideName) -> None:
        try:
            gone = self._perimeter.discard(name, steps=STEPS)
        except OSError:
            self._give_up()
            return
        if gone:
            self._name = None

    def _give_up(self) -> None:
        """It cannot be removed, or must not be: it stays, and the next life of the guard tries again."""
        if self._name is not None and len(self._failed) < _FAILED_REMEMBERED:
            self._failed[self._name.report] = None
        self._name = None

    def _report(self, name: AsideName) -> Report:
        return Report(
            id=name.report,
            what=What.EXPIRED,
            presence=Presence(
                name_sha256=name.name_sha256,
                kind=self._kind,
                size=min(self._size, MAX_SIZE),
                sha256=self._sha256,
                seen_at=_EPOCH + timedelta(milliseconds=name.milliseconds),
            ),
        )

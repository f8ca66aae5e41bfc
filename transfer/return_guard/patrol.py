"""The guard's rounds: everything in the release folder is looked at, and what does not belong is moved aside at once.

What enters: the gateway's messages, sights of the device's side, hashes. What leaves: messages to the gateway and
things moved aside. Without the gateway's list nothing is moved; once it was there, the guard goes on by it even when
the gateway is gone. No single round costs more than a bounded number of moves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transfer.model.clock import Clock
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.caught import Caught
from transfer.return_guard.hashing import Hashed, Hasher
from transfer.return_guard.messages import (
    Ask,
    Done,
    Expect,
    Expected,
    Forget,
    FromGateway,
    FromGuard,
    ListBegins,
    ListEnds,
    Received,
    Seen,
    SweepNow,
    Verdict,
)
from transfer.return_guard.perimeter import AsideName, FolderPerimeter
from transfer.return_guard.recognise import TICK_NS, Entry, Identity, Judgement, Sight, Watchlist, judge, name_digest

MOVES_A_ROUND = 500
ABSENT_SECONDS = 0.4  # an absence is told once two looks this far apart have seen it
_FRESH_SECONDS = 0.5
_STUCK_REMEMBERED = 1024
_MAX_ASKS = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING = Sight(Kind.FILE, Identity(0, 0, 0, 0, 0))


class Patrol:
    """One thread's work: call `handle` for each message, `sweep` at most a second apart, `advance` in between."""

    def __init__(
        self,
        *,
        perimeter: FolderPerimeter,
        hasher: Hasher[bytes],
        caught: Caught,
        clock: Clock,
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
        send: Callable[[FromGuard], bool],
    ) -> None:
        self._perimeter = perimeter
        self._hasher = hasher
        self._caught = caught
        self._clock = clock
        self._monotonic = monotonic
        self._entropy = entropy
        self._send = send
        self._watchlist: Watchlist | None = None
        self._coming: tuple[int, list[Expected]] | None = None
        self._asks: dict[int, bytes] = {}
        self._sweeps_asked: list[tuple[int, int]] = []
        self._stuck: dict[tuple[bytes, int, int], None] = {}
        self._unsure = 0
        self.sweeps = 0

    @property
    def pending(self) -> int:
        """Reports not yet acknowledged."""
        return self._caught.pending

    @property
    def restless(self) -> bool:
        """Whether the next round should come soon."""
        return self._unsure > 0 or bool(self._asks) or bool(self._sweeps_asked)

    def disconnected(self) -> None:
        """Forgets half a conversation; the watchlist stays."""
        self._coming = None
        self._asks.clear()
        self._sweeps_asked.clear()
        self._caught.send_again()

    def handle(self, message: FromGateway) -> None:
        """One message of the gateway. Raises ValueError if it has no place in the conversation."""
        match message:
            case ListBegins(count):
                self._coming = (count, [])
            case Expect(0, expected):
                if self._coming is None or len(self._coming[1]) >= self._coming[0]:
                    raise ValueError("more names than the list was said to have")
                self._coming[1].append(expected)
            case ListEnds(sequence):
                self._adopt_list()
                self._send(Done(sequence))
            case SweepNow(sequence):
                self._sweeps_asked.append((sequence, self.sweeps))
            case Received(report, verdict):
                self._acknowledged(report, verdict)
            case Expect() | Forget() | Ask():
                self._request(message)

    def sweep(self) -> None:
        """One round. Raises Unavailable if the folder was exchanged, OSError if it cannot be listed."""
        self._perimeter.require_in_place()
        if self._watchlist is None:
            return
        unsure = 0
        for name in self._watchlist:
            entry = self._watchlist.get(name)
            if entry is not None:
                unsure += self._look_at(self._watchlist, name, entry)
        self._unsure = unsure
        if self._clear_foreign(self._watchlist):
            self.sweeps += 1
            if self._unsure == 0 and self._caught.pending == 0:
                self._finish_sweeps()
        else:
            self._unsure += 1

    def advance(self, *, connected: bool) -> None:
        """Takes in what was hashed, answers what was asked, reports what is ready."""
        for result in self._hasher.results():
            if self._watchlist is not None:
                self._take_in(self._watchlist, result)
        self._caught.advance(connected=connected)

    def _adopt_list(self) -> None:
        if self._coming is None or len(self._coming[1]) != self._coming[0]:
            raise ValueError("the list is not as long as it was said to be")
        self._watchlist = Watchlist(self._coming[1], former=self._watchlist)
        self._coming = None

    def _request(self, message: Expect | Forget | Ask) -> None:
        if self._watchlist is None or self._coming is not None:
            raise ValueError("a request before the list")
        match message:
            case Expect(sequence, expected):
                self._watchlist.expect(expected)
                self._send(Done(sequence))
            case Forget(sequence, name):
                self._watchlist.forget(name)
                self._send(Done(sequence))
            case Ask(sequence, name):
                if len(self._asks) >= _MAX_ASKS:
                    raise ValueError("too many questions at once")
                self._asks[sequence] = name.text.encode()
                if self._watchlist.get(name.text.encode()) is None:
                    self._answer(name.text.encode(), None)

    def _acknowledged(self, report: str, verdict: Verdict) -> None:
        name_sha256 = self._caught.acknowledged(report)
        if name_sha256 is None or self._watchlist is None:
            return
        name = self._watchlist.by_digest(name_sha256)
        entry = None if name is None else self._watchlist.get(name)
        if name is None or entry is None:
            return
        if verdict is Verdict.ALTERED:
            self._watchlist.awaits_restoring(name)
        elif entry.missing_report == report:
            self._watchlist.drop(name)  # gone for good: whatever appears under this name now is foreign

    def _look_at(self, watchlist: Watchlist, name: bytes, entry: Entry) -> int:
        """Judges one of ours; 1 if the judgement is still open."""
        now = self._monotonic()
        sight = self._perimeter.look(name)
        judgement = judge(entry, sight, now=now)
        if judgement is Judgement.ABSENT:
            return self._absent(watchlist, name, entry, now)
        entry.absent_since = None
        if judgement is Judgement.FINE or sight is None:
            if judgement is Judgement.GONE:
                watchlist.drop(name)
            self._answer(name, entry.trusted_digest if sight is not None else None)
            return 0
        if judgement is Judgement.ALTERED:
            self._condemn(watchlist, name, sight)
            return 1
        if self._is_fresh(entry, sight, now):
            return 1
        self._hasher.submit(name, sight.identity.size)
        return 1

    def _is_fresh(self, entry: Entry, sight: Sight, now: float) -> bool:
        """Changed so recently that its hash could not be trusted; but nobody can put us off for long."""
        age = int(self._clock.now().timestamp() * 1_000_000_000) - sight.identity.ctime_ns
        if not 0 <= age <= TICK_NS:
            entry.fresh_since = None
            return False
        if entry.fresh_since is None:
            entry.fresh_since = now
        return now - entry.fresh_since < _FRESH_SECONDS

    def _absent(self, watchlist: Watchlist, name: bytes, entry: Entry, now: float) -> int:
        self._answer(name, None)
        digest = name_digest(name)
        if self._caught.concerns(digest):
            return 0  # an earlier life of ours moved it aside; the gateway's answer will say how it goes on
        if entry.absent_since is None:
            entry.absent_since = now
        if now - entry.absent_since < ABSENT_SECONDS:
            return 1
        target = self._aside_name(digest)
        if not self._caught.missing(target, _NOTHING):
            return 1  # too much is waiting to be told: the next round sees it again
        watchlist.awaits_restoring(name)
        entry.missing_report = target.report
        return 0

    def _clear_foreign(self, watchlist: Watchlist) -> bool:
        """Moves aside what nobody expects; false if more may be there than one round takes."""
        moves = 0
        seen_stuck: dict[tuple[bytes, int, int], None] = {}
        for name in self._perimeter.names():
            if watchlist.get(name) is not None:
                continue
            sight = self._perimeter.look(name)
            if sight is None or not watchlist.is_foreign(name, sight):
                continue
            if not self._take(name, sight) and (key := (name, *sight.identity[:2])) in self._stuck:
                seen_stuck[key] = None
            moves += 1
            if moves >= MOVES_A_ROUND:
                return False
        self._stuck = {key: None for key in self._stuck if key in seen_stuck or watchlist.get(key[0]) is not None}
        return True

    def _take(self, name: bytes, sight: Sight) -> bool:
        """Moves one thing aside; whether that was done. First moved, then all the rest."""
        target = self._aside_name(name_digest(name))
        try:
            taken = self._perimeter.move_aside(name, target, condemned=sight)
        except OSError:
            key = (name, *sight.identity[:2])
            if key not in self._stuck and len(self._stuck) < _STUCK_REMEMBERED and self._caught.stuck(target, sight):
                self._stuck[key] = None
            return False
        if taken is None:
            return False
        # A crash here: the name in the folder aside says that it is still to be reported.
        self._caught.moved(target, taken)
        return True

    def _condemn(self, watchlist: Watchlist, name: bytes, sight: Sight) -> None:
        if self._take(name, sight):
            watchlist.awaits_restoring(name)
        self._answer(name, None)

    def _take_in(self, watchlist: Watchlist, result: Hashed[bytes]) -> None:
        name, digest = result.key, result.digest
        entry = watchlist.get(name)
        sight = self._perimeter.look(name)
        if entry is None or digest is None or sight is None or sight.identity[:2] != digest.identity[:2]:
            return  # it was exchanged or taken away meanwhile: the next round judges what is there
        if digest.sha256 is None or entry.accepted.get(digest.sha256) != digest.identity.size:
            self._condemn(watchlist, name, sight)
        elif digest.steady and sight.identity == digest.identity:
            entry.trust(digest.identity, digest.sha256, hashing_began_ns=result.began_ns, now=self._monotonic())
            self._answer(name, digest.sha256)

    def _answer(self, name: bytes, sha256: Sha256 | None) -> None:
        for sequence in [sequence for sequence, asked in self._asks.items() if asked == name]:
            del self._asks[sequence]
            self._send(Seen(sequence, sha256))

    def _finish_sweeps(self) -> None:
        done = [sequence for sequence, before in self._sweeps_asked if self.sweeps > before]
        self._sweeps_asked = [asked for asked in self._sweeps_asked if asked[0] not in done]
        for sequence in done:
            self._send(Done(sequence))

    def _aside_name(self, name_sha256: Sha256) -> AsideName:
        milliseconds = (self._clock.now() - _EPOCH) // timedelta(milliseconds=1)
        return AsideName(max(milliseconds, 0), self._entropy(8).hex(), name_sha256)

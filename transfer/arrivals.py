"""From staging to the spool: sees what is dropped, waits until it has settled, takes it up as an item exactly once.

What enters: sightings and notices of the sources. What leaves: items in the register, spooled or refused at the door.
Events get lost and network folders have none, so that everything is looked at again every `rescan_seconds`; the
register is asked once about each arrival, however long it stays. After a crash the next look finds whatever was not
taken up. When many files wait on the line already, more are taken up only as fast as it carries them, and never slower
than ten a second: what has just been read and written then still is in the memory of the next station.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from transfer.errors import NotSo, Unavailable
from transfer.intake.admit import TurnedAway, admit
from transfer.intake.folder import FolderWatcher, Notice
from transfer.intake.place import is_leftover
from transfer.intake.settle import Settled, SettleRules, Settling
from transfer.model.chronicle import refused_event, spooled_event
from transfer.model.clock import Clock
from transfer.model.ends import Source
from transfer.model.events import Event
from transfer.model.identifiers import ItemId, Sha256, SourceId, item_id_from_entropy
from transfer.model.states import Arrival, Refused, Spooled, State
from transfer.policy.decide import decide
from transfer.policy.rules import CampaignStanding, Evidence, Policy
from transfer.store.blobs import Blobs
from transfer.store.database import Database
from transfer.store.register import Register
from transfer.watched import Watched


class Claims:
    """The bytes that files on their way into the spool may yet take of its disk. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed = 0

    @contextmanager
    def of(self, size: int) -> Iterator[int]:
        """While a file of this size is taken up: how much the others that are being taken up may need."""
        with self._lock:
            others = self._claimed
            self._claimed += size
        try:
            yield others
        finally:
            with self._lock:
                self._claimed -= size


@dataclass(frozen=True, kw_only=True)
class Taking:
    """What taking up an arrival needs. For any thread: the reserve holds however many are taken up at once."""

    db: Database
    register: Register
    blobs: Blobs
    policy: Policy
    clock: Clock
    entropy: Callable[[int], bytes]
    reserve: int
    claims: Claims = field(default_factory=Claims)

    def take(self, arrival: Arrival, source: Source) -> ItemId | None:
        """The new item; None if it is known already, changed meanwhile, or is nothing anybody dropped.

        The caller has asked whether it is known; should another have taken it up since, the register refuses it.
        Raises Unavailable: the source, the spool or the disk fails; it stays where it is.
        """
        with self.claims.of(self._spooling(arrival)) as others:
            return self._take(arrival, source, reserve=self.reserve + others)

    def _spooling(self, arrival: Arrival) -> int:
        """How much of the spool's disk it takes at most; what is larger than anything may be is only hashed."""
        return arrival.size if arrival.size <= self.policy.limits.any_bytes else 0

    def _take(self, arrival: Arrival, source: Source, *, reserve: int) -> ItemId | None:
        answer = admit(
            arrival,
            source=source,
            blobs=self.blobs,
            limits=self.policy.limits,
            allowed_suffixes=self.policy.allowed_suffixes,
            item=item_id_from_entropy(self.entropy(5)),
            clock=self.clock,
            hash_limit=self.policy.hash_limit_bytes,
            reserve=reserve,
        )
        if answer is None:
            return None
        record, event = self._recorded(answer)
        try:
            with self.db.write() as tx:
                if isinstance(record, Spooled) and not self.blobs.has_raw(record.raw.sha256):
                    return None  # an equal file was let go a moment ago, and this blob with it: start over
                self.register.enter(tx, record, event)
        except NotSo:  # another look took it up a moment ago
            return None
        return record.arrived.item

    def _recorded(self, answer: Spooled | TurnedAway) -> tuple[Spooled | Refused, Event]:
        if isinstance(answer, Spooled):
            return answer, spooled_event(answer)
        refused = self._turned_away(answer)
        return refused, refused_event(refused, private=answer.private)

    def _turned_away(self, answer: TurnedAway) -> Refused:
        arrived = answer.arrived
        evidence = Evidence(
            name=arrived.name,
            post=arrived.post,
            findings=answer.findings,
            media=None,
            scans=(),
            campaign=CampaignStanding.APPROVED if arrived.campaign else CampaignStanding.UNKNOWN,
            returning=False,
        )
        verdict = decide(evidence, self.policy)
        return Refused(
            arrived=arrived,
            reached=State.ARRIVED,
            sha256=answer.sha256,
            size=answer.size,
            media=None,
            reasons=verdict.reasons,
            policy_sha256=Sha256(verdict.policy_sha256),
            findings=answer.findings,
        )


_AHEAD = 64  # so many may wait on the line before intake lets it catch up
_CROWDED_PAUSE = 0.1


class Arrivals:
    """Watches the sources. `round` and `next_due` belong to one thread; notices may come from any."""

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        taking: Taking,
        rules: Callable[[SourceId], SettleRules],
        rescan_seconds: float,
        monotonic: Callable[[], float],
        taken: Callable[[ItemId], None],
        wake: Callable[[], None],
        ahead: Callable[[], int],
    ) -> None:
        self.stillness = max((rules(source.id).still for source in sources), default=0.0)  # seconds, the longest
        self._watched = [Watched(source, Settling(rules(source.id))) for source in sources]
        self._taking = taking
        self._rescan_seconds = rescan_seconds
        self._monotonic = monotonic
        self._taken = taken
        self._wake = wake
        self._ahead = ahead
        self._room = self._took = 0  # how many the last round might take up, and did
        self._rescan_at = 0.0

    def teller(self, number: int) -> Callable[[Notice], None]:
        """What the watcher of source `number` calls with its news."""
        watched = self._watched[number]

        def tell(notice: Notice) -> None:
            watched.put(notice, self._monotonic())
            self._wake()

        return tell

    def rescan_now(self) -> None:
        """The next round looks at everything."""
        self._rescan_at = 0.0

    def round(self) -> float:
        """Takes up what has settled; the seconds until there may be something again. Raises Unavailable."""
        now = self._monotonic()
        self._room, self._took = max(1, _AHEAD - self._ahead()), 0
        full = now >= self._rescan_at
        if full:
            self._rescan_at = now + self._rescan_seconds
        missing: list[Unavailable] = []
        for watched in self._watched:
            try:
                self._round_of(watched, full=full)
            except Unavailable as error:  # the other sources do not wait for this one
                missing.append(error)
        if missing:
            raise missing[0]
        dues = [due for watched in self._watched if (due := watched.settling.next_due()) is not None]
        return max(_CROWDED_PAUSE if self.crowded else 0.0, min([self._rescan_at, *dues]) - self._monotonic())

    @property
    def crowded(self) -> bool:
        """Whether the last round left settled files where they are, for the line to catch up.

        Others may take up files beside these: then the line is full though few of its items are of this round.
        """
        return self._took >= self._room or (self._took > 0 and self._ahead() >= _AHEAD)

    @property
    def unsettled(self) -> int:
        """How many files are being waited for."""
        return sum(watched.settling.next_due() is not None for watched in self._watched)

    def _round_of(self, watched: Watched, *, full: bool) -> None:
        watched.apply_news()
        if full:
            seen, waiting = set[bytes](), set[bytes]()
            for arrival in watched.source.sightings():
                seen.add(arrival.path)
                if self._concerns_us(watched, arrival):
                    waiting.add(arrival.path)
                    if not (self.crowded and watched.settling.watches(arrival.path)):
                        self._look(watched, arrival)
            watched.settling.rescanned(waiting)
            watched.forget_all_but(seen)
        for path in watched.settling.due(at=self._monotonic()):
            if self.crowded:
                break
            found = watched.source.observe(path)
            if found is None or not self._concerns_us(watched, found):
                watched.settling.gone(path)
            else:
                self._look(watched, found)

    def _concerns_us(self, watched: Watched, arrival: Arrival) -> bool:
        if is_leftover(arrival.path):
            return False
        known = watched.remembered(arrival)
        if known is None:
            with self._taking.db.read() as tx:
                known = self._taking.register.known(tx, arrival)
            watched.remember(arrival, known=known)
        return not known

    def _look(self, watched: Watched, arrival: Arrival) -> None:
        answer = watched.settling.seen(arrival, at=self._monotonic())
        if not isinstance(answer, Settled):
            return
        self._took += 1
        item = self._taking.take(answer.arrival, watched.source)
        if item is None:
            watched.forget(arrival.path)
            return
        watched.remember(answer.arrival, known=True)
        self._taken(item)


class Watchers:
    """Keeps a watcher alive for each folder; where there can be none, the rescans alone have to do."""

    def __init__(self, watchers: Iterable[FolderWatcher]) -> None:
        self._watchers = list(watchers)

    def tend(self) -> bool:
        """Starts those that do not run; whether any had to be started, so that everything must be looked at again."""
        started = False
        for watcher in self._watchers:
            if not watcher.alive:
                watcher.stop()
                with contextlib.suppress(Unavailable):
                    watcher.start()
                    started = True
        return started

    def stop(self) -> None:
        """Ends all."""
        for watcher in self._watchers:
            watcher.stop()

"""The gateway: the loops of one workspace, from start to stop.

    arrivals    staging → spool                      one thread for all folders, one for each source in OneDrive
    line        spool → verdict                      one thread a sandbox worker
    departures  approval → device's side and back    one thread
    log         signs and publishes                  one thread
    receipts    proofs of releases and refusals      one thread
    notices     feedback files, the live view        one thread
    upkeep      retention, campaigns, clock          one thread
    scanner     its tests; what it is to see again   one thread
    selfcheck   verifies the whole log once a day    one thread
    onedrive    what OneDrive makes us wait for      one thread, if there is a drive

What enters: the parts, put together by the wiring, after the process has confined itself. What leaves: nothing but
what the parts do. Another process that decides something changes the database; this one notices by its data version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from transfer import __version__
from transfer.audit.publish import Publisher
from transfer.audit.receipt_files import ReceiptFiles
from transfer.departures import Departures
from transfer.doors import Doors
from transfer.drive_watch import DriveWatch
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.footing import Footing
from transfer.loops import Bell, Condition, Loop, alarm_of, kept
from transfer.model.events import Event, EventName, Json
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.states import State
from transfer.notices import Notices
from transfer.pipeline import Line
from transfer.policy.canonical import hashed_text
from transfer.return_guard.post import Post
from transfer.scanner_watch import ScannerWatch
from transfer.store.adoption import POLICY, SETTINGS, adopt, keep_policy_text
from transfer.store.queues import held_waiting, judged_otherwise
from transfer.upkeep import Upkeep
from transfer.worklist import Worklist

_ALL = 1_000_000
_IDLE_SECONDS = 0.5
_NOTICES_REST_SECONDS = 0.25  # so that many items at once are told of together; a single one is told of at once
_GUARD_SECONDS = 3.0
_ROUND_SECONDS = 30.0
_LAST_SECONDS = 10.0  # for all loops together to end what they are at
_A_DAY = 86_400.0


@dataclass(kw_only=True)
class Gateway:
    """One running gateway. `facts` describe this run for the log: valve, scanner; `settings_sha256` what it adopts."""

    line: Line
    footing: Footing
    doors: Doors
    departures: Departures
    notices: Notices
    upkeep: Upkeep
    watch: ScannerWatch
    drives: DriveWatch
    publisher: Publisher
    receipts: ReceiptFiles
    post: Post
    worklist: Worklist
    workers: int
    publish_seconds: float
    settings_sha256: Sha256
    valve_complete: bool
    facts: dict[str, Json]
    monotonic: Callable[[], float]
    arrivals_bell: Bell
    departures_bell: Bell
    notices_bell: Bell = field(default_factory=Bell)
    selfcheck: Callable[[], float] | None = None  # verifies the log if it is time; the seconds until it asks again
    receipts_bell: Bell = field(default_factory=Bell)
    condition: Condition = field(default_factory=Condition)
    year_is_over: Callable[[], bool] = lambda: False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Checks the log, adopts policy and settings, opens the post; records start and stop. Raises Tampered."""
        report = self.publisher.check_start()
        self.line.blobs.sweep_temporaries()
        self._adopt()
        self._record(EventName.GATEWAY_STARTED, {**self.facts, "entries_checked": report.entries_checked})
        if not self.valve_complete:
            self._record(EventName.VALVE_OPEN, {})
        self.notices.begin()
        self.drives.begin()
        self.post.start()
        try:
            self._resume()
            yield
        finally:
            self.condition.stopping.set()
            self.doors.stop()
            self.post.close()
            self.line.media.close()
            self.line.residue.close()
            self.line.scanner.close()
            self.drives.close()
            self._last_words()

    def serve(self, ready: Callable[[], None]) -> None:
        """Runs until stopped. Raises the alarm, if one ended it."""
        loops = self._loops()
        self.arrivals_bell.connect(loops["arrivals"].wake)
        self.departures_bell.connect(loops["departures"].wake)
        self.notices_bell.connect(loops["notices"].wake)
        self.receipts_bell.connect(loops["receipts"].wake)
        for loop in loops.values():
            loop.start()
        ready()
        seen = 0
        while not self.condition.stopping.wait(0.2):
            if (version := self.line.db.data_version()) != seen:
                seen = version
                for name in ("departures", "notices"):
                    loops[name].wake()
            if self.post.fault is not None:
                self.condition.sound(alarm_of(self.post.fault))
            self._check_ground()
        for loop in loops.values():
            loop.wake()
        until = self.monotonic() + _LAST_SECONDS
        for loop in loops.values():  # one that waits for a drive ends with the drive's connections
            loop.join(max(0.0, until - self.monotonic()))
        if self.condition.alarm is not None:
            raise self.condition.alarm

    def _check_ground(self) -> None:
        """Whether the folders are still those it was started with, and the log's shard is the one of this year."""
        try:
            self.footing.check()
        except (Unavailable, Tampered) as moved:
            self.condition.sound(moved)
        if self.year_is_over():
            over = "A year is over, and the log goes on in its next shard."
            self.condition.sound(Unavailable(over, advice="The gateway starts again for it."))

    def once(self) -> None:
        """One sweep of the guard, then all that is there as far as it can go. Raises Unavailable if it could not."""
        missing: list[Unavailable] = []
        workers = [self._line_loop(number, left=missing) for number in range(self.workers)]
        for worker in workers:
            worker.start()
        with kept(missing):
            self._meet_guard()
        with kept(missing):
            self.doors.take_what_settles(_ROUND_SECONDS, stopping=self.condition.stopping)
        self._patiently(self.worklist.wait_until_idle, _A_DAY)
        for rounds in (self.departures.round, self.notices.round, self._publish, self.receipts.round):
            with kept(missing):
                while not self.condition.stopping.is_set() and rounds():
                    pass
        self.condition.stopping.set()
        for worker in workers:
            worker.join(10)
        if self.condition.alarm is not None:
            raise self.condition.alarm
        if missing:
            raise missing[0]

    def _meet_guard(self) -> None:
        if self._patiently(self.post.wait_until_alive, _ROUND_SECONDS):
            self.post.sweep(_ROUND_SECONDS)
        elif not self.condition.stopping.is_set():
            raise Unavailable(
                "The guard of the device's side did not come.", advice="`transfer doctor` tells what is in its way."
            )

    def _patiently(self, wait: Callable[[float], bool], seconds: float) -> bool:
        """Whether what is waited for came within this time; being stopped ends the wait."""
        until = self.monotonic() + seconds
        while not self.condition.stopping.is_set() and self.monotonic() < until:
            if wait(_IDLE_SECONDS):
                return True
        return False

    def _loops(self) -> dict[str, Loop]:
        bodies: dict[str, tuple[Callable[[], bool | float], float]] = {
            **{name: (body, 1.0) for name, body in self.doors.rounds().items()},
            "departures": (self._depart, 1.0),
            "log": (self._publish, self.publish_seconds),
            "receipts": (self.receipts.round, self.publish_seconds),
            "upkeep": (lambda: self._again(self.upkeep.round()), 1.0),
            "scanner": (lambda: self._again(self.watch.round()), 3.0),
        }
        if self.drives.drives:
            bodies["onedrive"] = (self.drives.round, 1.0)
        if self.selfcheck is not None:
            bodies["selfcheck"] = (self.selfcheck, 60.0)
        loops = {
            name: Loop(name, body, period=period, condition=self.condition) for name, (body, period) in bodies.items()
        }
        notices = Loop("notices", self.notices.round, period=1.0, rest=_NOTICES_REST_SECONDS, condition=self.condition)
        lines = [self._line_loop(number) for number in range(self.workers)]
        return {**loops, "notices": notices, **{line.name: line for line in lines}}

    def _line_loop(self, number: int, *, left: list[Unavailable] | None = None) -> Loop:
        return Loop(f"line-{number}", lambda: self._carry(left), period=0.0, condition=self.condition)

    def _depart(self) -> bool:
        self.post.wait_until_alive(_GUARD_SECONDS)  # it starts beside us, and comes back within this after a fall
        return self.departures.round()

    def _carry(self, left: list[Unavailable] | None) -> bool:
        """One item. Without its scanner, disk or child it is tried again; in a single round it is left where it is."""
        item = self.worklist.take(_IDLE_SECONDS)
        if item is None:
            return True
        try:
            with suppress(NotSo):  # somebody decided about it a moment ago: that decision stands
                self.line.carry(item)
        except Unavailable as error:
            if left is None:
                self.worklist.add([item])
                raise
            left.append(error)
        finally:
            self.worklist.done()
            self.notices_bell.ring()
        return True

    def _publish(self) -> bool:
        if self.publisher.sign() is not None:
            self.receipts_bell.ring()
        self.publisher.publish()
        return False

    def _again(self, items: list[ItemId]) -> bool:
        self.worklist.add(items)
        return False

    def _adopt(self) -> None:
        """Puts the policy and the settings in force."""
        policy = self.line.policy
        event = Event(name=EventName.POLICY_ADOPTED, facts={"policy": policy.name, "sha256": policy.sha256})
        settings = Event(name=EventName.SETTINGS_ADOPTED, facts={"sha256": self.settings_sha256})
        with self.line.db.write() as tx:
            adopt(tx, POLICY, Sha256(policy.sha256), event, recorder=self.line.recorder)
            adopt(tx, SETTINGS, self.settings_sha256, settings, recorder=self.line.recorder)
            keep_policy_text(tx, hashed_text(policy))

    def _resume(self) -> None:
        """What a crash or a stop left on the line, what was judged by another policy, and what may wait no longer.

        Among what waits for a review is what nobody could read: what reads it may have been installed since.
        """
        states = [State.SPOOLED, State.EXAMINED, State.REBUILT]
        waits = [WaitingFor.CAMPAIGN, WaitingFor.SCANNER, WaitingFor.REVIEW]
        with self.line.db.read() as tx:
            self.worklist.add(self.line.register.in_states(tx, states, limit=_ALL))
            self.worklist.add(held_waiting(tx, waits, limit=_ALL))
            self.worklist.add(judged_otherwise(tx, Sha256(self.line.policy.sha256), limit=_ALL))

    def _record(self, name: EventName, facts: dict[str, Json]) -> None:
        with self.line.db.write() as tx:
            self.line.recorder.append(tx, Event(name=name, facts=facts))

    def _last_words(self) -> None:
        """The end of an orderly stop, published; where that fails, the next start finds what is missing."""
        try:
            self._record(EventName.GATEWAY_STOPPED, {"version": __version__})
            self._publish()
            self.receipts.round()
        except Unavailable:
            return
        except Tampered:
            if self.condition.alarm is None:  # otherwise that is what ends it, and what is told
                raise

"""The guard's process: it sees the device's side and one socket, and nothing else.

What enters: three paths and what the kernel says about the release folder. What leaves: messages to the gateway.
Events of the folder bring a round at once; without any there is one at least every second, for events get lost.
It runs until it is killed, and may be killed at any instant.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from transfer.model.clock import Clock
from transfer.return_guard.caught import Caught
from transfer.return_guard.evidence import Evidence
from transfer.return_guard.hashing import Hasher
from transfer.return_guard.line import Bell, Line
from transfer.return_guard.link import receive
from transfer.return_guard.messages import Beat, Hello
from transfer.return_guard.packets import parse_from_gateway
from transfer.return_guard.patrol import Patrol
from transfer.return_guard.perimeter import AsideName, FolderPerimeter

_ROUND_SECONDS = 0.5
_SOON_SECONDS = 0.1
_TICK_SECONDS = 0.05
_BEAT_SECONDS = 0.25
_HASH_LIMIT = 64 << 30  # bytes; of ours, longer than the gateway would ever send
_FOREIGN_HASH_LIMIT = 8 << 30  # a planted file is hashed up to this size; beyond it is recorded by its size alone
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]


class _Events(FileSystemEventHandler):
    """Whatever happens in the folder wakes the loop."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002 - what happened is looked up
        self._bell.ring()


def run_guard(
    *,
    release: Path,
    aside: Path,
    socket_path: Path,
    confine: Callable[[], None],
    clock: Clock,
    monotonic: Callable[[], float],
    entropy: Callable[[int], bytes],
    host: int | None = None,
) -> None:
    """Guards until it is killed. `confine` is called before any thread starts or any foreign byte is read. `host` is
    the gateway's user, where it is not our own.

    Raises Misuse if the folders cannot be guarded, Unavailable if the release folder was exchanged.
    """
    confine()
    perimeter = FolderPerimeter(release=release, aside=aside)
    wake = Bell()
    line = Line(socket_path, host, monotonic)

    def clock_ns() -> int:
        return int(clock.now().timestamp() * 1_000_000_000)

    ours: Hasher[bytes] = Hasher(
        hash_one=lambda name: perimeter.digest(name, limit=_HASH_LIMIT), wake=wake.ring, clock_ns=clock_ns, name="ours"
    )
    foreign: Hasher[AsideName] = Hasher(
        hash_one=lambda name: perimeter.digest_aside(name, limit=_FOREIGN_HASH_LIMIT),
        wake=wake.ring,
        clock_ns=clock_ns,
        name="foreign",
    )
    aged: Hasher[AsideName] = Hasher(
        hash_one=lambda name: perimeter.digest_aside(name, limit=_FOREIGN_HASH_LIMIT, reported=True),
        wake=wake.ring,
        clock_ns=clock_ns,
        name="aged",
    )
    evidence = Evidence(perimeter=perimeter, hasher=aged, clock=clock, monotonic=monotonic, send=line.send)
    caught = Caught(perimeter=perimeter, hasher=foreign, monotonic=monotonic, send=line.send)
    patrol = Patrol(
        perimeter=perimeter,
        hasher=ours,
        caught=caught,
        clock=clock,
        monotonic=monotonic,
        entropy=entropy,
        send=line.send,
    )
    observer = Observer()
    with contextlib.suppress(OSError):  # no inotify watch to be had: the rounds alone will do
        observer.schedule(_Events(wake), str(release), recursive=False, event_filter=_EVENTS)
        observer.start()
    for hasher in (ours, foreign, aged):
        hasher.start()
    _Loop(patrol=patrol, caught=caught, evidence=evidence, line=line, wake=wake, monotonic=monotonic).run()


class _Loop:
    def __init__(
        self,
        *,
        patrol: Patrol,
        caught: Caught,
        evidence: Evidence,
        line: Line,
        wake: Bell,
        monotonic: Callable[[], float],
    ) -> None:
        self._patrol = patrol
        self._caught = caught
        self._evidence = evidence
        self._line = line
        self._wake = wake
        self._monotonic = monotonic
        self._next_round = 0.0
        self._next_beat = 0.0
        self._pause_until = 0.0  # a flood of events must not make rounds follow without a breath

    def run(self) -> None:
        while True:
            if self._line.reach():
                self._patrol.disconnected()  # whatever was half said over an earlier connection
                self._evidence.disconnected()
                self._line.send(Hello())
            self._wait()
            self._listen()
            self._patrol.advance(connected=self._line.connection is not None)
            self._evidence.advance(connected=self._line.connection is not None)
            if self._monotonic() >= max(self._next_round, self._pause_until):
                self._round()
                self._patrol.advance(connected=self._line.connection is not None)
            self._line.flush()

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._wake.reader, select.POLLIN)
        if self._line.connection is not None:
            backlog = select.POLLOUT if self._line.backlog else 0
            poller.register(self._line.connection, select.POLLIN | backlog)
        soon = self._caught.settling or self._evidence.busy or self._line.connection is None
        tick = _TICK_SECONDS if soon else _ROUND_SECONDS
        until_round = max(self._next_round, self._pause_until) - self._monotonic()
        ready = dict(poller.poll(max(0.0, min(tick, until_round)) * 1000))
        if self._wake.reader in ready:
            self._wake.clear()
            self._next_round = 0.0

    def _listen(self) -> None:
        """Takes in all packets that are there; a word out of place ends the connection, and a new one begins anew."""
        try:
            while self._line.connection is not None:
                packet = receive(self._line.connection)
                if packet is None:
                    raise ConnectionResetError
                message = parse_from_gateway(packet)
                if not self._evidence.handle(message):
                    self._patrol.handle(message)
                if self._patrol.restless:
                    self._next_round = 0.0
        except BlockingIOError:
            return
        except (OSError, ValueError):
            self._line.close()

    def _round(self) -> None:
        began = self._monotonic()
        with contextlib.suppress(OSError):  # a failing disk: no round, no heartbeat, no release, until it recovers
            self._patrol.sweep()
            if began >= self._next_beat:
                self._line.send(Beat(self._patrol.sweeps, self._patrol.pending))
                self._next_beat = began + _BEAT_SECONDS
        ended = self._monotonic()
        cost = ended - began
        self._pause_until = ended + min(cost, 0.2)
        self._next_round = ended + (_SOON_SECONDS if self._patrol.restless else max(_ROUND_SECONDS - cost, 0.1))

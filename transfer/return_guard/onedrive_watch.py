"""The process of the guard of a release folder in OneDrive: it sees that folder, the one aside and one socket.

    the rounds   ask the service, judge, move aside                   one thread
    the talk     hears the gateway, tells it, beats                   one thread

What enters: clients that list and move, and the path of the gateway's socket. What leaves: messages to the gateway. It
beats only while it has looked at everything a short time ago: a guard that cannot see counts as none. It runs until it
is killed, and may be killed at any instant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transfer.graph.lister import Lister
from transfer.model.clock import Clock
from transfer.return_guard.line import Bell, Line
from transfer.return_guard.onedrive_audit import DriveAudit
from transfer.return_guard.onedrive_cases import Cases
from transfer.return_guard.onedrive_evidence import DriveEvidence
from transfer.return_guard.onedrive_patrol import DrivePatrol
from transfer.return_guard.onedrive_perimeter import OneDrivePerimeter
from transfer.return_guard.onedrive_permissions import Device
from transfer.return_guard.onedrive_recognise import Hand
from transfer.return_guard.onedrive_roll import Roll
from transfer.return_guard.onedrive_rounds import Rounds
from transfer.return_guard.onedrive_talk import Talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is guarded, and by what it is judged. Seconds between two looks at the folder, and at who may reach it."""

    release: Lister
    aside: Lister
    hand: Hand
    device: Device
    known: tuple[str, ...]
    poll_seconds: float
    audit_seconds: float


def run_drive_guard(
    watched: Watched,
    *,
    socket_path: Path,
    clock: Clock,
    monotonic: Callable[[], float],
    entropy: Callable[[int], bytes],
    host: int | None = None,
) -> None:
    """Guards until it is killed; the process has confined itself before. `host` is the gateway's user, where it is not
    our own. Raises whatever is a defect of ours in either thread."""
    bell, roll, cases = Bell(), Roll(), Cases()
    perimeter = OneDrivePerimeter(release=watched.release, aside=watched.aside)
    evidence = DriveEvidence(perimeter=perimeter, cases=cases, clock=clock, monotonic=monotonic)
    audit = DriveAudit(
        release=watched.release,
        aside=watched.aside.folder,
        device=watched.device,
        known=watched.known,
        every=watched.audit_seconds,
        monotonic=monotonic,
    )
    patrol = DrivePatrol(
        release=watched.release,
        perimeter=perimeter,
        roll=roll,
        cases=cases,
        hand=watched.hand,
        clock=clock,
        monotonic=monotonic,
        entropy=entropy,
        absent_seconds=watched.poll_seconds,
    )
    rounds = Rounds(
        patrol=patrol,
        evidence=evidence,
        audit=audit,
        poll_seconds=watched.poll_seconds,
        monotonic=monotonic,
        rang=bell.ring,
    )
    talk = Talk(
        line=Line(socket_path, host, monotonic),
        bell=bell,
        roll=roll,
        cases=cases,
        rounds=rounds,
        waiting=watched.release.waiting,
        clock=clock,
        monotonic=monotonic,
    )
    rounds.start()
    talk.run()

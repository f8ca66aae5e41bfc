"""What was moved aside, until the gateway has it in the log: settle, hash, report, and only then forget.

What enters: things just moved aside, and those that an earlier life of the guard left unreported. What leaves:
reports, at most `WINDOW` unacknowledged at a time. The truth is the names in the folder aside; memory holds at most
`ROOM` of them, so that a flood of planted files costs the guard no more than that.

    moved ─▶ settling (a writer may still be at it) ─▶ hashing ─▶ ready ─▶ sent ─▶ acknowledged: renamed to .done
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.hashing import Hasher
from transfer.return_guard.messages import MAX_SIZE, Report, What
from transfer.return_guard.perimeter import AsideName, FolderPerimeter
from transfer.return_guard.recognise import Sight

WINDOW = 16
ROOM = 4096
QUIET_SECONDS = 0.15
MAX_SETTLING_SECONDS = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Phase(Enum):
    SETTLING = auto()
    HASHING = auto()
    READY = auto()
    SENT = auto()


@dataclass(slots=True, kw_only=True)
class _Case:
    what: What
    name: AsideName
    sight: Sight
    phase: _Phase
    sha256: Sha256 | None = None
    since: float = 0.0
    quiet_since: float = 0.0


class Caught:
    """All that is to be reported. `monotonic` is in seconds; `send` is false while it cannot be sent."""

    def __init__(
        self,
        *,
        perimeter: FolderPerimeter,
        hasher: Hasher[AsideName],
        monotonic: Callable[[], float],
        send: Callable[[Report], bool],
    ) -> None:
        self._perimeter = perimeter
        self._hasher = hasher
        self._monotonic = monotonic
        self._send = send
        self._cases: dict[str, _Case] = {}
        self._more_aside = True  # an earlier life may have left some

    @property
    def pending(self) -> int:
        """How much is not acknowledged yet; at least one while more may lie aside."""
        return len(self._cases) + self._more_aside

    @property
    def settling(self) -> bool:
        """Whether something must be looked at again soon."""
        return any(case.phase is _Phase.SETTLING for case in self._cases.values())

    def moved(self, name: AsideName, sight: Sight) -> None:
        """Something was just moved aside, or found there."""
        if len(self._cases) >= ROOM:
            self._more_aside = True  # its name in the folder aside keeps it
            return
        now = self._monotonic()
        phase = _Phase.SETTLING if sight.kind is Kind.FILE else _Phase.READY
        self._cases[name.report] = _Case(
            what=What.MOVED, name=name, sight=sight, phase=phase, since=now, quiet_since=now
        )

    def stuck(self, name: AsideName, sight: Sight) -> bool:
        """Something foreign could not be moved: reported as it stands, without a digest. False: no room now."""
        return self._tell(What.STUCK, name, sight)

    def missing(self, name: AsideName, sight: Sight) -> bool:
        """Something of ours is gone. False: no room now."""
        return self._tell(What.MISSING, name, sight)

    def concerns(self, name_sha256: Sha256) -> bool:
        """Whether something about this name is still to be acknowledged."""
        return any(case.name.name_sha256 == name_sha256 for case in self._cases.values())

    def acknowledged(self, report: str) -> Sha256 | None:
        """The gateway has it; the digest of the name it was about, or None if no such report is known."""
        case = self._cases.pop(report, None)
        if case is None:
            return None
        if case.what is What.MOVED:
            self._perimeter.mark_reported(case.name)
        return case.name.name_sha256

    def send_again(self) -> None:
        """A new connection: what was sent over the last one may not have been taken in."""
        for case in self._cases.values():
            if case.phase is _Phase.SENT:
                case.phase = _Phase.READY

    def advance(self, *, connected: bool) -> None:
        """Moves every case one phase further where it can go."""
        if self._more_aside and len(self._cases) < ROOM // 2:
            self._take_up()
        for result in self._hasher.results():
            case = self._cases.get(result.key.report)
            if case is not None and case.phase is _Phase.HASHING:
                if result.digest is not None:
                    case.sha256 = result.digest.sha256
                    case.sight = Sight(Kind.FILE, result.digest.identity)  # the size that was hashed
                case.phase = _Phase.READY
        window = WINDOW - sum(case.phase is _Phase.SENT for case in self._cases.values())
        for case in self._cases.values():
            if case.phase is _Phase.SETTLING:
                self._settle(case)
            if case.phase is _Phase.READY and connected and window > 0 and self._send(_report(case)):
                case.phase = _Phase.SENT
                window -= 1

    def _tell(self, what: What, name: AsideName, sight: Sight) -> bool:
        if len(self._cases) >= ROOM:
            return False
        self._cases[name.report] = _Case(what=what, name=name, sight=sight, phase=_Phase.READY)
        return True

    def _take_up(self) -> None:
        self._more_aside = False
        with contextlib.suppress(OSError):
            for name in self._perimeter.unreported():
                if name.report in self._cases:
                    continue
                sight = self._perimeter.look_aside(name)
                if sight is not None:
                    self.moved(name, sight)
                if self._more_aside:
                    break

    def _settle(self, case: _Case) -> None:
        now = self._monotonic()
        sight = None
        with contextlib.suppress(OSError):
            sight = self._perimeter.look_aside(case.name)
        if sight is None or sight.kind is not Kind.FILE:  # taken away again: what was seen of it is reported
            case.phase = _Phase.READY
            return
        if sight.identity != case.sight.identity:
            case.sight, case.quiet_since = sight, now
        if now - case.quiet_since >= QUIET_SECONDS or now - case.since >= MAX_SETTLING_SECONDS:
            case.phase = _Phase.HASHING
            self._hasher.submit(case.name, sight.identity.size)


def _report(case: _Case) -> Report:
    return Report(
        id=case.name.report,
        what=case.what,
        presence=Presence(
            name_sha256=case.name.name_sha256,
            kind=case.sight.kind,
            size=min(case.sight.identity.size, MAX_SIZE) if case.sight.kind is Kind.FILE else 0,
            sha256=case.sha256,
            seen_at=_EPOCH + timedelta(milliseconds=case.name.milliseconds),
        ),
    )

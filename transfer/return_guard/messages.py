"""What the gateway and the guard say to each other: small, typed, bounded messages, one a packet. Pure.

The gateway says what is ours; the guard says what it found. `packets` turns each of these types into bytes and back.
From the guard come only fixed-shape facts: digests, sizes, times and identifiers, never a name and never content.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from transfer.model.drive import DriveMark
from transfer.model.ends import Expectation, Presence
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.return_guard.breaches import Breach, Place

VERSION = 2
MAX_MESSAGE = 1024  # bytes; the longest real one is an Expect with two names of 180 bytes and an item's id
MAX_SIZE = 2**53 - 1  # what a number in the log can hold; anything larger is reported as this
MAX_EXPECTED = 1_000_000
MAX_DAYS = 36_500
MAX_ITEM_ID = 255  # characters of the id of an item in a drive
MAX_BREACHES = 12  # told one by one; of more only how many there are
LAST_MILLISECOND = 253_402_300_799_999  # since 1970: the end of the year 9999


class Stage(IntEnum):
    """How an expected name stands: not yet there, there, or about to be taken back."""

    COMING = 1
    PLACED = 2
    LEAVING = 3


class What(IntEnum):
    """What a report is about: something moved aside, something that will not move, something gone, something that
    lies aside longer than it is to be kept, or something of ours that OneDrive itself changed, and which stays."""

    MOVED = 1
    STUCK = 2
    MISSING = 3
    EXPIRED = 4
    REWRITTEN = 5


class Verdict(IntEnum):
    """The gateway's answer to a report, given once its entry is durable."""

    FOREIGN = 1
    ALTERED = 2
    REMOVED = 3
    KNOWN = 4  # reported before, or no longer of interest
    LET_GO = 5  # its days are over and the log has it: it may be removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A name that is ours. `temporary` may stand, up to `size` bytes long, while the stage is COMING. `mark` tells the
    guard of a folder in OneDrive what the bytes are known by there."""

    stage: Stage
    name: SafeName
    temporary: SafeName
    sha256: Sha256
    size: int
    mark: DriveMark | None = None


def as_expected(expectation: Expectation, stage: Stage) -> Expected:
    """What the line expects, as the guard is told it."""
    return Expected(
        stage=stage,
        name=expectation.name,
        temporary=expectation.temporary,
        sha256=expectation.sha256,
        size=expectation.size,
        mark=expectation.mark,
    )


@dataclass(frozen=True, slots=True)
class ListBegins:
    """The whole current list follows: this many `Expect` with sequence 0, then `ListEnds`."""

    count: int


@dataclass(frozen=True, slots=True)
class ListEnds:
    """The list is complete and replaces the former one. Answered by `Done`."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Expect:
    """Expect this from now on. Answered by `Done`, except within a list."""

    sequence: int
    expected: Expected


@dataclass(frozen=True, slots=True)
class Forget:
    """The name is being taken back. Answered by `Done`."""

    sequence: int
    name: SafeName


@dataclass(frozen=True, slots=True)
class Ask:
    """Which bytes stand under this expected name? Answered by `Seen`."""

    sequence: int
    name: SafeName


@dataclass(frozen=True, slots=True)
class SweepNow:
    """Look at everything. Answered by `Done` once all that was found is reported and acknowledged."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Received:
    """The report is durable in the log."""

    report: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Keep:
    """What was moved aside is kept for so many days, 0: for ever. Said before each list."""

    days: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The guard is here and asks for the list."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The guard is alive: sweeps done since it started, reports not yet acknowledged, and for how many seconds OneDrive
    makes it wait now."""

    sweeps: int
    pending: int
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The request with this sequence has taken effect."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The digest of what stands under the asked name, or None if it is not there as it should be."""

    sequence: int
    sha256: Sha256 | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Something happened on the device's side. `id` is 16 hexadecimal digits that the guard made."""

    id: str
    what: What
    presence: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that is wrong with who may reach the folder. `permission` is the digest of its id at the service."""

    breach: Breach
    place: Place
    permission: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """Who may reach a release folder in OneDrive was looked at, `age` seconds ago; no breaches: all is as it must be.

    `breaches` are the first few, `more` how many there are beside them.
    """

    age: int
    breaches: tuple[Told, ...] = ()
    more: int = 0


FromGateway: TypeAlias = ListBegins | ListEnds | Expect | Forget | Ask | SweepNow | Received | Keep
FromGuard: TypeAlias = Hello | Beat | Done | Seen | Report | Audited

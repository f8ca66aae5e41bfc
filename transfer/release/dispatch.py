"""What the release station works with: its ends, its records and its sources of time and chance.

What enters: the parts, put together by the wiring. What leaves: one value that `send`, `restore`, `withdraw` and the
manifest take. The guard's end of the line is wider here than `Sentry`: it is also asked and told what became of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from transfer.model.clock import Clock
from transfer.model.ends import Expectation, ReadableBlobs, Recaller, Sentry, Sink
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.model.states import Approved
from transfer.store.database import Database, ReadTx
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import Register
from transfer.store.releases import ReleaseRow, Releases


class Lookout(Sentry, Protocol):
    """The guard, as the release station needs it."""

    def placed(self, expectation: Expectation) -> None:
        """It stands under its name now. Never raises for want of a guard: its next list will say so."""
        ...

    def is_present(self, name: SafeName) -> Sha256 | None:
        """The digest of what stands under an expected name, as the guard hashed it, or None. Raises Unavailable."""
        ...


def same_name(name: SafeName) -> SafeName:
    """A folder takes every safe name."""
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Everything a release needs."""

    database: Database
    register: Register
    releases: Releases
    blobs: ReadableBlobs
    sink: Sink
    recaller: Recaller
    lookout: Lookout
    clock: Clock
    entropy: Callable[[int], bytes]
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    fitting: Callable[[SafeName], SafeName] = same_name  # what the device's side takes as a name
    stands: Callable[[ReadTx, Approved], object]  # NotSo if the approval stands no longer, Unavailable while paused


def expectation_of(row: ReleaseRow) -> Expectation:
    """What the guard is to expect of this release."""
    return Expectation(name=row.name, temporary=row.temporary, sha256=row.sha256, size=row.size)

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
from transfer.model.states import Approved, CleanBlob
from transfer.store.database import Database, ReadTx
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import Register
from transfer.store.release_marks import ReleaseMarks
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


def not_hashed(_clean: CleanBlob) -> None:
    """A folder's guard reads what stands there itself."""
    return


def not_asked() -> None:
    """Who may reach a folder on a disk is the operator's business, and the kernel's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Everything a release needs.

    For a drive: `enclosed` raises Unavailable while others than may reach the device's folder there, or while nobody
    knows. Its guard reads nothing: `hashed` is what the service will tell the bytes by, asked for before the
    intention is recorded; `marks` makes of it what the guard goes by. `sink_knows`: the sink itself finds what it had
    put before a crash, and writes down what it finds.
    """

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
    enclosed: Callable[[], None] = not_asked
    hashed: Callable[[CleanBlob], str | None] = not_hashed  # reads the whole file: never within a transaction
    marks: ReleaseMarks | None = None
    sink_knows: bool = False


def expectation_of(row: ReleaseRow, dispatch: Dispatch) -> Expectation:
    """What the guard is to expect of this release, as it is recorded now. Raises Unavailable."""
    mark = None
    if dispatch.marks is not None:
        with dispatch.database.read() as tx:
            mark = dispatch.marks.of(tx, dispatch.releases.find(tx, row.item) or row)
    return Expectation(name=row.name, temporary=row.temporary, sha256=row.sha256, size=row.size, mark=mark)

"""The ends of the line as capabilities: each can do one thing, and no class has two of them.

A Source lists and reads. A Retirer removes one arrival that is already durable. A Sink takes a Parcel and answers a
Receipt; nothing else can come out of it. A Recaller takes back one name. A Perimeter looks at the device's side and
has no way to hand its content over. A Sentry is told what to expect there before it appears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from transfer.model.drive import DriveMark
from transfer.model.findings import Finding
from transfer.model.identifiers import ItemId, PersonId, Sha256, SourceId
from transfer.model.names import SafeName
from transfer.model.states import Arrival, CleanBlob, Kind, Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who wrote an arrival, as far as its source can tell, and what the source itself has against it.

    `submitter` is NOBODY where nobody on the list wrote it; a finding says so then. `readable`: whether its content may
    be asked for. `private` says who was seen, for the log's salted part.
    """

    submitter: PersonId
    findings: tuple[Finding, ...] = ()
    readable: bool = True
    private: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """One staging folder."""

    @property
    def id(self) -> SourceId:
        """Its identifier in the settings."""
        ...

    def origin_of(self, arrival: Arrival) -> Origin:
        """Who dropped it. Raises Unavailable, also when it is no longer that; Refusal if nobody may hand it in."""
        ...

    def sightings(self) -> Iterator[Arrival]:
        """Everything that stands there now, of any kind. Raises Unavailable."""
        ...

    def observe(self, path: bytes) -> Arrival | None:
        """What stands at this relative path now, if anything. Raises Unavailable."""
        ...

    def open(self, arrival: Arrival) -> BinaryIO:
        """The bytes of exactly this regular file; no link is followed. Raises Unavailable when it is no longer that."""
        ...


class Retirer(Protocol):
    """Removes an original that is durable in the spool and released, where its identity has the right to."""

    def retire(self, arrival: Arrival) -> bool:
        """True if it was removed, False if it is no longer the same arrival (it then stays). Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Approved bytes with the names they will have; made only by `release.parcel`.

    `content` reads the clean blob. The sink hashes what it writes and refuses to publish anything but `clean.sha256`.
    `still_stands` is asked by the sink when all bytes are there and before they can be seen: it raises NotSo if the
    approval stands no longer, Unavailable while releasing is paused, and nothing may appear then.
    """

    item: ItemId
    clean: CleanBlob
    name: SafeName
    temporary: SafeName
    content: BinaryIO
    still_stands: Callable[[], None]


class Sink(Protocol):
    """The device's side, as seen from ours: write-only."""

    def put(self, parcel: Parcel) -> Receipt:
        """Make the parcel durable under its name, never replacing another. Raises Unavailable or Tampered, and what
        `still_stands` raises; nothing stands under the name then."""
        ...


class Recaller(Protocol):
    """Takes a release back."""

    def recall(self, name: SafeName) -> bool:
        """Remove what we put under this name; whether it was still there. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the sentry must let stand: `name` with this digest and size, and `temporary` while it is being written.

    `mark` is for a release folder in OneDrive, where nothing is read: None for a folder on a disk.
    """

    name: SafeName
    temporary: SafeName
    sha256: Sha256
    size: int
    mark: DriveMark | None = None


class Sentry(Protocol):
    """The guard, as the gateway sees it."""

    def expect(self, expectation: Expectation) -> None:
        """Returns once the live guard has acknowledged it. Raises Unavailable: no live guard, no release."""
        ...

    def forget(self, name: SafeName) -> None:
        """The name is ours no longer (withdrawn, expired)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One thing on the device's side: fixed-shape facts, the name only as its digest.

    `sha256` is None where there is nothing to hash (folder, link, FIFO, socket, device), and in a drive, where
    nothing is read.
    """

    name_sha256: Sha256
    kind: Kind
    size: int
    sha256: Sha256 | None
    seen_at: datetime


class ReadableBlobs(Protocol):
    """Reads clean blobs by digest."""

    def open_clean(self, sha256: Sha256) -> BinaryIO:
        """Raises Tampered if it is missing."""
        ...

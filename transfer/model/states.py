"""The journey of one item as types: a station's signature is its place in the line.

    Arrived ─▶ Spooled ─▶ Examined ─▶ Rebuilt ─▶ Held ─▶ Approved ─▶ Released ─▶ (withdrawn, expired)
                    any of them ─▶ Refused

Each state holds the one before it. `RawBlob` is a file as it came; `CleanBlob` is one that we made. Only
`disarm.rebuild` makes a CleanBlob from a raw one, only `approvals.approve` makes an Approved, only
`release.parcel` makes a Parcel (tests/architecture checks this).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transfer.model.findings import Finding, Reason, ScanResult, Verdict
from transfer.model.fingerprint import Fingerprint
from transfer.model.identifiers import CampaignId, DeviceId, ItemId, PersonId, Sha256, SourceId
from transfer.model.media import Format, MediaFacts, RebuildFacts
from transfer.model.names import SafeName


class State(StrEnum):
    """The states as printed."""

    ARRIVED = "arrived"
    SPOOLED = "spooled"
    EXAMINED = "examined"
    REBUILT = "rebuilt"
    HELD = "held"
    APPROVED = "approved"
    RELEASED = "released"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Kind(StrEnum):
    """What stands in a folder, as lstat tells it."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symlink"
    FIFO = "fifo"
    SOCKET = "socket"
    DEVICE = "device"
    SHORTCUT = "shortcut"  # in a drive: leads to another one
    PACKAGE = "package"  # in a drive: a notebook, an album, whatever else is no file


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveVersion:
    """Which item of a drive it is, in the version with this hash; none where the service tells none (yet).

    `unfinished`: an upload is under way, somebody holds it checked out, or its hash is missing. `infected`: the service
    says that it found malware.
    """

    drive: str
    item: str
    quickxor: str = ""
    unfinished: bool = False
    infected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One thing seen in a source, and exactly this version of it: the same one seen again is the same item.

    `path` is relative to the source, as bytes, never shown nor used for anything but finding the file again.
    Times are nanoseconds since the epoch, sizes bytes. `version` is set in a drive, where there are no inodes: there
    the item, its hash and its size make it the same one, whatever it is called.
    """

    source: SourceId
    path: bytes
    kind: Kind
    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    links: int = 1
    allocated: int = 0  # bytes the file system has really allocated; far less than size means sparse
    version: DriveVersion | None = None

    @property
    def identity(self) -> tuple[str | bytes | int, ...]:
        """What makes it the same arrival (DESIGN section 2)."""
        if self.version is not None:
            there = self.version
            return (
                self.source,
                there.drive,
                there.item,
                there.quickxor,
                self.size,
                int(there.unfinished),
                int(there.infected),
            )
        return (self.source, self.path, self.device, self.inode, self.size, self.mtime_ns, self.ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawBlob:
    """A file as it came, in the private spool. Never released."""

    sha256: Sha256
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanBlob:
    """A file that we made. The only thing that can be released."""

    sha256: Sha256
    size: int
    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Taken up as an item: named, placed and owned."""

    item: ItemId
    arrival: Arrival
    name: SafeName
    campaign: CampaignId | None
    post: SafeName | None
    submitter: PersonId
    at: datetime
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """Durable in the spool; the original may now vanish without loss."""

    arrived: Arrived
    raw: RawBlob


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A sandbox child has said what it is. `tools` maps a tool's name to its version.

    `fingerprints` is what it looks like, or frames of it; empty of a text, and where the policy does not compare.
    """

    spooled: Spooled
    media: MediaFacts
    findings: tuple[Finding, ...]
    scans: tuple[ScanResult, ...]
    tools: Mapping[str, str]
    fingerprints: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """Made anew by one child, found free of residue by another, hashed by the gateway.

    `left` says in lines what the second child found there; records of before it did are without.
    """

    examined: Examined
    clean: CleanBlob
    rebuild: RebuildFacts
    findings: tuple[Finding, ...]
    scans: tuple[ScanResult, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Judged, and waiting."""

    rebuilt: Rebuilt
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Ended. `reached` is the last state it had; `raw` and `clean` are what is kept of it, if anything.

    `sha256` is None only for what has no content of its own to read (a link, a FIFO, a device, a socket).
    """

    arrived: Arrived
    reached: State
    sha256: Sha256 | None
    size: int
    media: MediaFacts | None
    reasons: tuple[Reason, ...]
    policy_sha256: Sha256
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A chain of signatures back to the first approver covers exactly these rebuilt bytes.

    Never loaded from the database: derived anew from the held item and its signed statement each time.
    """

    held: Held
    statement_sha256: Sha256
    approvers: tuple[PersonId, ...]
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sink may answer: the name it stored the bytes under, their digest and size, and when."""

    name: SafeName
    sha256: Sha256
    size: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """On the device's side, listed in the manifest under `number`."""

    approved: Approved
    receipt: Receipt
    device: DeviceId
    number: int

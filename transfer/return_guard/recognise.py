"""Ours, altered or foreign: what the guard makes of a name and of what stands under it. Pure.

What enters: what the gateway said to expect, and what `lstat` and the hash said of the device's side. What leaves: a
judgement; the patrol carries it out. A digest is trusted for exactly the identity that was hashed, and only if the
last change lay clearly before the hashing began: two changes within one tick of a file system's clock look alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.model.states import Kind
from transfer.return_guard.messages import Expected, Stage

TICK_NS = 100_000_000  # coarser than any local file system's clock
TRUST_SECONDS = 3600.0  # after this a file is hashed again though nothing seems to have changed


class Identity(NamedTuple):
    """What changes whenever the bytes do. Times are nanoseconds since the epoch."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Sight(NamedTuple):
    """What `lstat` says."""

    kind: Kind
    identity: Identity


class Judgement(Enum):
    """What follows for an expected name."""

    FINE = auto()
    HASH = auto()  # as far as can be seen without reading it is ours: read it
    ALTERED = auto()
    ABSENT = auto()
    GONE = auto()  # absent, and about to be taken back anyway: no longer expected


@dataclass(slots=True, kw_only=True)
class Entry:
    """One expected name. `accepted` holds more than one content only while one replaces the other."""

    name: SafeName
    temporary: SafeName
    accepted: dict[Sha256, int]
    stage: Stage
    trusted: Identity | None = None
    trusted_digest: Sha256 | None = None
    trusted_until: float = 0.0
    absent_since: float | None = None
    fresh_since: float | None = None  # when a change too recent to be trusted was first seen
    missing_report: str | None = None

    @property
    def room(self) -> int:
        """The most bytes that can stand under the name or its temporary."""
        return max(self.accepted.values())

    def trust(self, identity: Identity, digest: Sha256, *, hashing_began_ns: int, now: float) -> None:
        """Remember that these bytes are right, unless a change could hide behind the clock's grain."""
        if digest in self.accepted and 0 <= identity.ctime_ns < hashing_began_ns - TICK_NS:
            self.trusted, self.trusted_digest, self.trusted_until = identity, digest, now + TRUST_SECONDS


def name_digest(name: bytes) -> Sha256:
    """The only form in which a name of the device's side is ever told."""
    return Sha256(hashlib.sha256(name).hexdigest())


def judge(entry: Entry, sight: Sight | None, *, now: float) -> Judgement:
    """What to make of an expected name, without reading anything. `now` is monotonic seconds."""
    if sight is None:
        if entry.stage is Stage.LEAVING:
            return Judgement.GONE
        return Judgement.ABSENT if entry.stage is Stage.PLACED else Judgement.FINE
    if sight.kind is not Kind.FILE or sight.identity.size not in entry.accepted.values():
        return Judgement.ALTERED
    if sight.identity == entry.trusted and entry.trusted_digest in entry.accepted and now < entry.trusted_until:
        return Judgement.FINE
    return Judgement.HASH


class Watchlist:
    """All names that are ours, by their bytes. Anything else on the device's side is foreign."""

    def __init__(self, expected: Iterable[Expected] = (), *, former: Watchlist | None = None) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._temporaries: dict[bytes, Entry] = {}
        self._digests: dict[Sha256, bytes] = {}
        for one in expected:
            self.expect(one)
        for name, entry in {} if former is None else former._entries.items():  # noqa: SLF001 - the same class
            if name in self._entries:  # a new list need not cost hashing everything again
                again = self._entries[name]
                again.trusted, again.trusted_digest = entry.trusted, entry.trusted_digest
                again.trusted_until = entry.trusted_until

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[bytes]:
        """The names, as they were when the iteration began."""
        return iter(tuple(self._entries))

    def get(self, name: bytes) -> Entry | None:
        """The entry of a final name."""
        return self._entries.get(name)

    def by_temporary(self, name: bytes) -> Entry | None:
        """The entry that may use this temporary name now."""
        return self._temporaries.get(name)

    def expect(self, expected: Expected) -> None:
        """What is coming is accepted beside what stands; what is placed is accepted alone."""
        name = expected.name.text.encode()
        entry = self._entries.get(name)
        if entry is None:
            entry = Entry(name=expected.name, temporary=expected.temporary, accepted={}, stage=expected.stage)
            self._entries[name] = entry
            self._digests[name_digest(name)] = name
        self._temporaries.pop(entry.temporary.text.encode(), None)
        if expected.stage is Stage.PLACED:
            entry.accepted = {}
        entry.accepted[expected.sha256] = expected.size
        entry.stage, entry.temporary = expected.stage, expected.temporary
        entry.absent_since = entry.missing_report = None
        if expected.stage is Stage.COMING:
            self._temporaries[expected.temporary.text.encode()] = entry

    def forget(self, name: SafeName) -> None:
        """It may go now: present or absent, both are as they should be."""
        entry = self._entries.get(name.text.encode())
        if entry is not None:
            self._temporaries.pop(entry.temporary.text.encode(), None)
            entry.stage = Stage.LEAVING

    def drop(self, name: bytes) -> None:
        """It is ours no longer."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._temporaries.pop(entry.temporary.text.encode(), None)
            self._digests.pop(name_digest(name), None)

    def awaits_restoring(self, name: bytes) -> None:
        """It was moved aside or is known to be gone: its absence is no news until the gateway has put it again."""
        entry = self._entries.get(name)
        if entry is not None and entry.stage is Stage.PLACED:
            entry.stage, entry.absent_since = Stage.COMING, None

    def by_digest(self, name_sha256: Sha256) -> bytes | None:
        """The expected name with this SHA-256."""
        return self._digests.get(name_sha256)

    def is_foreign(self, name: bytes, sight: Sight) -> bool:
        """Whether something with this name, which is no final name of ours, has no business there."""
        entry = self.by_temporary(name)
        return entry is None or sight.kind is not Kind.FILE or sight.identity.size > entry.room

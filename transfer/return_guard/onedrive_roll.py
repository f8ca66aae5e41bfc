"""What the gateway says is ours in a release folder in OneDrive, for two threads: one that hears it, one that looks.

What enters: the gateway's list, and what it says to expect or to forget since. What leaves: a ledger to judge by, which
names must be there, and what was learned about them. Nothing is judged before there was a list; the last one stays
when the gateway is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.return_guard.messages import Expected, Stage
from transfer.return_guard.onedrive_recognise import Content, Ledger, Put
from transfer.return_guard.recognise import name_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A name under which something of ours has to stand, or, if it is `leaving`, has stood. `item` is its id, where the
    gateway knew it."""

    name: SafeName
    name_sha256: Sha256
    item: str | None
    leaving: bool


@dataclass(slots=True, kw_only=True)
class _Entry:
    """One expected name. `accepted` holds more than one content only while one replaces the other."""

    name: SafeName
    stage: Stage
    sha256: Sha256
    accepted: dict[Content, None] = field(default_factory=dict)
    item: str | None = None
    jpeg: bool = False


class Roll:
    """All names that are ours. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._digests: dict[Sha256, str] = {}
        self._ledger: Ledger | None = None
        self.adopted = False

    def adopt(self, listed: Iterable[Expected]) -> None:
        """The whole list, in place of the former one."""
        with self._lock:
            self._entries, self._digests = {}, {}
            for one in listed:
                self._expect(one)
            self._ledger, self.adopted = None, True

    def expect(self, expected: Expected) -> None:
        """What is coming is accepted beside what stands; what is placed is accepted alone."""
        with self._lock:
            self._expect(expected)

    def forget(self, name: SafeName) -> None:
        """It may go now: present or absent, both are as they should be."""
        with self._lock:
            entry = self._entries.get(name.text)
            if entry is not None:
                entry.stage = Stage.LEAVING

    def drop(self, name_sha256: Sha256) -> None:
        """It is gone for good: whatever appears under this name now is foreign."""
        with self._lock:
            entry = self._entries.pop(self._digests.pop(name_sha256, ""), None)
            if entry is not None:
                self._ledger = None

    def awaits_restoring(self, name_sha256: Sha256) -> None:
        """It was moved aside or is known to be gone: its absence is no news until the gateway has put it again, as
        another item."""
        with self._lock:
            entry = self._entries.get(self._digests.get(name_sha256, ""))
            if entry is not None and entry.stage is Stage.PLACED:
                entry.stage, entry.item, self._ledger = Stage.COMING, None, None

    def sha256_of(self, name: str) -> Sha256 | None:
        """The digest of what is expected under a name."""
        with self._lock:
            entry = self._entries.get(name)
            return None if entry is None else entry.sha256

    def ledger(self) -> Ledger:
        """All that is ours, as of now."""
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(
                    Put(name=entry.name, contents=tuple(entry.accepted), item=entry.item, jpeg=entry.jpeg)
                    for entry in self._entries.values()
                )
            return self._ledger

    def due(self) -> list[Due]:
        """Every name that must be there, and every one that is being taken back."""
        with self._lock:
            return [
                _due(digest, self._entries[name])
                for digest, name in self._digests.items()
                if self._entries[name].stage is not Stage.COMING
            ]

    def is_due(self, due: Due) -> bool:
        """Whether that is still so, and still the same item."""
        with self._lock:
            entry = self._entries.get(due.name.text)
            return entry is not None and entry.stage is not Stage.COMING and _due(due.name_sha256, entry) == due

    def _expect(self, expected: Expected) -> None:
        name, mark = expected.name.text, expected.mark
        entry = self._entries.get(name)
        if entry is None:
            entry = _Entry(name=expected.name, stage=expected.stage, sha256=expected.sha256)
            self._entries[name] = entry
            self._digests[name_digest(name.encode())] = name
        if expected.stage is Stage.PLACED:
            entry.accepted = {}
        entry.stage, entry.sha256 = expected.stage, expected.sha256
        # Without a mark nothing can be told to be ours: what stands there under this name is foreign.
        if mark is not None:
            entry.accepted[Content(size=expected.size, quickxor=mark.quickxor)] = None
        entry.jpeg = mark is not None and mark.jpeg
        entry.item = mark.item if mark is not None and expected.stage is not Stage.COMING else None
        self._ledger = None


def _due(name_sha256: Sha256, entry: _Entry) -> Due:
    return Due(name=entry.name, name_sha256=name_sha256, item=entry.item, leaving=entry.stage is Stage.LEAVING)

"""A local staging folder: its Source, which can only list and read, its Retirer, which can only remove, its watcher.

What enters: whatever staff, sync clients and attackers put there. What leaves: arrivals as lstat saw them, and the
bytes of regular files, opened without following a link and compared with what was seen. Links, FIFOs, sockets and
devices are told of and never opened. The rights needed on the folder: read, list, remove.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from watchdog.events import (
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver

from transfer.errors import Refusal, Unavailable
from transfer.intake.descent import DENIED, GONE, arrival_of, descend, listing, look, parts_of
from transfer.model.ends import Origin
from transfer.model.findings import Code
from transfer.model.identifiers import PersonId, SourceId
from transfer.model.states import Arrival, Kind
from transfer.store.durable import world_errors

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

MAX_DEPTH = 16  # folders below this are told of as folders and not entered

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_WATCHED = (FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent, DirMovedEvent)


class FolderSource:
    """One staging folder on a disk. It can list and read; it holds nothing open between calls."""

    def __init__(self, *, source: SourceId, submitter: PersonId, root: Path) -> None:
        self._id = source
        self._submitter = submitter
        self._root = root

    @property
    def id(self) -> SourceId:
        """Its identifier in the settings."""
        return self._id

    def origin_of(self, _arrival: Arrival) -> Origin:
        """Whose folder it is: whoever owns a file there, it counts as dropped by this person."""
        return Origin(submitter=self._submitter)

    def sightings(self) -> Iterator[Arrival]:
        """Everything that stands there now but folders, unless one is too deep or not ours to list.

        Raises Unavailable if the staging folder itself cannot be listed.
        """
        with _opened(self._root) as root:
            waiting = [b""]
            while waiting:
                folder = waiting.pop()
                try:
                    found = listing(self._id, root, folder)
                except OSError as error:
                    unreadable = self._unlisted(root, folder, error)
                    if unreadable is not None:
                        yield unreadable
                    continue
                below = [there for there in found if there.kind is Kind.FOLDER]
                yield from (there for there in found if there.kind is not Kind.FOLDER)
                depth = folder.count(b"/") + 1 if folder else 0
                if depth < MAX_DEPTH:
                    waiting.extend(there.path for there in reversed(below))
                else:
                    yield from below

    def observe(self, path: bytes) -> Arrival | None:
        """What stands at this relative path now, reached through real folders only. Raises Unavailable."""
        with _opened(self._root) as root:
            return _observe(self._id, root, path)

    def open(self, arrival: Arrival) -> BinaryIO:
        """The bytes of exactly this regular file.

        Raises Unavailable if it is no longer that, Refusal (unreadable) if the gateway may not read it.
        """
        with _opened(self._root) as root:
            there = _observe(self._id, root, arrival.path) if arrival.kind is Kind.FILE else None
            if there is None or not _same(there, arrival):
                raise _no_longer()
            *folders, name = arrival.path.split(b"/")
            with world_errors("opening a staged file"):
                try:
                    with descend(root, folders) as parent:
                        # Should it have become a FIFO since lstat, O_NONBLOCK keeps this from waiting for a writer.
                        descriptor = os.open(name, _READ, dir_fd=parent)
                except OSError as error:
                    if error.errno in GONE:
                        raise _no_longer() from error
                    if error.errno in DENIED:
                        raise _unreadable() from error
                    raise
        stream = os.fdopen(descriptor, "rb")
        if not _same(arrival_of(self._id, arrival.path, os.fstat(descriptor)), arrival):
            stream.close()
            raise _no_longer()
        return stream

    def _unlisted(self, root: int, folder: bytes, error: OSError) -> Arrival | None:
        if folder and error.errno in GONE:
            return None
        if folder and error.errno in DENIED:
            return _observe(self._id, root, folder)
        with world_errors("listing the staging folder"):
            raise error


class FolderRetirer:
    """Removes originals from one staging folder; it can do nothing else there."""

    def __init__(self, *, source: SourceId, root: Path) -> None:
        self._id = source
        self._root = root

    def retire(self, arrival: Arrival) -> bool:
        """True if it was removed, durably; False if it is no longer the same arrival, which then stays.

        Between the last look and the removal lies one system call: nothing that a file system offers closes that gap.
        Raises Unavailable.
        """
        if arrival.source != self._id or arrival.kind is not Kind.FILE:
            return False
        with _opened(self._root) as root, world_errors("removing an original from the staging folder"):
            *folders, name = parts_of(arrival.path) or [b""]
            try:
                with descend(root, folders) as parent:
                    if not name or not _same(look(self._id, parent, arrival.path), arrival):
                        return False
                    os.unlink(name, dir_fd=parent)
                    _sync(parent)
            except OSError as error:
                if error.errno in GONE:
                    return False
                raise
        return True


class Happening(StrEnum):
    """What a watcher can tell."""

    CLOSED = "closed"  # a writer closed it
    CHANGED = "changed"  # made, or written to
    MOVED = "moved"  # `path` has become `to`
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened to a file: relative paths as bytes. Hearsay: the source is observed before anything."""

    happening: Happening
    path: bytes
    to: bytes = b""


class FolderWatcher:
    """Tells of what happens in a folder, as the kernel reports it. Events get lost and network folders have none, so
    whoever listens also looks at the whole folder from time to time."""

    def __init__(self, root: Path, *, tell: Callable[[Notice], None]) -> None:
        self._root = root
        self._tell = tell  # called in the watcher's own thread
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Begins to watch. Raises Unavailable (no such folder, the system's limit of watches is reached)."""
        root = os.path.realpath(self._root)
        observer = InotifyObserver()
        with world_errors("beginning to watch the staging folder"):
            observer.schedule(_Teller(os.fsencode(root), self._tell), root, recursive=True, event_filter=list(_WATCHED))
            observer.start()
        self._observer = observer

    def stop(self) -> None:
        """Ends it; a second time does nothing."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    @property
    def alive(self) -> bool:
        """Whether it still watches; not if the folder was removed or unmounted: then stop and start it again."""
        observer = self._observer
        return observer is not None and observer.is_alive() and any(each.is_alive() for each in observer.emitters)


class _Teller(FileSystemEventHandler):
    def __init__(self, root: bytes, tell: Callable[[Notice], None]) -> None:
        self._prefix = root.rstrip(b"/") + b"/"
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        path, to = self._relative(event.src_path), self._relative(event.dest_path)
        match event:
            case FileMovedEvent() if path and to:
                self._tell(Notice(Happening.MOVED, path, to))
            case FileClosedEvent() if path:
                self._tell(Notice(Happening.CLOSED, path))
            case FileCreatedEvent() | FileModifiedEvent() if path:
                self._tell(Notice(Happening.CHANGED, path))
            case FileDeletedEvent() if path:
                self._tell(Notice(Happening.GONE, path))
            case _:  # folders: what is in them is told of file by file, or found by the next full look
                pass

    def _relative(self, path: bytes | str) -> bytes:
        whole = os.fsencode(path)
        return whole.removeprefix(self._prefix) if whole.startswith(self._prefix) else b""


@contextlib.contextmanager
def _opened(root: Path) -> Iterator[int]:
    with world_errors("opening the staging folder"):
        descriptor = os.open(root, _ROOT)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _observe(source: SourceId, root: int, path: bytes) -> Arrival | None:
    parts = parts_of(path)
    if parts is None:
        return None
    with world_errors("looking at a staged file"):
        try:
            with descend(root, parts[:-1]) as parent:
                return look(source, parent, path)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise


def _same(found: Arrival, arrival: Arrival) -> bool:
    return found.identity == arrival.identity and found.kind is arrival.kind


def _sync(parent: int) -> None:
    readable = os.open(b".", _ROOT, dir_fd=parent)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)


def _no_longer() -> Unavailable:
    return Unavailable("The staged file is no longer what it was.", advice="It is taken up again as it is now.")


def _unreadable() -> Refusal:
    return Refusal(
        "The gateway may not read this file.",
        code=Code.UNREADABLE,
        advice="Give the gateway's user read permission and drop the file again.",
    )

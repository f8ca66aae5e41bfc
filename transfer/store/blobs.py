"""Blobs by their SHA-256: `raw/` holds files as they came, `clean/` files that we made; nothing else tells them apart.

What enters: a stream of a staged file, or a draft that a sandbox child wrote into. What leaves: readers, by digest.
Trusted: the two folders (0700) and nothing about the bytes. Layout: `raw/3f/3f0a…`, `clean/3f/3f0a…`, files 0600.

Order of a copy, with what is true after a crash behind each line:

    openat(raw/.part-…, O_CREAT|O_EXCL)   a temporary file, which `sweep_temporaries` removes at the next start
    read, hash, write …; fsync            the same
    rename(raw/.part-…, raw/3f/3f0a…)     the blob under its digest, or nothing; never a part of it
    fsync(raw/3f)                         the blob is durable; only now is its item entered in the register
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from transfer.errors import Refusal, Tampered
from transfer.model.findings import Code
from transfer.model.identifiers import Sha256, parse_sha256
from transfer.model.media import Format
from transfer.model.states import CleanBlob
from transfer.store.durable import TEMPORARY_PREFIX, drop_from_cache, remove_file, sync_folder, world_errors
from transfer.store.incoming import Incoming, hash_stream

_LET_GO_SECONDS = 2.0
_PAUSE_SECONDS = 0.005


class Draft:
    """A file that a sandbox child is writing. Made by `Blobs.draft`; gone at the end of its block unless kept."""

    def __init__(self, path: str, descriptor: int, keep: Callable[[Sha256], None]) -> None:
        self.descriptor = descriptor
        self._path = path
        self._keep = keep
        self._is_open = True

    def reader(self) -> BinaryIO:
        """A read-only stream of what is written so far. Raises Unavailable."""
        with world_errors("reading what was rebuilt"):
            return os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def keep(self, made: Format) -> CleanBlob:
        """Hashes the bytes and puts them among the clean blobs, durable when this returns.

        `descriptor` is closed first. Nobody can change the bytes once they are hashed: the kernel is asked whether
        any process still has the file open for writing, and as long as one has, it is not kept (a file system that
        cannot tell leaves that to the sink, which hashes what it sends). Raises Refusal (sandbox-protocol) if a child
        does not let go, Unavailable if the disk fails.
        """
        self.close()
        with self.reader() as stream:
            _wait_for_writers(stream.fileno())
            hashed = hash_stream(stream, limit=None)
            with world_errors("keeping what was rebuilt"):
                os.fsync(stream.fileno())
                self._keep(hashed[0])
                drop_from_cache(stream.fileno())
        return CleanBlob(sha256=hashed[0], size=hashed[1], format=made)

    def close(self) -> None:
        """Closes `descriptor`; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            os.close(self.descriptor)


class Blobs:
    """The two folders of blobs under `root`. Safe to share between threads and processes."""

    def __init__(self, root: Path) -> None:
        # Plain strings: a Path takes longer to put together than the file to open.
        self._root = os.fspath(root)
        self._raw = os.path.join(self._root, "raw")
        self._clean = os.path.join(self._root, "clean")
        self._numbers = itertools.count()
        self._synced: set[str] = set()

    def prepare(self, *, shelves: bool = False) -> None:
        """Makes the two folders where they are missing, with `shelves` all that is in them. Raises Unavailable."""
        with world_errors("making the folders for blobs"):
            for folder in (self._raw, self._clean):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, 0o700)
                if shelves:  # or each is made when the first blob comes to lie on it
                    for number in range(256):
                        with contextlib.suppress(FileExistsError):
                            os.mkdir(f"{folder}/{number:02x}", 0o700)
                    sync_folder(folder)
            sync_folder(self._root)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place for one file to be copied to; what is not kept is gone at the end of the block."""
        with self._temporary(self._raw, os.O_WRONLY) as (path, descriptor):
            try:
                yield Incoming(descriptor, lambda sha256: self._shelve(path, self._raw, sha256))
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def draft(self) -> Iterator[Draft]:
        """A new file in `clean/` whose `descriptor` (read and write) is handed to a sandbox child."""
        with self._temporary(self._clean, os.O_RDWR) as (path, descriptor):
            draft = Draft(path, descriptor, lambda sha256: self._shelve(path, self._clean, sha256))
            try:
                yield draft
            finally:
                draft.close()

    def hash_only(self, source: BinaryIO, *, limit: int) -> tuple[Sha256, int] | None:
        """Digest and size of a stream that is not kept; None if it is longer than `limit`. Raises Unavailable."""
        try:
            return hash_stream(source, limit=limit)
        except Refusal:
            return None

    def open_raw(self, sha256: Sha256) -> BinaryIO:
        """Reads a file as it came. Raises Tampered if it is missing."""
        return self._open(self._raw, sha256)

    def open_clean(self, sha256: Sha256) -> BinaryIO:
        """Reads a file that we made. Raises Tampered if it is missing."""
        return self._open(self._clean, sha256)

    def done_with(self, stream: BinaryIO) -> None:
        """The line has read this blob for the last time: its pages can serve the next one."""
        drop_from_cache(stream.fileno())

    def has_raw(self, sha256: Sha256) -> bool:
        """Whether the original is (still) kept."""
        return os.path.exists(_place(self._raw, sha256))

    def has_clean(self, sha256: Sha256) -> bool:
        """Whether the rebuilt file is (still) kept."""
        return os.path.exists(_place(self._clean, sha256))

    def remove_raw(self, sha256: Sha256) -> bool:
        """Removes an original; whether it was there. Raises Unavailable."""
        with world_errors("removing an original from the spool"):
            return self._remove(self._raw, sha256)

    def remove_clean(self, sha256: Sha256) -> bool:
        """Removes a rebuilt file; whether it was there. Raises Unavailable."""
        with world_errors("removing a rebuilt file"):
            return self._remove(self._clean, sha256)

    def sweep_temporaries(self) -> int:
        """Removes what a crash left half written; only while no other gateway runs. How many there were."""
        swept = 0
        with world_errors("clearing up the spool"):
            for folder in (self._raw, self._clean):
                with os.scandir(folder) as entries:
                    left = [entry.name for entry in entries if entry.name.startswith(TEMPORARY_PREFIX)]
                swept += sum(remove_file(Path(folder, name)) for name in left)
        return swept

    def free_bytes(self) -> int:
        """What the disk has left for us. Raises Unavailable."""
        with world_errors("asking the disk for its free space"):
            disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    @contextlib.contextmanager
    def _temporary(self, folder: str, access: int) -> Iterator[tuple[str, int]]:
        flags = access | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with world_errors("making a file in the spool"):
            while True:
                path = f"{folder}/{TEMPORARY_PREFIX}{os.getpid()}-{next(self._numbers)}"
                with contextlib.suppress(FileExistsError):  # left by a dead process of the same number
                    descriptor = os.open(path, flags, 0o600)
                    break
        try:
            yield path, descriptor
        finally:
            with contextlib.suppress(OSError):  # it was kept, or the next start sweeps it
                os.unlink(path)

    def _shelve(self, temporary: str, folder: str, sha256: Sha256) -> None:
        place = _place(folder, sha256)
        shelf = os.path.dirname(place)
        if shelf not in self._synced:
            with contextlib.suppress(FileExistsError):
                os.mkdir(shelf, 0o700)
            there = [f"{folder}/{name}" for name in os.listdir(folder)]
            sync_folder(folder)  # also those that were there: whoever made one may have been killed before this line
            self._synced.update(there)
        os.rename(temporary, place)  # over the same bytes, if they are there already
        sync_folder(shelf)

    def _open(self, folder: str, sha256: Sha256) -> BinaryIO:
        with world_errors("opening a stored file"):
            try:
                return os.fdopen(os.open(_place(folder, sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
            except FileNotFoundError as error:
                raise Tampered(
                    f"The stored file {os.path.basename(folder)}/{sha256[:12]}… is missing.",
                    advice="Restore the last backup; `transfer audit show` tells which item it belongs to.",
                ) from error

    def _remove(self, folder: str, sha256: Sha256) -> bool:
        place = Path(_place(folder, sha256))
        return place.exists() and remove_file(place)


def _place(folder: str, sha256: Sha256) -> str:
    name = parse_sha256(sha256)
    return f"{folder}/{name[:2]}/{name}"


def _wait_for_writers(descriptor: int) -> None:
    """Returns once no process has the file behind this read-only descriptor open for writing.

    A read lease is granted only then. It is given back at once: whoever could open the file again is ourselves, and a
    child that had written has no way to open anything.
    """
    waited = 0.0
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                return  # no leases on this file system
        else:
            return
        if waited >= _LET_GO_SECONDS:
            raise Refusal(
                "The sandbox did not let go of the file it had made.",
                code=Code.SANDBOX_PROTOCOL,
                advice="Drop the file again; if this happens again, tell whoever runs the gateway.",
            )
        time.sleep(_PAUSE_SECONDS)  # its answer may overtake the closing of its descriptor
        waited += _PAUSE_SECONDS

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
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from transfer.errors import Refusal, Tampered
from transfer.model.identifiers import Sha256, parse_sha256
from transfer.model.states import RawBlob
from transfer.store.drafts import Draft, Incoming, Progress, hash_stream
from transfer.store.durable import TEMPORARY_PREFIX, remove_file, sync_folder, world_errors


class Blobs:
    """The two folders of blobs under `root`. Safe to share between threads and processes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._raw = root / "raw"
        self._clean = root / "clean"
        self._numbers = itertools.count()
        self._synced: set[Path] = set()

    def prepare(self) -> None:
        """Makes the two folders where they are missing. Raises Unavailable."""
        with world_errors("making the folders for blobs"):
            for folder in (self._raw, self._clean):
                folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._root)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place for one file to be copied to; what is not kept is gone at the end of the block."""
        with self._temporary(self._raw, os.O_WRONLY) as (path, descriptor):
            try:
                yield Incoming(descriptor, lambda sha256: self._shelve(path, self._raw, sha256))
            finally:
                os.close(descriptor)

    def spool(self, source: BinaryIO, *, limit: int, progress: Progress | None = None) -> RawBlob:
        """Copies a stream into the spool in one pass; durable when this returns. Raises as `Incoming.copy`."""
        with self.incoming() as incoming:
            incoming.copy(source, limit=limit, progress=progress)
            return incoming.keep()

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

    def has_raw(self, sha256: Sha256) -> bool:
        """Whether the original is (still) kept."""
        return _place(self._raw, sha256).exists()

    def has_clean(self, sha256: Sha256) -> bool:
        """Whether the rebuilt file is (still) kept."""
        return _place(self._clean, sha256).exists()

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
                swept += sum(remove_file(folder / name) for name in left)
        return swept

    def free_bytes(self) -> int:
        """What the disk has left for us. Raises Unavailable."""
        with world_errors("asking the disk for its free space"):
            disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    @contextlib.contextmanager
    def _temporary(self, folder: Path, access: int) -> Iterator[tuple[Path, int]]:
        flags = access | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with world_errors("making a file in the spool"):
            while True:
                path = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{next(self._numbers)}"
                with contextlib.suppress(FileExistsError):  # left by a dead process of the same number
                    descriptor = os.open(path, flags, 0o600)
                    break
        try:
            yield path, descriptor
        finally:
            with contextlib.suppress(OSError):  # it was kept, or the next start sweeps it
                os.unlink(path)

    def _shelve(self, temporary: Path, folder: Path, sha256: Sha256) -> None:
        place = _place(folder, sha256)
        shelf = place.parent
        if shelf not in self._synced:
            shelf.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder)
            self._synced.add(shelf)
        os.rename(temporary, place)  # over the same bytes, if they are there already
        sync_folder(shelf)

    def _open(self, folder: Path, sha256: Sha256) -> BinaryIO:
        with world_errors("opening a stored file"):
            try:
                return os.fdopen(os.open(_place(folder, sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
            except FileNotFoundError as error:
                raise Tampered(
                    f"The stored file {folder.name}/{sha256[:12]}… is missing.",
                    advice="Restore the last backup; `transfer audit show` tells which item it belongs to.",
                ) from error

    def _remove(self, folder: Path, sha256: Sha256) -> bool:
        place = _place(folder, sha256)
        return place.exists() and remove_file(place)


def _place(folder: Path, sha256: Sha256) -> Path:
    name = parse_sha256(sha256)
    return folder / name[:2] / name

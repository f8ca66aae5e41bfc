"""Files on their way into the store: a copy of a staged file, and a draft that a sandbox child writes.

What enters: a stream, or whatever a child puts through its descriptor. What leaves: a blob under the SHA-256 that the
gateway computed itself. Nothing is trusted about the bytes, and nothing that a child says about them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from transfer.errors import Refusal, Unavailable
from transfer.model.findings import Code
from transfer.model.identifiers import Sha256
from transfer.model.media import Format
from transfer.model.states import CleanBlob, RawBlob
from transfer.store.durable import world_errors, write_all

_CHUNK = 1 << 20
_WRITEBACK = 32 << 20  # bytes after which the disk is told to start, so that the fsync at the end finds little to do
_LET_GO_SECONDS = 2.0
_PAUSE_SECONDS = 0.005

Progress = Callable[[int], None]


class Incoming:
    """One file on its way into the spool. Made by `Blobs.incoming`."""

    def __init__(self, descriptor: int, keep: Callable[[Sha256], None]) -> None:
        self._descriptor = descriptor
        self._keep = keep
        self._copied: RawBlob | None = None

    def copy(self, source: BinaryIO, *, limit: int, progress: Progress | None = None) -> RawBlob:
        """Copies and hashes in one pass; nothing is in the spool yet.

        Raises Refusal (too-large) past `limit` bytes, Unavailable if reading or writing fails.
        """
        digest = hashlib.sha256()
        size = 0
        with contextlib.ExitStack() as stack:
            hasher = None
            hashed = None
            while chunk := _read(source):
                size += len(chunk)
                if size > limit:
                    raise Refusal(f"The file is larger than {limit} bytes.", code=Code.TOO_LARGE, clauses=("G6",))
                if hasher is None and len(chunk) < _CHUNK:
                    digest.update(chunk)
                else:  # hashing and writing each take a core: neither holds the interpreter's lock
                    hasher = hasher or stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="sha256"))
                    if hashed is not None:
                        hashed.result()
                    hashed = hasher.submit(digest.update, chunk)
                self._write(chunk, size)
                if progress is not None:
                    progress(size)
        self._copied = RawBlob(sha256=Sha256(digest.hexdigest()), size=size)
        return self._copied

    def keep(self) -> RawBlob:
        """Puts what was copied into the spool; it is durable when this returns. Raises Unavailable."""
        if self._copied is None:
            raise Unavailable("There is nothing copied that could be kept.", advice="It will be tried again.")
        with world_errors("putting a file into the spool"):
            os.fsync(self._descriptor)
            self._keep(self._copied.sha256)
        return self._copied

    def _write(self, chunk: bytes, size: int) -> None:
        with world_errors("copying a file into the spool"):
            write_all(self._descriptor, chunk)
            if size % _WRITEBACK < len(chunk):
                # Pages that are being written out are not dropped by this, so the next station still finds them.
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


class Draft:
    """A file that a sandbox child is writing. Made by `Blobs.draft`; gone at the end of its block unless kept."""

    def __init__(self, path: Path, descriptor: int, keep: Callable[[Sha256], None]) -> None:
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
        return CleanBlob(sha256=hashed[0], size=hashed[1], format=made)

    def close(self) -> None:
        """Closes `descriptor`; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            os.close(self.descriptor)


def hash_stream(source: BinaryIO, *, limit: int | None) -> tuple[Sha256, int]:
    """Digest and size of what is left in a stream. Raises Refusal (too-large) past `limit`, Unavailable."""
    digest = hashlib.sha256()
    size = 0
    while chunk := _read(source):
        size += len(chunk)
        if limit is not None and size > limit:
            raise Refusal(f"The file is larger than {limit} bytes.", code=Code.TOO_LARGE)
        digest.update(chunk)
    return Sha256(digest.hexdigest()), size


def _read(source: BinaryIO) -> bytes:
    with world_errors("reading a file"):
        return source.read(_CHUNK)


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

"""One file on its way into the spool: copied and hashed in one pass, kept only if its source says so afterwards.

What enters: a stream of a staged file. What leaves: its SHA-256 and size, as computed here. Nothing is trusted about
the bytes; a source that shrinks or grows meanwhile is noticed by whoever compares it before and after.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from transfer.errors import Refusal, Unavailable
from transfer.model.findings import Code
from transfer.model.identifiers import Sha256
from transfer.model.states import RawBlob
from transfer.store.durable import world_errors, write_all

_CHUNK = 1 << 20
_WRITEBACK = 32 << 20  # bytes after which the disk is told to start, so that the fsync at the end finds little to do

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

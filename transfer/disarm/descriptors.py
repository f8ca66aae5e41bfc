"""The two descriptors a writer gets: the raw file to read, the new file to write. Neither has a path.

What enters: descriptors opened by the gateway. What leaves: bytes read at their place, bytes written in full.
Positions are kept here and not in the kernel, so nobody else's reading of the same open file moves them.
"""

from __future__ import annotations

import contextlib
import os

from transfer.errors import Refusal
from transfer.model.findings import Code

_AT_A_TIME = 32 << 20  # bytes of which the kernel is told at once


class OutputFault(Exception):
    """The new file could not be written: the world is at fault (a full disk), not the file."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(os.strerror(cause.errno or 0))
        self.errno = cause.errno or 0


class Inflow:
    """Reads a descriptor as a seekable file object.

    `last`: nobody reads this file again soon. What lies behind then leaves the page cache, and its memory serves what
    is written meanwhile.
    """

    def __init__(self, descriptor: int, *, last: bool = False) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._size = os.fstat(descriptor).st_size
        self._last = last
        self._left = 0  # what is before here was given back

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, empty at the end. Raises OSError."""
        wanted = self._size - self._position if size < 0 else size
        content = os.pread(self._descriptor, max(wanted, 0), self._position)
        self._position += len(content)
        if self._last and self._position - self._left >= 2 * _AT_A_TIME:
            _advise(self._descriptor, self._left, _AT_A_TIME)
            self._left += _AT_A_TIME
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def seekable(self) -> bool:
        """It is."""
        return True


class Outflow:
    """Writes a descriptor as a seekable file object."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._sent = 0  # up to here the disk was told to begin

    def write(self, content: bytes | memoryview) -> int:
        """Everything, however many calls it takes. Raises OutputFault."""
        view = memoryview(content)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, self._position)
                self._position += written
                view = view[written:]
        except OSError as error:
            raise OutputFault(error) from error
        if self._position - self._sent >= _AT_A_TIME:
            # Written out while we go on: the fsync at the end then finds little to do. Pages on their way to the disk
            # are not dropped by this, so that whoever reads the file next finds them in memory.
            _advise(self._descriptor, self._sent, self._position - self._sent)
            self._sent = self._position
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position."""
        size = os.fstat(self._descriptor).st_size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def seekable(self) -> bool:
        """It is."""
        return True


def _advise(descriptor: int, start: int, length: int) -> None:
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def read_whole(descriptor: int, *, limit: int) -> bytes:
    """The whole file, which has at most `limit` bytes. Raises Refusal (too-large) and OSError."""
    size = os.fstat(descriptor).st_size
    if size > limit:
        raise Refusal(f"The file has {size} bytes, more than {limit}.", code=Code.TOO_LARGE)
    parts: list[bytes] = []
    position = 0
    while part := os.pread(descriptor, size - position, position):
        parts.append(part)
        position += len(part)
    return b"".join(parts)


def write_whole(descriptor: int, content: bytes | memoryview) -> None:
    """Makes `content` the whole new file. Raises OutputFault."""
    try:
        os.ftruncate(descriptor, 0)
    except OSError as error:
        raise OutputFault(error) from error
    Outflow(descriptor).write(content)

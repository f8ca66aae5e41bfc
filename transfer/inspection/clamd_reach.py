"""How large a file clamd looks into, found by trying: it does not tell its limits, and says OK about what it skipped.

What enters: a way to ask clamd about content. What leaves: a number of bytes. The bait is a ZIP archive of exactly the
size in question whose first member is the EICAR test file and whose second is padding: clamd finds the first only if it
takes a file of that size (StreamMaxLength, MaxFileSize and MaxScanSize all allow it).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from transfer.inspection.scan import eicar

SMALLEST = 4_096  # bytes; a bait of this size is found by every clamd that has the signature
_CLOSE_ENOUGH = 64  # the answer is right to one part in this many
_NAME, _PADDING = b"eicar.com", b"padding"
_LOCAL, _CENTRAL, _END = "<IHHHHHIIIHH", "<IHHHHHHIIIHHHHHII", "<IHHHHIIH"  # of the ZIP specification (APPNOTE)


class Bait:
    """A ZIP archive of exactly `size` bytes, read from its beginning to its end and never held in memory."""

    def __init__(self, size: int) -> None:
        test = eicar()
        first = _local(_NAME, zlib.crc32(test), len(test)) + test
        directory = len(_central(_NAME, 0, 0, 0)) + len(_central(_PADDING, 0, 0, 0)) + struct.calcsize(_END)
        padding = size - len(first) - len(_local(_PADDING, 0, 0)) - directory
        second = _local(_PADDING, 0, padding)  # its checksum is wrong, which costs nobody anything
        central = _central(_NAME, zlib.crc32(test), len(test), 0) + _central(_PADDING, 0, padding, len(first))
        begins = len(first) + len(second) + padding
        self._head = first + second
        self._tail = central + struct.pack(_END, 0x06054B50, 0, 0, 2, 2, len(central), begins, 0)
        self._padding = padding

    def read(self, most: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""
        if self._head:
            part, self._head = self._head[:most], self._head[most:]
        elif self._padding:
            part = bytes(min(most, self._padding))
            self._padding -= len(part)
        else:
            part, self._tail = self._tail[:most], self._tail[most:]
        return part


def reach(found: Callable[[int], bool], *, limit: int) -> int | None:
    """The largest size of at most `limit` bytes for which `found` says that a bait of it is found.

    Right to about one part in 64, and never too large. None where not even the smallest bait is found: it cannot be
    tried then. Asks once where all is well.
    """
    if limit <= SMALLEST or found(limit):
        return limit
    if not found(SMALLEST):
        return None
    low, high = SMALLEST, limit
    while high - low > low // _CLOSE_ENOUGH:
        middle = (low + high) // 2
        if found(middle):
            low = middle
        else:
            high = middle
    return low


def _local(name: bytes, checksum: int, size: int) -> bytes:
    return struct.pack(_LOCAL, 0x04034B50, 20, 0, 0, 0, 33, checksum, size, size, len(name), 0) + name


def _central(name: bytes, checksum: int, size: int, offset: int) -> bytes:
    fields = (0x02014B50, 20, 20, 0, 0, 0, 33, checksum, size, size, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack(_CENTRAL, *fields) + name

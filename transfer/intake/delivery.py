"""A file on its way out of a drive, held against what the service said of it: length and quickXorHash.

What enters: the bytes of a download, not trusted. What leaves: the same bytes; or, before the last of them is handed
on, the error that they are not what was announced. Memory does not grow with the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from transfer.graph.quickxor import QuickXor

BUFFER = 1024 * 1024


class Delivery(io.RawIOBase):
    """One download. `differs` makes the error for bytes that are not as announced; closing it ends the download."""

    def __init__(
        self, content: BinaryIO, *, ending: ExitStack, size: int, quickxor: str, differs: Callable[[], Exception]
    ) -> None:
        self._content = content
        self._ending = ending
        self._size = size
        self._expected = quickxor
        self._differs = differs
        self._read = 0
        self._hash = QuickXor()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes. Raises what `differs` makes, and what the download raises."""
        block = self._content.read(len(buffer))
        if not block:
            if self._read < self._size:
                raise self._differs()
            return 0
        self._read += len(block)
        self._hash.update(block)
        whole = self._read == self._size
        if self._read > self._size or (whole and self._expected and self._hash.base64() != self._expected):
            raise self._differs()
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Ends the download, wherever it was."""
        if not self.closed:
            try:
                self._ending.close()
            finally:
                super().close()


def delivered(delivery: Delivery) -> BinaryIO:
    """With a buffer, as readers want it."""
    return cast("BinaryIO", io.BufferedReader(delivery, BUFFER))

"""The body of a request as it arrives: saved to a file or taken as JSON, and what is left of it drained at the end."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.graph.emulator.answers import Problem

_BLOCK = 1 << 20


class CutOff(Exception):
    """The client went away before the end of its body."""


class Body:
    """Reads exactly one body from the connection, by Content-Length or in chunks."""

    def __init__(self, stream: io.BufferedIOBase, headers: dict[str, str]) -> None:
        self._stream = stream
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self.length = None if self._chunked else int(headers.get("content-length") or 0)
        self._blocks = self._in_chunks() if self._chunked else self._by_length(self.length or 0)
        self.received = 0

    def save(self, path: Path) -> None:
        """Writes it to a file; what had come is there when it raises `CutOff`."""
        with open(path, "wb") as file:
            for block in self._blocks:
                self.received += len(block)
                file.write(block)

    def document(self) -> dict[str, Any]:
        """A JSON object; an empty body is an empty one."""
        text = b"".join(self._blocks)
        try:
            value = json.loads(text) if text else {}
        except ValueError:
            raise Problem(400, "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise Problem(400, "The body is no JSON object.")
        return value

    def drain(self, limit: int | None = None) -> None:
        """Takes what is left, so that the connection can be used again; `limit` bytes of it at most."""
        for block in self._blocks:
            if limit is not None:
                limit -= len(block)
                if limit <= 0:
                    return

    def _by_length(self, left: int) -> Iterator[bytes]:
        while left:
            block = self._stream.read(min(_BLOCK, left))
            if not block:
                raise CutOff
            left -= len(block)
            yield block

    def _in_chunks(self) -> Iterator[bytes]:
        while True:
            size = int(self._stream.readline().partition(b";")[0] or b"0", 16)
            if size == 0:
                self._stream.readline()
                return
            yield from self._by_length(size)
            self._stream.readline()

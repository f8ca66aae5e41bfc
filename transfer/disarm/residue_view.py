"""What every residue reader stands on: a file seen through `pread`, and the list of what should not be there.

What enters: a descriptor. What leaves: exact ranges of bytes, never more than asked for, findings, and the list of
what is there. Nothing here or in the other residue modules is shared with the modules that write, and no media library
is used: what a writer gets wrong, these must not get wrong in the same way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from transfer.model.findings import Code, Finding

MOST_FINDINGS = 16
MOST_LINES, LONGEST_LINE = 32, 120
MOST_BYTES = 256 << 20  # of one range: a picture's data, or a table of a film
_UNPRINTABLE = re.compile(r"[^ -~]")


class Broken(Exception):
    """The structure does not hold, so nothing behind this place can be judged."""

    def __init__(self, where: str, what: str, at: int) -> None:
        super().__init__(what)
        self.where = where
        self.what = what
        self.at = at


class View:
    """A file of `size` bytes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def take(self, at: int, size: int, where: str) -> bytes:
        """Exactly these bytes. Raises Broken if the file does not have them."""
        if size < 0 or at < 0 or at + size > self.size or size > MOST_BYTES:
            raise Broken(where, "it ends too early or is too large", at)
        parts = []
        while size:
            part = os.pread(self._descriptor, size, at)
            if not part:
                raise Broken(where, "it became shorter", at)
            parts.append(part)
            at += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, at: int, size: int) -> bytes:
        """Up to `size` bytes, fewer at the end of the file."""
        return os.pread(self._descriptor, size, at)

    def only_zeros(self, at: int, size: int, where: str) -> bool:
        """Whether a range holds nothing; it may be of any size."""
        while size:
            part = self.take(at, min(size, 1 << 20), where)
            if part.count(0) != len(part):
                return False
            at += len(part)
            size -= len(part)
        return True


class Report:
    """What was found: the first 16 things that should not be there, and what is there.

    `encoded` says that the packets of the film are our own, so that nothing may be in them either.
    """

    def __init__(self, *, encoded: bool = False) -> None:
        self.encoded = encoded
        self._findings: list[Finding] = []
        self._parts: dict[str, dict[str, int]] = {}
        self._told: list[str] = []

    def note(self, where: str, what: str, at: int = 0) -> None:
        """`where` is a segment, chunk, box or line, `what` says what is wrong, `at` the offset in bytes."""
        if len(self._findings) < MOST_FINDINGS:
            detail: dict[str, str | int] = {"where": _printable(where, 60), "what": _printable(what, 100), "at": at}
            self._findings.append(Finding(code=Code.RESIDUE, detail=detail))

    def unless(self, holds: bool, where: str, what: str, at: int = 0) -> None:
        """Notes `what` unless the condition holds."""
        if not holds:
            self.note(where, what, at)

    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return tuple(self._findings)

    def saw(self, kind: str, name: str) -> None:
        """One more part of the file: `kind` is segments, chunks, boxes …, `name` what the format calls it."""
        met = self._parts.setdefault(kind, {})
        met[name] = met.get(name, 0) + 1

    def tell(self, line: str) -> None:
        """What one part is, such as `picture: 640 x 480`."""
        self._told.append(line)

    def left(self) -> tuple[str, ...]:
        """What is there: what was told, then the parts of each kind in the order in which they were met first.

        At most 32 lines of 120 characters; what is past that is counted.
        """
        lines = [_printable(line, LONGEST_LINE) for line in self._told]
        for kind, met in self._parts.items():
            names = [name if count == 1 else f"{name} x {count}" for name, count in met.items()]
            lines += [_printable(line, LONGEST_LINE) for line in _wrapped(kind, names)]
        return tuple(lines) if len(lines) <= MOST_LINES else (*lines[: MOST_LINES - 1], f"{len(lines)} lines in all")


def _wrapped(kind: str, names: list[str]) -> Iterator[str]:
    """`kind: a, b x 2, c`, on as many lines as it takes."""
    line = ""
    for name in names:
        if line and len(kind) + len(line) + len(name) + 4 > LONGEST_LINE:
            yield f"{kind}: {line}"
            line = ""
        line += f", {name}" if line else name
    yield f"{kind}: {line}"


def four(kind: bytes) -> str:
    """A chunk's or box's four characters, printable."""
    return _printable(kind.decode("latin-1"), 8)


def _printable(text: str, longest: int) -> str:
    return _UNPRINTABLE.sub("?", text)[:longest]

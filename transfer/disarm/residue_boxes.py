"""Walks the boxes of an ISO base media file (MP4, AVIF) and checks each against what may stand there.

What enters: a view, a range, and a table of the kinds allowed in it. What leaves: notes in the report; the walk goes on
behind whatever is not allowed. A box is checked by a predicate on its content, by a walk of its own, or both.
Source: ISO/IEC 14496-12, clause 4.2.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from transfer.disarm.residue_view import Broken, Report, View, four

LARGEST_BOX = 64 << 20  # bytes of one box that is read whole: 16 million samples


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its kind, where it starts, where its content starts and ends."""

    kind: bytes
    start: int
    content: int
    end: int

    @property
    def where(self) -> str:
        """For the report."""
        return f"box {four(self.kind)}"

    def body(self, view: View) -> bytes:
        """Its content. Raises Broken if it is larger than any table we write."""
        if self.end - self.content > LARGEST_BOX:
            raise Broken(self.where, "it is too large", self.start)
        return view.take(self.content, self.end - self.content, self.where)


Check: TypeAlias = Callable[[View, Box, Report], None]


def boxes(view: View, start: int, end: int) -> Iterator[Box]:
    """The boxes of a range, in order. Raises Broken where they do not hold together."""
    while start < end:
        head = view.take(start, 8, "box")
        size, kind = struct.unpack(">I4s", head)
        content = start + 8
        if size == 1:
            size, content = int.from_bytes(view.take(content, 8, "box"), "big"), start + 16
        if size < content - start or start + size > end:
            raise Broken(f"box {four(kind)}", "its size does not fit", start)
        yield Box(kind, start, content, start + size)
        start += size


def walk(
    view: View, start: int, end: int, report: Report, allowed: Mapping[bytes, Check], *, several: frozenset[bytes]
) -> dict[bytes, list[Box]]:
    """Checks each box of a range by `allowed`; only the kinds in `several` may stand there more than once."""
    met: dict[bytes, list[Box]] = {}
    for box in boxes(view, start, end):
        check = allowed.get(box.kind)
        if check is None:
            report.note(box.where, "this box is not allowed here", box.start)
            continue
        report.unless(box.kind in several or box.kind not in met, box.where, "it stands there twice", box.start)
        met.setdefault(box.kind, []).append(box)
        report.saw("boxes", four(box.kind))
        check(view, box, report)
    return met


def require(met: Mapping[bytes, list[Box]], wanted: tuple[bytes, ...], box: str, report: Report, at: int) -> None:
    """Notes what is missing."""
    for kind in wanted:
        report.unless(kind in met, box, f"there is no {four(kind)}", at)


def holding(predicate: Callable[[bytes], bool]) -> Check:
    """A check that the box's content is as the predicate wants it."""

    def check(view: View, box: Box, report: Report) -> None:
        report.unless(predicate(box.body(view)), box.where, "it holds more or other than it must", box.start)

    return check


def exactly(*contents: bytes) -> Check:
    """A check that the box's content is one of these."""
    return holding(lambda body: body in contents)


def only_zeros(view: View, box: Box, report: Report) -> None:
    """A check for padding."""
    zeros = view.only_zeros(box.content, box.end - box.content, box.where)
    report.unless(zeros, box.where, "its padding is not zero", box.start)


def anything(view: View, box: Box, report: Report) -> None:
    """A check for what others look into: media data."""

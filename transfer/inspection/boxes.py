"""Boxes of ISO base media files, as a tree: MP4, MOV, HEIC, AVIF (ISO/IEC 14496-12, section 4.2; QuickTime). Pure.

What enters: a function that reads a stretch of an untrusted file, and its size. What leaves: the boxes, each within the
one it lies in; where that does not hold the file's record says so. Boxes' contents are not read, so the cost does not
grow with the size of a film; the number of boxes is bounded, and so is the depth, since each box has its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from transfer.inspection.anatomy import Anatomy

Read: TypeAlias = Callable[[int, int], bytes]  # (offset, length) → at most that many bytes

MOST_BOXES = 200_000

_TOP = b""
# The boxes that hold boxes, and in which they may lie.
_PARENTS: Mapping[bytes, frozenset[bytes]] = MappingProxyType(
    {
        b"moov": frozenset({_TOP}),
        b"moof": frozenset({_TOP}),
        b"mfra": frozenset({_TOP}),
        b"trak": frozenset({b"moov"}),
        b"mvex": frozenset({b"moov"}),
        b"traf": frozenset({b"moof"}),
        b"edts": frozenset({b"trak"}),
        b"mdia": frozenset({b"trak"}),
        b"minf": frozenset({b"mdia"}),
        b"stbl": frozenset({b"minf"}),
        b"dinf": frozenset({b"minf", b"meta"}),
        b"iprp": frozenset({b"meta"}),
        b"ipco": frozenset({b"iprp"}),
    }
)
# Boxes that are there once in the one they lie in.
_ONCE = frozenset(
    b"ftyp moov mvhd tkhd mdia mdhd minf stbl stsd stts stsz stz2 stsc stco co64 mfhd tfhd".split()
    + b"iloc iinf iprp ipco pitm".split()
)


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its name, where it begins, where its content begins and ends, and the boxes in it if they are known."""

    kind: bytes
    at: int
    start: int
    end: int
    inside: list[Box] = field(default_factory=list)

    @property
    def length(self) -> int:
        """How many bytes its content has."""
        return self.end - self.start

    def first(self, *path: bytes) -> Box | None:
        """The first box inside by these names, each in the one before."""
        box: Box | None = self
        for kind in path:
            box = next((inner for inner in box.inside if inner.kind == kind), None) if box is not None else None
        return box

    def all(self, kind: bytes) -> Iterator[Box]:
        """The boxes by this name directly in it."""
        return (inner for inner in self.inside if inner.kind == kind)


def box_tree(read: Read, size: int, found: Anatomy, *, picture: bool, known: frozenset[bytes]) -> tuple[Box, int]:
    """All boxes as the inside of one without a name, and where the last of them ends.

    In a picture `meta` holds the structure, in a film metadata, which nobody looks into. At the top a box whose name is
    not `known` and that reaches beyond the file is no box, but something that stands behind the last.
    """
    whole = Box(_TOP, 0, 0, size)
    reader = _Reader(read, found)
    for box in reader.boxes(whole):
        if box.end > size and box.kind not in known:
            return whole, box.at
        whole.inside.append(box)
        if box.end > size:
            found.truncated = True
            return whole, size
    end = whole.inside[-1].end if whole.inside else 0
    pending = [box for box in whole.inside if _holds_boxes(box.kind, picture=picture)]
    _check_places(whole, found)
    while pending and not found.problems:
        parent = pending.pop()
        start = parent.start + (_meta_header(read, parent) if parent.kind == b"meta" else 0)
        for box in reader.boxes(Box(parent.kind, parent.at, start, parent.end)):
            if box.end > parent.end:
                found.broken("a box reaches beyond the one it lies in", box.at)
                break
            parent.inside.append(box)
            if _holds_boxes(box.kind, picture=picture):
                pending.append(box)
        _check_places(parent, found)
    if not found.problems and reader.count > MOST_BOXES:
        found.broken(f"it has more than {MOST_BOXES} boxes", 0)
    return whole, end


def _holds_boxes(kind: bytes, *, picture: bool) -> bool:
    return kind in _PARENTS or (picture and kind == b"meta")


def _meta_header(read: Read, box: Box) -> int:
    """`meta` has four bytes of version and flags, but in QuickTime files none."""
    return 0 if read(box.start + 4, 4) == b"hdlr" else 4


def _check_places(parent: Box, found: Anatomy) -> None:
    """Does each box lie where such a box may, and as often?"""
    seen: set[bytes] = set()
    for box in parent.inside:
        if parent.kind not in _PARENTS.get(box.kind, {parent.kind}):
            found.broken("a box lies in one where it cannot", box.at)
        if box.kind in seen and box.kind in _ONCE:
            found.broken("a box is there twice that may be there once", box.at)
        seen.add(box.kind)


class _Reader:
    """Reads boxes' headers, and counts them."""

    def __init__(self, read: Read, found: Anatomy) -> None:
        self._read, self._found = read, found
        self.count = 0

    def boxes(self, parent: Box) -> Iterator[Box]:
        """The boxes between the two ends of `parent`. At the top, it ends quietly where no box stands."""
        at, top = parent.start, parent.kind == _TOP
        while at < parent.end and self.count <= MOST_BOXES:
            header = self._read(at, min(16, parent.end - at))
            length, kind, head = int.from_bytes(header[:4], "big"), header[4:8], 8
            if length == 1 and len(header) == 16:
                length, head = int.from_bytes(header[8:16], "big"), 16
            elif length == 0 and top and is_name(kind) and len(kind) == 4:  # to the end of the file
                length = parent.end - at
            if len(header) < 8 or length < head or (top and not is_name(kind)):
                if not top and (parent.end - at > 8 or header.strip(b"\0")):
                    self._found.broken("there is something between its boxes", at)
                return
            self.count += 1
            yield Box(kind, at, at + head, at + length)
            at += length


def is_name(kind: bytes) -> bool:
    """Whether these four bytes can be a box's name."""
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)

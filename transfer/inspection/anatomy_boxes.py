"""What a container file holds besides its streams: ISO base media boxes (MP4, MOV, HEIC, AVIF) and EBML (WebM). Pure.

What enters: a function that reads a stretch of an untrusted file, and its size. What leaves: an `Anatomy`.
Only boxes' headers and the metadata boxes are read, so the cost does not grow with the size of the film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from transfer.inspection.anatomy import MAX_TEXT_BYTES, Anatomy

Read: TypeAlias = Callable[[int, int], bytes]  # (offset, length) → at most that many bytes

MAX_BOXES = 100_000

_STRUCTURE = frozenset(
    b"ftyp styp moov mdat free skip wide moof mfra sidx ssix prft pdin emsg pnot meta idat mvhd trak".split()
)
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # of its payload
    end: int


def dissect_boxes(read: Read, size: int, *, picture: bool) -> Anatomy:
    """Boxes of an ISO base media file (ISO/IEC 14496-12, section 4.2).

    In a picture (HEIC, AVIF) `meta` is the structure itself; in a film it is metadata.
    """
    found = Anatomy()
    at = 0
    for box in _boxes(read, 0, size):
        if box is None or not _is_name(box.kind):
            break
        if box.end > size:
            if box.kind not in _STRUCTURE:  # no box at all: something else, read as one
                break
            found.truncated = True
            return found
        at = box.end
        if box.kind == b"uuid":
            _note_uuid(found, read(box.start, min(box.end - box.start, MAX_TEXT_BYTES)))
        elif box.kind == b"moov":
            _dissect_moov(found, read, box, picture=picture)
        elif box.kind == b"meta" and not picture:
            found.note("meta", read(box.start, min(box.end - box.start, MAX_TEXT_BYTES)))
        elif box.kind not in _STRUCTURE:
            found.note(f"box {box.kind.decode('latin-1')}", read(box.start, 256))
    found.trail(read(at, 16), size - at)
    return found


def _dissect_moov(found: Anatomy, read: Read, moov: _Box, *, picture: bool) -> None:
    pending = [moov]
    while pending:
        parent = pending.pop()
        for box in _boxes(read, parent.start, parent.end):
            if box is None or box.end > parent.end:
                break
            if box.kind == b"trak":
                pending.append(box)
            elif box.kind == b"udta" or (box.kind == b"meta" and not picture):
                found.note(box.kind.decode(), read(box.start, min(box.end - box.start, MAX_TEXT_BYTES)))
            elif box.kind == b"uuid":
                _note_uuid(found, read(box.start, min(box.end - box.start, MAX_TEXT_BYTES)))


def _note_uuid(found: Anatomy, payload: bytes) -> None:
    if payload.startswith(_C2PA):
        found.credentials = True
    else:
        found.note("XMP" if payload.startswith(_XMP) else "uuid", payload[16:])


def _boxes(read: Read, start: int, end: int) -> Iterator[_Box | None]:
    """The boxes between two offsets; None where something stands that is no box."""
    for _ in range(MAX_BOXES):
        if start >= end:
            return
        header = read(start, 16)
        length, kind, head = int.from_bytes(header[:4], "big"), header[4:8], 8
        if length == 1:
            length, head = int.from_bytes(header[8:16], "big"), 16
        elif length == 0 and kind == b"mdat":  # to the end of the file
            length = end - start
        if len(header) < 8 or length < head:
            yield None
            return
        yield _Box(kind, start + head, start + length)
        start += length


def _is_name(kind: bytes) -> bool:
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)


_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067
_VOID = 0xEC


def dissect_ebml(read: Read, size: int) -> Anatomy:
    """The EBML header and the one segment of a WebM file (RFC 8794, section 11; RFC 9559)."""
    found = Anatomy()
    at = 0
    for expected in (_EBML, _SEGMENT, _VOID):
        header = read(at, 16)
        element, width = _number(header, keep_marker=True)
        length, more = _number(header[width:], keep_marker=False)
        if element != expected or not width or not more:
            break
        if length == (1 << 7 * more) - 1:  # of unknown size: a live recording, which lasts to the end of the file
            at = size
            break
        at += width + more + length
    found.truncated = at > size
    if at <= size:
        found.trail(read(at, 16), size - at)
    return found


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A variable-size number (RFC 8794, section 4) and how many bytes it takes; 0 bytes where there is none."""
    if not data or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return 0, 0
    whole = int.from_bytes(data[:width], "big")
    return (whole if keep_marker else whole & ((1 << 7 * width) - 1)), width

"""Puts right what FFmpeg's writer does to a new MP4: an empty box for tags, endless edit lists, odd display matrices.

What enters: a descriptor of an MP4 that `video.py` has just written (trusted as far as FFmpeg is). What leaves: the
same film without `moov/udta`; nothing that holds media moves, so no offset in it changes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from transfer.disarm.descriptors import Inflow, Outflow
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.turn import moved, straight

_HEAD = 16  # bytes of a box header with a 64-bit size


class _Box(NamedTuple):
    kind: bytes
    start: int
    content: int
    end: int


def tidy_mp4(out: int, lengths: Sequence[Fraction | None]) -> bool:
    """Removes `udta`, straightens the first matrix, and ends the edit list of each track that has a length in seconds.

    Says whether the first track is shown turned by a quarter. Raises Refusal and OutputFault.
    """
    boxes = {box.kind: box for box in _boxes(out, 0, os.fstat(out).st_size)}
    if b"moov" not in boxes or b"mdat" not in boxes:
        raise Refusal("The new film has no header.", code=Code.REBUILD_FAILED)
    movie = boxes[b"moov"]
    inner = list(_boxes(out, movie.content, movie.end))
    tracks = [box for box in inner if box.kind == b"trak"]
    if any(length is not None for length in lengths):
        _end_edits(out, next(box for box in inner if box.kind == b"mvhd"), tracks, lengths)
    tags = next((box for box in inner if box.kind == b"udta"), None)
    if tags is not None:
        if tags.end != movie.end:
            raise Refusal("The new film's header is not as expected.", code=Code.REBUILD_FAILED)
        _cut(out, movie.start, tags.start, movie.end)
    return bool(tracks) and _straighten(out, tracks[0])


def _end_edits(out: int, header: _Box, tracks: list[_Box], lengths: Sequence[Fraction | None]) -> None:
    """FFmpeg shows a track to its last packet, also those that the old edit list hid: they stay hidden."""
    at = header.content + (20 if _byte(out, header.content) else 12)
    (scale,) = struct.unpack(">I", os.pread(out, 4, at))
    longest = 0
    for track, length in zip(tracks, lengths, strict=True):
        inner = {box.kind: box for box in _boxes(out, track.content, track.end)}
        total, field = _number(out, inner[b"tkhd"].content, 20, 28)
        if length is not None:
            edits = next(_boxes(out, inner[b"edts"].content, inner[b"edts"].end)) if b"edts" in inner else None
            if edits is None:
                raise Refusal("The new film has no edit list.", code=Code.REBUILD_FAILED)
            wide = _byte(out, edits.content)
            now, place = _number(out, edits.content, edits.end - edits.content - 12, edits.end - edits.content - 20)
            wanted = min(now, round(length * scale))
            _put(out, place, struct.pack(">Q" if wide else ">I", wanted))
            total += wanted - now
            _put(out, field, struct.pack(">Q" if _byte(out, inner[b"tkhd"].content) else ">I", total))
        longest = max(longest, total)
    _put(out, at + 4, struct.pack(">Q" if _byte(out, header.content) else ">I", longest))


def _number(out: int, content: int, short: int, long: int) -> tuple[int, int]:
    """A number of 32 bits at `short`, or in a box of version 1 of 64 bits at `long`; and its place in the file."""
    wide = _byte(out, content)
    place = content + (long if wide else short)
    return int.from_bytes(os.pread(out, 8 if wide else 4, place), "big"), place


def _byte(out: int, at: int) -> int:
    return os.pread(out, 1, at)[0]


def _cut(out: int, moov: int, cut: int, end: int) -> None:
    """Ends the header at `cut` instead of `end`; the room becomes part of the padding behind it, or of nothing."""
    size = os.fstat(out).st_size
    if end == size:
        os.ftruncate(out, cut)
    else:
        padding = next(_boxes(out, end, size))
        if padding.kind != b"free":
            raise Refusal("The new film's header is not followed by padding.", code=Code.REBUILD_FAILED)
        _put(out, cut, struct.pack(">I4s", padding.end - cut, b"free") + b"\0" * (padding.content - cut - 8))
    _put(out, moov, struct.pack(">I", cut - moov))


def _put(out: int, at: int, content: bytes) -> None:
    flow = Outflow(out)
    flow.seek(at)
    flow.write(content)


def _straighten(out: int, track: _Box) -> bool:
    """Writes the track's matrix anew, as a quarter turn or mirror image; whether it is a quarter turn.

    FFmpeg copies the old film's numbers, whatever they are.
    """
    box = next((box for box in _boxes(out, track.content, track.end) if box.kind == b"tkhd"), None)
    if box is None or box.end - box.content < 84:
        raise Refusal("The new film's header is not as expected.", code=Code.REBUILD_FAILED)
    place = box.content + (52 if _byte(out, box.content) else 40)
    *matrix, width, height = struct.unpack(">9i2I", os.pread(out, 44, place))
    turn = straight(matrix)
    a, b, c, d = (number << 16 for number in turn)
    right, down = moved(turn, width >> 16, height >> 16)
    _put(out, place, struct.pack(">9i", a, b, 0, c, d, 0, right << 16, down << 16, 1 << 30))
    return turn[0] == 0


def _boxes(out: int, position: int, end: int) -> Iterator[_Box]:
    """The boxes between two offsets. Raises Refusal."""
    flow = Inflow(out)
    while position < end:
        flow.seek(position)
        head = flow.read(_HEAD)
        if len(head) < 8:
            raise Refusal("The new film ends inside a box.", code=Code.REBUILD_FAILED)
        size, kind = struct.unpack_from(">I4s", head)
        length = 8
        if size == 1:
            (size,), length = struct.unpack_from(">Q", head, 8), 16
        elif size == 0:
            size = end - position
        if size < length or position + size > end:
            raise Refusal("The new film has a box that does not fit.", code=Code.REBUILD_FAILED)
        yield _Box(kind, position, position + length, position + size)
        position += size

"""Do the packed points of a PNG or GIF unpack to what the picture needs, or is there more behind its last line? Pure.

What enters: the bytes of an untrusted picture and where its walker met packed points. What leaves, in its `Anatomy`:
data that no decoder shows. A few bytes are a note and go with the rebuild; much is a bomb or a hiding place (G6).
Called when the picture's measures have passed the limits: they bound what is unpacked here, and nothing of it is kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from transfer.inspection.anatomy import PADDING, Anatomy, PackedPoints
from transfer.inspection.lzw import Unpacked, unpack_lzw
from transfer.inspection.structure_gif import sub_blocks

MOST_BEHIND = 4_096  # unpacked bytes (of a GIF: points) behind the last line that a careless encoder may leave
MOST_RUNS = 1_000_000  # times that the pictures of a GIF empty their dictionary; each costs about 2 µs
MOST_SEARCHED = 1_048_576  # bytes behind the end of packed data, from their beginning

_STEP = 262_144
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def check_points(found: Anatomy, data: bytes) -> None:
    """Unpacks the points of each picture in the file, as far as they go and a little further."""
    runs = MOST_RUNS
    for points in found.packed:
        behind = _behind_lzw(found, data, points, runs) if points.lzw else _behind_deflate(found, data, points)
        runs -= behind.runs
        if behind.points > MOST_BEHIND:
            found.inflates = "picture"
        if found.inflates or found.problems:
            return
        # FFmpeg writes a zero byte behind a GIF's points; padding is nothing here as it is behind a file's end.
        found.behind_points += behind.points + (behind.behind if behind.rest.strip(PADDING) else 0)
        for content in (behind.unpacked, behind.rest):
            if content:
                found.search(content, where="behind the last line")


def filtered_bytes(width: int, height: int, *, bits: int, interlaced: bool) -> int:
    """How many bytes the lines of a PNG have before they are packed, each with its filter (sections 7 and 8)."""
    if not interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for left, top, across, down in _ADAM7:
        columns, lines = (width - left + across - 1) // across, (height - top + down - 1) // down
        if columns > 0 and lines > 0:
            total += lines * (1 + (columns * bits + 7) // 8)
    return total


def _behind_lzw(found: Anatomy, data: bytes, points: PackedPoints, most_runs: int) -> Unpacked:
    packed = b"".join(sub_blocks(data, start, keep=end - start)[1] for start, end in points.spans)
    most = points.needs + MOST_BEHIND
    unpacked = unpack_lzw(packed, points.lzw, needs=points.needs, most=most, most_runs=most_runs)
    if unpacked is None:
        found.broken("its pictures are packed in far more steps than they need", points.spans[0][0])
        return Unpacked()
    return unpacked


def _behind_deflate(found: Anatomy, data: bytes, points: PackedPoints) -> Unpacked:
    stream, needs, more = zlib.decompressobj(), points.needs, bytearray()
    pieces = _pieces(data, points.spans)
    try:
        for piece in pieces:
            packed = piece
            while not stream.eof:
                step = min(needs, _STEP) or MOST_BEHIND + 1  # to the last line's end exactly, and then a little further
                out = stream.decompress(packed, step)
                if needs:
                    needs -= len(out)
                else:
                    more += out
                if len(more) > MOST_BEHIND:
                    return Unpacked(points=len(more))
                packed = stream.unconsumed_tail
                if len(out) < step:
                    break
            if stream.eof:
                break
    except zlib.error:
        if not needs:  # a decoder has its lines by then and may look no further
            found.broken("the packed data of a picture do not end as they should", points.spans[0][0])
        return Unpacked()
    rest = stream.unused_data + b"".join(pieces)
    return Unpacked(points=len(more), behind=len(rest), unpacked=bytes(more), rest=rest[:MOST_SEARCHED])


def _pieces(data: bytes, spans: list[tuple[int, int]]) -> Iterator[bytes]:
    for start, end in spans:
        for at in range(start, end, _STEP):
            yield data[at : min(at + _STEP, end)]

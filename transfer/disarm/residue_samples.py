"""Proves that every byte of an MP4's media data belongs to a sample of one of its tracks: nothing hides between them.

What enters: the sample tables of all tracks and the range of the media data, which itself is not read. What leaves:
notes in the report. Source: ISO/IEC 14496-12, clauses 8.7.3 to 8.7.5.
"""

from __future__ import annotations

import array
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from transfer.disarm.residue_boxes import Box
from transfer.disarm.residue_view import Broken, Report, View


@dataclass(slots=True)
class Track:
    """What the walk over one track has found."""

    handler: bytes = b""
    tables: dict[bytes, Box] = field(default_factory=dict)
    entry: bytes = b""  # the codec, by the kind of its sample entry
    length_bytes: int = 4  # in front of each unit of an H.264 or H.265 packet
    shape: str = ""  # the size of a picture, the channels and rate of sound
    turn: str = ""
    milliseconds: int = 0

    def line(self, samples: int) -> str:
        """For the list of what is there."""
        kind = "picture" if self.handler == b"vide" else "sound"
        length = f"{self.milliseconds // 1000}.{self.milliseconds % 1000:03} s"
        parts = [f"{kind}: {self.entry.decode('latin-1')}", self.shape, self.turn, length, f"{samples} samples"]
        return ", ".join(part for part in parts if part)


def check_coverage(view: View, tracks: list[Track], start: int, end: int, report: Report) -> None:
    """Notes every gap between chunks, and a chunk that lies outside. Raises Broken for broken tables."""
    for track in tracks:
        if b"stsz" in track.tables:
            report.tell(track.line(_sizes(view, track.tables[b"stsz"])[1]))
    chunks = sorted(itertools.chain.from_iterable(_chunks(view, track) for track in tracks))
    for offset, size in chunks:
        if offset != start:
            report.note("box mdat", "bytes that belong to no sample, or to two", start)
            return
        start += size
    report.unless(start == end, "box mdat", "bytes that belong to no sample", start)


def places(view: View, track: Track) -> Iterator[tuple[int, int]]:
    """Offset and size of each sample of a track, in order. Raises Broken for broken tables."""
    sizes, count = _sizes(view, track.tables[b"stsz"]) if b"stsz" in track.tables else ([], 0)
    each = iter(itertools.repeat(sizes[0], count) if len(sizes) == 1 != count else sizes)
    for start, size in _chunks(view, track):
        at = start
        while at < start + size:
            one = next(each, start + size - at)
            yield at, one
            at += one


def _chunks(view: View, track: Track) -> Iterator[tuple[int, int]]:
    """Offset and size of each chunk of a track."""
    missing = [kind for kind in (b"stsc", b"stsz") if kind not in track.tables]
    place = track.tables.get(b"stco") or track.tables.get(b"co64")
    if missing or place is None:
        raise Broken("box stbl", "it lacks tables", 0)
    sizes, count = _sizes(view, track.tables[b"stsz"])
    offsets = _numbers(view, place, 1, wide=place.kind == b"co64")
    runs = _numbers(view, track.tables[b"stsc"], 3)
    total = [0, *itertools.accumulate(sizes)] if len(sizes) > 1 else None
    fixed = sizes[0] if len(sizes) == 1 else 0
    sample = 0
    for run in range(0, len(runs), 3):
        first, per_chunk = runs[run], runs[run + 1]
        last = runs[run + 3] if run + 3 < len(runs) else len(offsets) + 1
        if not first or last < first or last > len(offsets) + 1 or runs[run + 2] != 1 or (run == 0 and first != 1):
            raise Broken("box stsc", "it does not fit the chunks", track.tables[b"stsc"].start)
        for chunk in range(first, last):
            after = sample + per_chunk
            if after > count:
                raise Broken("box stsc", "it counts more samples than there are", track.tables[b"stsc"].start)
            yield offsets[chunk - 1], (total[after] - total[sample] if total else fixed * per_chunk)
            sample = after
    if sample != count:
        raise Broken("box stsc", "it counts fewer samples than there are", track.tables[b"stsc"].start)


def _sizes(view: View, box: Box) -> tuple[list[int] | array.array[int], int]:
    """Each sample's size, or one size for all, and how many samples there are."""
    body = box.body(view)
    fixed, count = int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big")
    if body[:4] != bytes(4) or len(body) != 12 + (0 if fixed else 4 * count):
        raise Broken(box.where, "it is not as long as it must be", box.start)
    if fixed:
        return [fixed], count
    return _big_endian("I", body[12:]), count


def _numbers(view: View, box: Box, width: int, *, wide: bool = False) -> array.array[int]:
    """The numbers of a counted table whose entries have `width` numbers of 32 bits, or 64 if `wide`."""
    body = box.body(view)
    size = 8 if wide else 4
    if body[:4] != bytes(4) or len(body) != 8 + width * size * int.from_bytes(body[4:8], "big"):
        raise Broken(box.where, "it is not as long as it must be", box.start)
    return _big_endian("Q" if wide else "I", body[8:])


def _big_endian(kind: str, content: bytes) -> array.array[int]:
    numbers = array.array(kind, content)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers

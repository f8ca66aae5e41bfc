"""Where a film's samples lie: sample tables and fragments (ISO/IEC 14496-12, sections 8.6 to 8.8). Pure.

What enters: the boxes of an untrusted film. What leaves, in its `Anatomy`: how many packets it declares, whether each
of its picture's and sound's samples lies in the media data, and what lies there that belongs to no sample. No table is
believed to be longer than its box.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.boxes import Box, Read
from transfer.inspection.second_files import begins_as

MOST_SAMPLES = 1_000_000  # whose places are computed; no policy lets a film with more packets pass
MOST_GAPS = 64  # between samples that are looked at
LEAST_UNREFERENCED = 4_096  # bytes of media data that belong to no sample and are worth a word

_ENTRIES = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stss": 4, b"stps": 4, b"stsh": 8, b"stco": 4, b"co64": 8}
_SLACK = 1_000  # samples that a careless writer may be wrong about
_PLAIN_SOUND = frozenset(
    {
        b"raw ",
        b"NONE",
        b"sowt",
        b"twos",
        b"lpcm",
        b"in24",
        b"in32",
        b"fl32",
        b"fl64",
        b"ulaw",
        b"alaw",
        b"ipcm",
        b"fpcm",
    }
)
_CHECKED = frozenset({b"vide", b"soun"})

_Extents = list[tuple[int, int]]


def check_samples(found: Anatomy, read: Read, whole: Box) -> None:
    """Counts packets, and compares where they are said to lie with where media data lie."""
    moov = whole.first(b"moov")
    header = moov.first(b"mvhd") if moov is not None else None
    if header is not None:
        scale, ticks = _clock(read(header.start, 32))
        found.duration = ticks // scale if scale else 0
    media = sorted((box.start, box.end) for box in whole.all(b"mdat"))
    covered: _Extents = []
    complete = True
    for track in moov.all(b"trak") if moov is not None else ():
        if found.problems or found.packets > MOST_SAMPLES:
            return
        complete = _check_track(found, read, track, media, covered) and complete
    fragments = list(whole.all(b"moof"))
    for fragment in fragments:
        for part in fragment.all(b"traf"):
            for run in part.all(b"trun"):
                _check_run(found, read, run)
    if complete and covered and not fragments and not found.problems and whole.first(b"meta") is None:
        check_coverage(found, read, covered, media)


def check_coverage(found: Anatomy, read: Read, covered: _Extents, media: _Extents) -> None:
    """What lies in the media data and belongs to nothing, and whether much of them belongs to several things."""
    total = sum(end - start for start, end in media)
    if sum(end - start for start, end in covered) > 4 * total + LEAST_UNREFERENCED:
        found.broken("its samples lie upon each other, so that it unpacks to far more than it holds", 0)
        return
    gaps = sorted(_gaps(covered, media), key=lambda gap: gap[0] - gap[1])[:MOST_GAPS]
    unreferenced = 0
    for start, end in gaps:
        head = read(start, min(end - start, 512))
        if looks := begins_as(head.lstrip(b"\0")):
            found.second(looks, "media data that belong to no sample")
        if head.strip(b"\0"):
            unreferenced += end - start
    found.unreferenced = unreferenced if unreferenced >= LEAST_UNREFERENCED else 0


def _gaps(covered: _Extents, media: _Extents) -> _Extents:
    """The stretches of media data that nothing covers, of 32 bytes or more."""
    gaps: _Extents = []
    ordered = sorted(covered)
    position = 0
    for start, end in sorted(media):
        at = start
        while position < len(ordered) and ordered[position][0] < end:
            if ordered[position][0] - at >= 32:
                gaps.append((at, ordered[position][0]))
            at = max(at, ordered[position][1])
            position += 1
        if end - at >= 32:
            gaps.append((at, end))
    return gaps


def _check_track(found: Anatomy, read: Read, track: Box, media: _Extents, covered: _Extents) -> bool:
    """Adds to `covered` where its chunks lie; whether that is known of all of them."""
    handler = track.first(b"mdia", b"hdlr")
    table = track.first(b"mdia", b"minf", b"stbl")
    if handler is None or table is None:
        return False
    if not _tables_fit(found, read, track, table):
        return False
    before = found.packets
    sizes = _sizes(found, read, table)
    checked = read(handler.start + 8, 4) in _CHECKED
    _check_times(found, read, track, table, counts=checked)
    if sizes is None or found.problems or found.packets - before > MOST_SAMPLES:
        return False
    starts = [start for start, _ in media]
    for start, end in _chunks(found, read, table, sizes):
        position = bisect_right(starts, start) - 1
        if checked and start < end and (position < 0 or end > media[position][1]):
            found.broken("a sample does not lie where its media data lie", track.at)
            return False
        if len(covered) >= MOST_SAMPLES:
            return False
        covered.append((start, end))
    return True


def _tables_fit(found: Anatomy, read: Read, track: Box, table: Box) -> bool:
    """Whether each of its tables is no longer than the box it lies in."""
    for box in table.inside:
        entry = _ENTRIES.get(box.kind)
        if entry and not _fits(read, box, entry):
            found.broken("a table of its samples is longer than the box it lies in", box.at)
    edits = track.first(b"edts", b"elst")
    if edits is not None and not _fits(read, edits, 20 if read(edits.start, 1) == b"\x01" else 12):
        found.broken("a table of its edits is longer than the box it lies in", edits.at)
    return not found.problems


def _fits(read: Read, box: Box, entry: int) -> bool:
    """Whether a table with entries of so many bytes is no longer than its box."""
    return box.length >= 8 and _number(read, box.start + 4) * entry <= box.length - 8


def _check_times(found: Anatomy, read: Read, track: Box, table: Box, *, counts: bool) -> None:
    """How long its samples last together, and whether more are given times than there are."""
    box = table.first(b"stsz") or table.first(b"stz2")
    declared = _number(read, box.start + 8) if box is not None else 0
    for kind in (b"stts", b"ctts"):
        times = table.first(kind)
        if times is None:
            continue
        numbers = _numbers(read(times.start + 8, 8 * min(_number(read, times.start + 4), MOST_SAMPLES)), "I")
        if sum(numbers[0::2]) > 2 * declared + _SLACK:
            found.broken("it gives times to far more samples than it has", times.at)
        header = track.first(b"mdia", b"mdhd")
        if counts and kind == b"stts" and header is not None:
            scale, _ = _clock(read(header.start, 32))
            ticks = sum(count * ticks for count, ticks in zip(numbers[0::2], numbers[1::2], strict=True))
            found.duration = max(found.duration, ticks // scale if scale else 0)


def _clock(header: bytes) -> tuple[int, int]:
    """Ticks a second and the ticks that it lasts, of `mvhd` or `mdhd` (section 8.2.2); 0 where that is not known."""
    wide = header[:1] == b"\x01"
    at, width = (20, 8) if wide else (12, 4)
    length = header[at + 4 : at + 4 + width]
    known = len(length) == width and length != b"\xff" * width
    return int.from_bytes(header[at : at + 4], "big"), int.from_bytes(length, "big") if known else 0


def _sizes(found: Anatomy, read: Read, table: Box) -> array[int] | None:
    """The size of each sample; None where all have one size, or they are too many to look at."""
    box = table.first(b"stsz") or table.first(b"stz2")
    if box is None:
        return None
    if box.length < 12:
        found.broken("a table of its samples is longer than the box it lies in", box.at)
        return None
    width, count = struct.unpack(">II", read(box.start + 4, 8))
    same = width if box.kind == b"stsz" else 0
    bits = 32 if box.kind == b"stsz" else width & 0xFF
    if not same and (bits not in {4, 8, 16, 32} or count * bits > (box.length - 12) * 8):
        found.broken("a table of its samples is longer than the box it lies in", box.at)
        return None
    if same:
        # Sound that is not packed has millions of equal samples; its packets are its chunks.
        entries, chunks = table.first(b"stsd"), table.first(b"stco") or table.first(b"co64")
        plain = entries is not None and read(entries.start + 12, 4) in _PLAIN_SOUND
        found.packets += min(count, _number(read, chunks.start + 4)) if plain and chunks is not None else count
        return None
    found.packets += count
    if bits != 32 or count > MOST_SAMPLES:
        return None
    return _numbers(read(box.start + 12, 4 * count), "I")


def _chunks(found: Anatomy, read: Read, table: Box, sizes: array[int]) -> Iterator[tuple[int, int]]:
    """From where to where each chunk reaches."""
    offsets_box, runs_box = table.first(b"stco") or table.first(b"co64"), table.first(b"stsc")
    if offsets_box is None or runs_box is None:
        return
    wide = offsets_box.kind == b"co64"
    count = min(_number(read, offsets_box.start + 4), MOST_SAMPLES)
    offsets = _numbers(read(offsets_box.start + 8, (8 if wide else 4) * count), "Q" if wide else "I")
    runs = _numbers(read(runs_box.start + 8, 12 * min(_number(read, runs_box.start + 4), MOST_SAMPLES)), "I")
    starts = [*runs[0::3], len(offsets) + 1]
    if starts[0] < 1 or any(behind <= first for first, behind in pairwise(starts[:-1])):
        found.broken("the table of its chunks is not in order", runs_box.at)
        return
    sample = 0
    for (first, behind), samples in zip(pairwise(starts), runs[1::3], strict=False):
        for chunk in range(first - 1, min(behind - 1, len(offsets))):
            if sample >= len(sizes):
                return
            yield offsets[chunk], offsets[chunk] + sum(sizes[sample : sample + samples])
            sample += samples


def _check_run(found: Anatomy, read: Read, run: Box) -> None:
    """A fragment's run of samples (section 8.8.8): which fields each has stands in its flags."""
    if run.length < 8:
        found.broken("a table of its samples is longer than the box it lies in", run.at)
        return
    flags, count = _number(read, run.start) & 0xFFFFFF, _number(read, run.start + 4)
    found.packets += count
    fixed = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    entry = 4 * (flags & 0xF00).bit_count()
    if fixed + entry * count > run.length:
        found.broken("a table of its samples is longer than the box it lies in", run.at)


def _number(read: Read, at: int) -> int:
    return int.from_bytes(read(at, 4), "big")


def _numbers(data: bytes, code: str) -> array[int]:
    numbers = array(code)
    numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers

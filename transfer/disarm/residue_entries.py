"""Reads the sample description of an MP4's track: which codec, and that codec's own header.

What enters: an stsd box. What leaves: notes in the report.
Allowed: exactly one entry of a known codec, its fixed fields neutral (no compressor's name), and of further boxes only
what decoding and colour need; in an H.265 header no supplemental information but that for colour.
Source: ISO/IEC 14496-12, clause 8.5.2; 14496-15, clause 8.3.3.1.
"""

from __future__ import annotations

import struct

from transfer.disarm.residue_boxes import Box, Check, boxes, holding, walk
from transfer.disarm.residue_samples import Track
from transfer.disarm.residue_view import Report, View

_PICTURES = (b"avc1", b"avc3", b"hvc1", b"hev1", b"vp08", b"vp09", b"av01")
_SOUNDS = (b"mp4a", b"Opus", b"ac-3", b"ec-3", b"fLaC", b"alac", b".mp3")
_COLOUR = (137, 144, 147)  # the only supplemental information allowed in an H.265 header
_DESCRIPTORS = {3: "stream", 4: "decoder", 5: "header", 6: "sync"}


def read_entries(view: View, box: Box, report: Report, track: Track) -> None:
    """Notes everything unexpected, and the codec in the track. Raises Broken where the boxes do not hold together."""
    head = view.take(box.content, 8, box.where)
    entries = list(boxes(view, box.content + 8, box.end))
    if head != b"\0\0\0\0\0\0\0\1" or len(entries) != 1:
        report.note(box.where, "it does not have one entry", box.start)
        return
    entry = entries[0]
    fixed = 78 if track.handler == b"vide" else 28
    start = view.take(entry.content, fixed, entry.where)
    track.entry = entry.kind
    if track.handler == b"vide":
        known = entry.kind in _PICTURES and _picture_fields(start)
        track.shape = "{} x {}".format(*struct.unpack_from(">HH", start, 24))
    else:
        known = entry.kind in _SOUNDS and _sound_fields(start)
        track.shape = "{} channels, {} Hz".format(*struct.unpack_from(">H6xH", start, 16))
    report.unless(known, entry.where, "it is no known codec, or holds a name", entry.start)

    def header(view: View, box: Box, report: Report) -> None:
        _CHECKS[box.kind](view, box, report)
        place = 4 if box.kind == b"avcC" else 21
        track.length_bytes = (view.take(box.content + place, 1, box.where)[0] & 3) + 1

    walk(
        view,
        entry.content + fixed,
        entry.end,
        report,
        _CHECKS | {b"avcC": header, b"hvcC": header},
        several=frozenset(),
    )


def _picture_fields(body: bytes) -> bool:
    """Zeros but for the sizes and resolutions; no compressor's name."""
    neutral = body[:6] == bytes(6) and body[6:8] == b"\0\1" and body[8:24] == bytes(16)
    return neutral and body[36:42] == b"\0\0\0\0\0\1" and body[42:74] == bytes(32)


def _sound_fields(body: bytes) -> bool:
    """A description of version 0, zeros but for channels, bits and rate."""
    return body[:6] == bytes(6) and body[6:8] == b"\0\1" and body[8:16] == bytes(8) and body[20:24] == bytes(4)


def _sized(*sizes: int) -> Check:
    return holding(lambda body: len(body) in sizes)


def _colour(body: bytes) -> bool:
    return (body[:4] == b"nclx" and len(body) == 11) or (body[:4] == b"nclc" and len(body) == 10)


def _h264(body: bytes) -> bool:
    """Parameter sets of the lengths they state, then at most the four fields of the high profiles."""
    at = 6
    for _ in range(body[5] & 31 if len(body) > 5 else 0):
        at += 2 + int.from_bytes(body[at : at + 2], "big")
    for _ in range(body[at] if len(body) > at else 0):
        at = at + 2 + int.from_bytes(body[at + 1 : at + 3], "big")
    at += 1
    if len(body) == at:
        return True
    high = body[at : at + 4]
    return len(high) == 4 and len(body) == at + 4 and high[3] == 0


def _h265(body: bytes) -> bool:
    """Arrays of parameter sets of the lengths they state; supplemental information only for colour."""
    at = 23
    for _ in range(body[22] if len(body) > 22 else 0):
        head = body[at : at + 3]
        if len(head) != 3:
            return False
        kind, count, at = head[0] & 0x3F, int.from_bytes(head[1:], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(body[at : at + 2], "big")
            unit, at = body[at + 2 : at + 2 + size], at + 2 + size
            about_colour = len(unit) > 4 and unit[2] in _COLOUR and len(unit) == 5 + unit[3] and unit[-1] == 0x80
            if kind not in (32, 33, 34) and not (kind in (39, 40) and about_colour):
                return False
    return len(body) == at


def _av1(body: bytes) -> bool:
    """Four bytes, then nothing but one sequence header."""
    if len(body) <= 4:
        return len(body) == 4
    return body[4] & 0x78 == 0x08 and bool(body[4] & 2) and len(body) == 6 + body[5] and body[5] < 0x80


def _esds(body: bytes) -> bool:
    """Stream, decoder, header and sync descriptors only, of the lengths they state."""
    return body[:4] == bytes(4) and _descriptors(body[4:], 0)


def _descriptors(body: bytes, depth: int) -> bool:
    at = 0
    while at < len(body):
        tag, size, at = body[at], 0, at + 1
        while at < len(body) and body[at] & 0x80:
            size, at = size << 7 | body[at] & 0x7F, at + 1
        if at >= len(body) or tag not in _DESCRIPTORS:
            return False
        size, at = size << 7 | body[at], at + 1
        content, at = body[at : at + size], at + size
        if len(content) != size or not _descriptor(tag, content, depth):
            return False
    return True


def _descriptor(tag: int, content: bytes, depth: int) -> bool:
    if tag == 3:  # identifier and flags: no dependence, no address, no clock
        return depth == 0 and content[2:3] == b"\0" and _descriptors(content[3:], 1)
    if tag == 4:
        return depth == 1 and len(content) >= 13 and _descriptors(content[13:], 2)
    return len(content) <= 64 if tag == 5 else content == b"\2"


def _bit_rate(body: bytes) -> bool:
    return len(body) == struct.calcsize(">III")


_CHECKS: dict[bytes, Check] = {
    b"avcC": holding(_h264),
    b"hvcC": holding(_h265),
    b"av1C": holding(_av1),
    b"vpcC": _sized(12),
    b"esds": holding(_esds),
    b"dOps": holding(lambda body: len(body) == 11 or (len(body) > 11 and len(body) == 13 + body[1])),
    b"dac3": _sized(3),
    b"dec3": holding(lambda body: 5 <= len(body) <= 64),
    b"dfLa": _sized(4 + 4 + 34),
    b"alac": _sized(4 + 24, 4 + 48),
    b"colr": holding(_colour),
    b"pasp": _sized(8),
    b"clap": _sized(32),
    b"fiel": _sized(2),
    b"btrt": holding(_bit_rate),
    b"mdcv": _sized(24),
    b"clli": _sized(4),
}

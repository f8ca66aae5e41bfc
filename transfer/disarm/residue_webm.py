"""Reads a WebM element by element to its last byte and finds every element that only metadata needs.

What enters: a rebuilt WebM. What leaves: notes in the report.
Allowed: the elements in the tables below, each only under its parent; void filled with zeros; the writer's name `Lavf`
and nothing more; track numbers as track identifiers; the language `und`; a Vorbis header without comments. No tags,
attachments, chapters, titles, dates or names. Frames are skipped, but for AV1 (`residue_obus`).
Source: RFC 8794, RFC 9559.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from transfer.disarm.residue_obus import check_obus
from transfer.disarm.residue_view import Broken, Report, View

_Check = Callable[[bytes], bool] | None  # None: a frame, which is not read
_LONGEST = 1 << 20  # bytes of an element that is read whole


def _number(body: bytes) -> bool:
    return 0 < len(body) <= 8


def _zero_or_one(body: bytes) -> bool:
    return body in (b"\0", b"\1")


def _is(*contents: bytes) -> Callable[[bytes], bool]:
    return lambda body: body in contents


def _codec_header(body: bytes) -> bool:
    """Opus, AV1, VP9 or Vorbis without comments; none of them has room for words."""
    if body.startswith(b"OpusHead"):
        return len(body) == 19 or (len(body) > 20 and len(body) == 21 + body[9])
    if body.startswith(b"\x02\x1e"):
        return body[2:10] == b"\x10\x01vorbis" and b"\x03vorbis" + bytes(8) + b"\x01\x05vorbis" == body[33:56]
    if body.startswith(b"\x81"):
        return len(body) == 4 or (len(body) > 6 and body[4] & 0x78 == 8 and len(body) == 6 + body[5])
    return len(body) in (3, 6, 9, 12) and all(
        body[at] in (1, 2, 3, 4) and body[at + 1] == 1 for at in range(0, len(body), 3)
    )


_CODECS = _is(b"V_VP8", b"V_VP9", b"V_AV1", b"A_OPUS", b"A_VORBIS")

_EBML: Mapping[int, _Check] = {
    0x4286: _is(b"\1"),
    0x42F7: _is(b"\1"),
    0x42F2: _is(b"\4"),
    0x42F3: _is(b"\x08"),
    0x4282: _is(b"webm"),
    0x4287: _number,
    0x4285: _number,
}
_INFO: Mapping[int, _Check] = {0x2AD7B1: _number, 0x4489: _number, 0x4D80: _is(b"Lavf"), 0x5741: _is(b"Lavf")}
_SEEK: Mapping[int, _Check] = {
    0x53AB: _is(b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1c\x53\xbb\x6b"),
    0x53AC: _number,
}
_TRACK: Mapping[int, _Check] = {
    0xD7: _number,  # its number
    0x73C5: _number,  # its identifier, compared with the number below
    0x83: _is(b"\1", b"\2"),
    0x86: _CODECS,
    0x63A2: _codec_header,
    0x22B59C: _is(b"und"),
    0x9C: _zero_or_one,
    0x88: _zero_or_one,
    0xB9: _zero_or_one,
    0x55AA: _zero_or_one,
    0x55EE: _number,
    0x23E383: _number,
    0x56AA: _number,
    0x56BB: _number,
}
_PICTURE: Mapping[int, _Check] = dict.fromkeys(
    (0xB0, 0xBA, 0x54B0, 0x54BA, 0x54B2, 0x54AA, 0x54BB, 0x54CC, 0x54DD, 0x9A, 0x9D, 0x53C0, 0x53B8), _number
)
_COLOUR: Mapping[int, _Check] = dict.fromkeys(range(0x55B1, 0x55BE), _number)
_MASTERING: Mapping[int, _Check] = dict.fromkeys(range(0x55D1, 0x55DB), _number)
_SOUND: Mapping[int, _Check] = dict.fromkeys((0xB5, 0x78B5, 0x9F, 0x6264), _number)
_CLUSTER: Mapping[int, _Check] = {0xE7: _number, 0xAB: _number, 0xA7: _number, 0xA3: None}
_GROUP: Mapping[int, _Check] = {0xA1: None, 0x9B: _number, 0xFB: _number, 0x75A2: _number}
_ADDITION: Mapping[int, _Check] = {0xEE: _is(b"\1"), 0xA5: None}  # the picture's transparency
_POSITION: Mapping[int, _Check] = dict.fromkeys((0xF7, 0xF1, 0xF0, 0xB2, 0x5378), _number)

# What may stand in an element that holds others: elements with a check, and further holders.
_HOLDERS: Mapping[int, tuple[Mapping[int, _Check], tuple[int, ...]]] = {
    0x1A45DFA3: (_EBML, ()),
    0x18538067: ({}, (0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B)),
    0x114D9B74: ({}, (0x4DBB,)),
    0x4DBB: (_SEEK, ()),
    0x1549A966: (_INFO, ()),
    0x1654AE6B: ({}, (0xAE,)),
    0xAE: (_TRACK, (0xE0, 0xE1)),
    0xE0: (_PICTURE, (0x55B0,)),
    0x55B0: (_COLOUR, (0x55D0,)),
    0x55D0: (_MASTERING, ()),
    0xE1: (_SOUND, ()),
    0x1F43B675: (_CLUSTER, (0xA0,)),
    0xA0: (_GROUP, (0x75A1,)),
    0x75A1: ({}, (0xA6,)),
    0xA6: (_ADDITION, ()),
    0x1C53BB6B: ({}, (0xBB,)),
    0xBB: ({0xB3: _number}, (0xB7,)),
    0xB7: (_POSITION, ()),
}
_VOID = 0xEC
_NAMES = {
    0x114D9B74: "SeekHead",
    0x1549A966: "Info",
    0x1654AE6B: "Tracks",
    0xAE: "TrackEntry",
    0x1F43B675: "Cluster",
    0xA3: "SimpleBlock",
    0xA0: "BlockGroup",
    0x1C53BB6B: "Cues",
    _VOID: "Void",
}
_BLOCKS = {0xA3, 0xA1}
_REPEATED = {0x1F43B675, 0xAE, 0xA3, 0xA0, 0xBB, 0xB7, 0xFB, 0x4DBB, 0xA6, _VOID}


def read_webm(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the elements do not hold together."""
    top = [identifier for identifier, _, _, _ in _elements(view, 0, view.size)]
    if top != [0x1A45DFA3, 0x18538067]:
        raise Broken("file", "it is not one header and one segment", 0)
    walk = _Walk(view, report)
    for identifier, _, content, end in _elements(view, 0, view.size):
        walk.read(identifier, content, end)


@dataclass(slots=True)
class _Walk:
    view: View
    report: Report
    has_units: dict[int, bool] = field(default_factory=dict)  # by a track's number, whether it is AV1

    def read(self, parent: int, start: int, end: int) -> dict[int, bytes]:
        """Checks what an element holds, and says it; the tables have no cycle, so the depth is bounded."""
        report = self.report
        leaves, holders = _HOLDERS[parent]
        seen: dict[int, bytes] = {}
        for identifier, at, content, stop in _elements(self.view, start, end):
            where = f"element {identifier:x}"
            if identifier in _NAMES:
                report.saw("elements", _NAMES[identifier])
            if identifier == _VOID:
                zeros = self.view.only_zeros(content, stop - content, where)
                report.unless(zeros, where, "its padding is not zero", at)
            elif identifier in holders or identifier in leaves:
                report.unless(identifier in _REPEATED or identifier not in seen, where, "it stands there twice", at)
                seen[identifier] = b""
                if identifier in leaves:
                    seen[identifier] = self._leaf(identifier, leaves[identifier], at, content, stop)
                else:
                    inner = self.read(identifier, content, stop)
                    seen |= inner if parent == 0xAE else {}
            else:
                report.note(where, "this element is not allowed here", at)
        if parent == 0xAE:
            self._end_of_track(seen, start)
        if parent == 0x1549A966:
            report.tell(f"length: {_seconds(seen):.3f} s")
        return seen

    def _leaf(self, identifier: int, check: _Check, at: int, content: int, stop: int) -> bytes:
        """What it holds; nothing of a frame."""
        where = f"element {identifier:x}"
        if check is None:
            if identifier in _BLOCKS:
                self._block(content, stop)
            return b""
        body = self.view.take(content, min(stop - content, _LONGEST), where)
        if not check(body):
            self.report.note(where, "it holds more or other than it must", at)
        return body

    def _end_of_track(self, seen: Mapping[int, bytes], start: int) -> None:
        same = seen.get(0xD7, b"").lstrip(b"\0") == seen.get(0x73C5, b"").lstrip(b"\0") != b""
        self.report.unless(same, "element 73c5", "the track's identifier is not its number", start)
        self.report.tell(_track(seen))
        self.has_units[int.from_bytes(seen.get(0xD7, b""), "big")] = seen.get(0x86) == b"V_AV1"

    def _block(self, content: int, stop: int) -> None:
        """A track's number in one byte, a time in two, flags without lacing, then one packet."""
        head = self.view.take(content, 4, "frame")
        if head[0] < 0x81 or head[0] & 0x7F not in self.has_units or head[3] & 0x06:
            self.report.note("frame", "it is of no track, or several in one", content)
        elif self.has_units[head[0] & 0x7F]:
            check_obus(self.view, content + 4, stop - content - 4, self.report)


def _track(seen: Mapping[int, bytes]) -> str:
    codec = seen.get(0x86, b"").decode("latin-1")
    if 0xB0 in seen:
        width, height = (int.from_bytes(seen.get(side, b""), "big") for side in (0xB0, 0xBA))
        return f"picture: {codec}, {width} x {height}"
    return f"sound: {codec}, {int.from_bytes(seen.get(0x9F, b''), 'big') or 1} channels"


def _seconds(seen: Mapping[int, bytes]) -> float:
    """The length that the film states; 0 where it is none."""
    body = seen.get(0x4489, b"")
    if len(body) not in (4, 8):
        return 0.0
    (ticks,) = struct.unpack(">f" if len(body) == 4 else ">d", body)
    seconds = ticks * int.from_bytes(seen.get(0x2AD7B1, b"\x0f\x42\x40"), "big") / 1e9
    return seconds if 0 <= seconds < 1e9 else 0.0


def _elements(view: View, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Identifier, start, start of content and end of each element of a range. Raises Broken."""
    while start < end:
        head = view.peek(start, 12)
        length = 9 - head[0].bit_length() if head else 9
        width = 9 - head[length].bit_length() if length < len(head) else 9
        if length > 4 or width > 8 or length + width > len(head):
            raise Broken("element", "no element where one must stand", start)
        size = int.from_bytes(head[length : length + width], "big") & ((1 << 7 * width) - 1)
        content = start + length + width
        if content + size > end or size == (1 << 7 * width) - 1:
            raise Broken(f"element {head[:length].hex()}", "its size is unknown or does not fit", start)
        yield int.from_bytes(head[:length], "big"), start, content, content + size
        start = content + size

"""Reads the packets of an MP4 unit by unit, and finds whatever is no picture.

What enters: the sample tables of an MP4's tracks. What leaves: notes in the report.
H.264 and H.265 pictures may hold slices, parameter sets and delimiters of one view, and nothing else: no filler, no
unit of an unknown kind, no byte outside a unit; of supplemental information (SEI), where encoders write their names and
makers what they like, only what says where decoding may begin and what the colours mean. AV1 likewise.
In a film that we encoded ourselves there may be no supplemental information at all, and the first packets of sound may
not hold the name of FFmpeg's encoder. The sound of a film that was copied is not read here.
Source: ITU-T H.264 table 7-1, D.1.1; H.265 table 7-1, D.2.1; ISO/IEC 14496-15, clause 5.2.3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from transfer.disarm.residue_obus import check_obus
from transfer.disarm.residue_samples import Track, places
from transfer.disarm.residue_view import Broken, Report, View

_NAMES = (b"Lavc", b"Lavf", b"x264", b"x265")  # as FFmpeg's sound encoders write them into their first packet
_FIRST = 3  # packets of sound that are searched for them
_LONGEST_NOTE = 256  # bytes of a unit of supplemental information that is allowed
_NEEDED = {6: (1, 2, 3, 4, 5), 137: (24,), 144: (4,), 147: (1,)}  # where decoding may begin; colours: their sizes

_PICTURE, _NOTE, _OTHER = range(3)
_Kind = Callable[[bytes, int], int]


def _h264(head: bytes, size: int) -> int:
    """A slice or a parameter set; a delimiter of two bytes, an end of one; information."""
    kind = head[0] & 0x1F
    fits = kind in (1, 2, 3, 4, 5, 7, 8) or (kind, size) in ((9, 2), (10, 1), (11, 1))
    if head[0] >= 0x80:
        return _OTHER
    return _PICTURE if fits else _NOTE if kind == 6 else _OTHER


def _h265(head: bytes, size: int) -> int:
    """A slice of any kind or a parameter set; a delimiter of three bytes, an end of two; information. Of layer 0."""
    kind = head[0] >> 1
    fits = kind <= 9 or 16 <= kind <= 21 or 32 <= kind <= 34 or (kind, size) in ((35, 3), (36, 2), (37, 2))
    if size < 2 or head[0] & 1 or head[1] > 7:
        return _OTHER
    return _PICTURE if fits else _NOTE if kind in (39, 40) else _OTHER


_KINDS: dict[bytes, tuple[_Kind, int]] = {
    b"avc1": (_h264, 1),
    b"avc3": (_h264, 1),
    b"hvc1": (_h265, 2),
    b"hev1": (_h265, 2),
}
_OURS = (b"avc1", b"hvc1", b"mp4a")  # what we encode films to


def check_packets(view: View, tracks: list[Track], report: Report) -> None:
    """Notes every unit that is no picture. Raises Broken where the units do not fill their packets."""
    for track in tracks:
        if report.encoded and track.entry not in _OURS:
            report.note("packet", "we encode films to other codecs than this one", 0)
        elif track.entry in _KINDS or track.entry == b"av01":
            for at, size in places(view, track):
                check_picture(view, at, size, track, report)
        elif report.encoded:
            for at, size in itertools.islice(places(view, track), _FIRST):
                named = any(name in view.take(at, size, "packet") for name in _NAMES)
                report.unless(not named, "packet", "the name of an encoder", at)


def check_picture(view: View, at: int, size: int, track: Track, report: Report) -> None:
    """The same for one packet of H.264, H.265 or AV1."""
    if track.entry == b"av01":
        check_obus(view, at, size, report)
        return
    kind_of, head_size = _KINDS[track.entry]
    for unit, head, length in _units(view, at, size, track.length_bytes):
        kind = kind_of(head, length)
        if kind == _NOTE and not report.encoded and _is_needed(view, unit, length, head_size):
            kind = _PICTURE
        report.unless(kind == _PICTURE, "packet", f"a unit of kind {head[0]:02x} that is no picture", unit)


def _units(view: View, at: int, size: int, width: int) -> Iterator[tuple[int, bytes, int]]:
    """Where each unit of a packet begins, its first two bytes, and how long it is."""
    end = at + size
    while at < end:
        head = view.peek(at, width + 2)
        length = int.from_bytes(head[:width], "big")
        if not length or at + width + length > end:
            raise Broken("packet", "its units do not fill it", at)
        at += width
        yield at, head[width:], length
        at += length


def _is_needed(view: View, at: int, size: int, head: int) -> bool:
    """Whether each message says where decoding may begin, or tells of colours, in as many bytes as that takes."""
    if size > _LONGEST_NOTE:
        return False
    content, zeros = bytearray(), 0
    for byte in view.take(at + head, size - head, "packet"):
        if zeros >= 2 and byte == 3:  # stands there only so that nothing looks like the start of a unit
            zeros = 0
            continue
        content.append(byte)
        zeros = 0 if byte else zeros + 1
    at = 0
    while at < len(content) - 2 and content[at + 1] in _NEEDED.get(content[at], ()):
        at += 2 + content[at + 1]
    return at > 0 and content[at:] == b"\x80"

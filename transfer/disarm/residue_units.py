"""Reads the packets of a film that we encoded ourselves, and finds the notes that encoders leave in them.

What enters: the sample tables of an MP4's tracks. What leaves: notes in the report.
H.264 and H.265 pictures may hold slices, parameter sets and delimiters, and nothing else: no supplemental information
(where encoders write their names and settings), no filler, no unit of an unknown kind, and no byte outside a unit. The
first packets of sound may not hold the name of FFmpeg's encoder. A film that was copied keeps what its packets hold,
and is not read here. Source: ITU-T H.264 table 7-1, H.265 table 7-1; ISO/IEC 14496-15, clause 5.2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from transfer.disarm.residue_samples import Track, places
from transfer.disarm.residue_view import Broken, Report, View

_NAMES = (b"Lavc", b"Lavf", b"x264", b"x265")  # as FFmpeg's sound encoders write them into their first packet
_FIRST = 3  # packets of sound that are searched for them
_LENGTH = 4  # bytes of a unit's length, as our writer has it


def _h264(head: int) -> bool:
    """A slice, a parameter set, a delimiter."""
    return head & 0x1F in (1, 5, 7, 8, 9)


def _h265(head: int) -> bool:
    """A slice of any kind, a parameter set, a delimiter."""
    kind = head >> 1 & 0x3F
    return kind <= 9 or 16 <= kind <= 21 or 32 <= kind <= 35


_KNOWN: dict[bytes, Callable[[int], bool]] = {b"avc1": _h264, b"hvc1": _h265}
_SOUNDS = (b"mp4a",)


def check_packets(view: View, tracks: list[Track], report: Report) -> None:
    """Notes every unit that is no picture. Raises Broken where the units do not fill their packets."""
    for track in tracks:
        known = _KNOWN.get(track.entry)
        if known is not None:
            for at, size in places(view, track):
                for unit, head in _units(view, at, size):
                    if not known(head):
                        report.note("packet", f"a unit of kind {head:02x} that is no picture", unit)
        elif track.entry in _SOUNDS:
            for number, (at, size) in enumerate(places(view, track)):
                if number < _FIRST:
                    named = any(name in view.take(at, size, "packet") for name in _NAMES)
                    report.unless(not named, "packet", "the name of an encoder", at)
        else:
            report.note("packet", "we encode films to other codecs than this one", 0)


def _units(view: View, at: int, size: int) -> Iterator[tuple[int, int]]:
    """Where each unit of a packet begins, and its first byte."""
    end = at + size
    while at < end:
        head = view.take(at, _LENGTH + 1, "packet")
        length = int.from_bytes(head[:_LENGTH], "big")
        if not length or at + _LENGTH + length > end:
            raise Broken("packet", "its units do not fill it", at)
        yield at, head[_LENGTH]
        at += _LENGTH + length

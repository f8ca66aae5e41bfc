"""What stays of the packets of a film that is copied: what makes its pictures, and what showing them needs.

What enters: a codec, its header, and one packet after another. What leaves: the packet without all else, and the names
of what was left out. H.264 and H.265 keep slices, parameter sets and delimiters of the one view that is shown; of their
supplemental information (SEI) only where decoding may begin, and what the colours mean. So notes of encoders, captions,
what makers add, filler, second views and layers and units of no known kind stay behind. What is kept is kept bit for
bit, and nothing is decoded. AV1: `picture_obus`. VP8 and VP9 have no such units.
Source: ITU-T H.264, 7.3.1, table 7-1, D.1; H.265, 7.3.1, table 7-1, D.2; ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from transfer.disarm.picture_obus import MOST_UNITS, ObuSieve


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one codec names its units."""

    head: int  # bytes in front of each unit's content
    pictures: frozenset[int]  # kinds: slices and parameter sets
    marks: Mapping[int, int]  # delimiters and ends, each of exactly so many bytes
    notes: tuple[int, ...]  # SEI
    filler: int


_H264 = _Codec(1, frozenset({1, 2, 3, 4, 5, 7, 8}), {9: 2, 10: 1, 11: 1}, (6,), 12)
_H265 = _Codec(2, frozenset({*range(10), *range(16, 22), 32, 33, 34}), {35: 3, 36: 2, 37: 2}, (39, 40), 38)

# Messages that stay, and their sizes in bytes: where decoding may begin; mastering display, light level, transfer.
_ESSENTIAL: Mapping[int, range] = {6: range(1, 6), 137: range(24, 25), 144: range(4, 5), 147: range(1, 2)}
_CALLED = {4: "captions or a maker's data (SEI 4)", 5: "an encoder's or a camera's note (SEI 5)"}

_IMITATED = re.compile(rb"\x00\x00(?=[\x00-\x03])")  # what would imitate the start of a unit


class Sieve(Protocol):
    """What one stream's packets go through. `left_out` has the names of what did not, in the order of their coming."""

    left_out: dict[str, None]

    def sift(self, packet: memoryview) -> bytes | None:
        """The packet without what stays behind; None where all of it goes along. Raises ValueError if it is damaged."""
        ...


def sieve_for(codec: str, header: bytes) -> Sieve | None:
    """The sieve for a stream of this codec (FFmpeg's canonical name) and header (extradata), if it needs one."""
    if codec == "h264" and header[:1] == b"\1" and len(header) > 4:
        return UnitSieve(codec=_H264, width=(header[4] & 3) + 1)
    if codec == "hevc" and header[:1] == b"\1" and len(header) > 21:
        return UnitSieve(codec=_H265, width=(header[21] & 3) + 1)
    return ObuSieve() if codec == "av1" else None


@dataclass(slots=True, kw_only=True)
class UnitSieve:
    """For packets of H.264 and H.265, in which every unit has its length in front, in `width` bytes."""

    codec: _Codec
    width: int
    left_out: dict[str, None] = field(default_factory=dict)

    def sift(self, packet: memoryview) -> bytes | None:
        """As `Sieve`. A packet in which no picture is left is damaged too: its time could not be kept."""
        kept: list[bytes | memoryview] = []
        whole = True
        for start, body, end in self._units(packet):
            unit = packet[body:end]
            known = self._known(unit)
            essential = self._essential(unit) if known == "SEI" else b""
            if known is None or (essential and essential == unit):
                kept.append(packet[start:end])
                continue
            whole = False
            if known != "SEI":
                self.left_out[known] = None
            elif essential:
                kept += [len(essential).to_bytes(self.width, "big"), essential]
        if whole:
            return None
        if not kept:
            raise ValueError("no picture in a packet")
        return b"".join(kept)

    def _units(self, packet: memoryview) -> Iterator[tuple[int, int, int]]:
        """Where each unit's length, its content and its end are."""
        at, size = 0, len(packet)
        for _ in range(MOST_UNITS):
            if at == size:
                return
            body = at + self.width
            if body > size and not any(packet[at:]):
                body = size  # padding too short for a length
            end = body + int.from_bytes(packet[at:body], "big")
            if end > size:
                raise ValueError("units do not fill a packet")
            yield at, body, end
            at = end
        raise ValueError("more units than any picture has")

    def _known(self, unit: memoryview) -> str | None:
        """None for a unit that goes along whole; `SEI`, or what it is called that does not."""
        codec = self.codec
        if len(unit) < codec.head:
            return "padding"
        kind, layer = unit[0] & 0x9F, 0  # with the bit that must be zero
        if codec is _H265:
            kind, layer = unit[0] >> 1, (unit[0] & 1) << 5 | unit[1] >> 3
        if layer:
            return "another view or layer"
        if kind in codec.pictures or codec.marks.get(kind) == len(unit):
            return None
        if kind in codec.notes:
            return "SEI"
        return "filler" if kind == codec.filler else f"a unit of kind {kind}"

    def _essential(self, unit: memoryview) -> bytes:
        """The same unit with the messages that stay; nothing if none does."""
        head = self.codec.head
        messages = _messages(bytes(unit[head:]).replace(b"\0\0\3", b"\0\0"))
        if messages is None:
            self.left_out["a broken SEI"] = None
            return b""
        stay = b""
        for kind, message, content in messages:
            if content in _ESSENTIAL.get(kind, ()):
                stay += message
            else:
                self.left_out[_CALLED.get(kind, f"a note beside pictures (SEI {kind})")] = None
        return bytes(unit[:head]) + _IMITATED.sub(b"\0\0\3", stay + b"\x80") if stay else b""


def _messages(payload: bytes) -> list[tuple[int, bytes, int]] | None:
    """Kind, bytes and size of content of each message; None where they do not fill the payload."""
    payload = payload.rstrip(b"\0")
    found, at, end = [], 0, len(payload) - 1
    if end < 2 or payload[end] != 0x80:
        return None
    while at < end:
        start, numbers = at, []
        for _ in range(2):
            number = 0
            while payload[at] == 255 and at < end:
                number, at = number + 255, at + 1
            numbers.append(number + payload[at])
            at += 1
        kind, size = numbers
        at += size
        if at > end:
            return None
        found.append((kind, payload[start:at], size))
    return found

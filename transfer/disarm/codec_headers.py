"""The codec's own header, which a container carries beside the packets, without the notes that encoders leave in it.

What enters: a stream's codec name and header (FFmpeg's extradata). What leaves: the same header, for H.265 without
supplemental information other than that for colour, for Vorbis with an empty comment block. A decoder needs neither.
Source: ISO/IEC 14496-15, 8.3.3.1 (hvcC); Vorbis I, section 5 (comment header); Matroska's Xiph lacing.
"""

from __future__ import annotations

from transfer.errors import Refusal
from transfer.model.findings import Code

_SUPPLEMENTAL = (39, 40)  # H.265's NAL unit types of supplemental information
_COLOUR = (137, 144, 147)  # mastering display, content light level, alternative transfer
_VORBIS_COMMENT = b"\x03vorbis" + b"\0" * 8 + b"\x01"  # no vendor, no comments, framing bit


def neutral_header(codec: str, header: bytes) -> bytes:
    """The header to write. Raises Refusal if it is broken."""
    if codec in {"hevc", "h265"} and header[:1] == b"\x01":
        return _without_notes(header)
    if codec in {"vorbis", "libvorbis"}:
        return _without_comments(header)
    return header


def _without_notes(header: bytes) -> bytes:
    """An hvcC record: 22 bytes, the number of arrays, then arrays of NAL units."""
    out, arrays, at = b"", 0, 23
    for _ in range(header[22] if len(header) > 22 else 0):
        kind, count = header[at : at + 1], int.from_bytes(header[at + 1 : at + 3], "big")
        at += 3
        units: list[bytes] = []
        for _ in range(count):
            size = int.from_bytes(header[at : at + 2], "big")
            unit = header[at + 2 : at + 2 + size]
            if not kind or len(unit) != size or size < 3:
                raise Refusal("The film's codec header is broken.", code=Code.REBUILD_FAILED)
            at += 2 + size
            if (kind[0] & 0x3F) not in _SUPPLEMENTAL or _is_colour(unit):
                units.append(unit)
        if units:
            arrays += 1
            out += kind + len(units).to_bytes(2, "big") + b"".join(len(u).to_bytes(2, "big") + u for u in units)
    return header[:22] + bytes([arrays]) + out


def _is_colour(unit: bytes) -> bool:
    """Two bytes of NAL header, then exactly one message of a kind and size below 255, then the stop bit."""
    return len(unit) > 4 and unit[2] in _COLOUR and len(unit) == 5 + unit[3] and unit[-1] == 0x80


def _without_comments(header: bytes) -> bytes:
    """Three packets (identification, comment, set-up) in Xiph lacing: a 2, the first two sizes, the packets."""
    broken = Refusal("The sound's codec header is broken.", code=Code.REBUILD_FAILED)
    if header[:1] != b"\x02":
        raise broken
    sizes, at = [], 1
    for _ in range(2):
        size = 0
        while header[at : at + 1] == b"\xff":
            size, at = size + 255, at + 1
        size, at = size + int.from_bytes(header[at : at + 1], "big"), at + 1
        sizes.append(size)
    first = header[at : at + sizes[0]]
    last = header[at + sum(sizes) :]
    if first[:7] != b"\x01vorbis" or last[:7] != b"\x05vorbis" or len(first) != 30:
        raise broken
    return b"\x02" + bytes([len(first), len(_VORBIS_COMMENT)]) + first + _VORBIS_COMMENT + last

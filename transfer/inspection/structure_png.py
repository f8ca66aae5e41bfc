"""PNG and APNG: every chunk to the last byte (PNG specification, third edition, sections 5 and 11). Pure.

What enters: the bytes of an untrusted picture. What leaves: its `Anatomy`. Chunks that a picture needs must stand in
their order, once each and with the right checksum; texts and profiles are unpacked only up to a bound.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from transfer.inspection.anatomy import MAX_INFLATED, MAX_TEXT_BYTES, Anatomy, PackedPoints
from transfer.inspection.structure_points import filtered_bytes

MOST_CHUNKS = 200_000
MAX_ALL_INFLATED = 8 * MAX_INFLATED

_PICTURE = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs hIST sPLT acTL fcTL fdAT cICP mDCV cLLI".split()
)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}  # by colour type


class _Walk:
    """What the rules about order need to remember."""

    __slots__ = (
        "announced",
        "bits",
        "controls",
        "data_ended",
        "found",
        "inflated",
        "interlaced",
        "last",
        "sequence",
        "size",
        "tables",
    )

    def __init__(self, found: Anatomy) -> None:
        self.found = found
        self.last = b""
        self.data_ended = False  # another chunk has followed the picture's data
        self.tables = self.controls = self.announced = self.inflated = 0
        self.sequence = -1
        self.size = (0, 0)
        self.bits = 0  # of one point
        self.interlaced = False

    @property
    def data_begun(self) -> bool:
        """Whether the picture's data stand before this place."""
        return self.data_ended or self.last == b"IDAT"

    def picture(self, width: int, height: int) -> None:
        """The data of a picture of this size begin behind this place."""
        needs = filtered_bytes(width, height, bits=self.bits, interlaced=self.interlaced)
        self.found.packed.append(PackedPoints(needs=needs))


def dissect_png(data: bytes) -> Anatomy:
    """All chunks, and what stands behind IEND."""
    found = Anatomy(truncated=True)
    walk = _Walk(found)
    at = 8
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data) or found.problems or found.inflates:
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if not kind.isalpha():
            found.broken("a chunk has no name", at)
            break
        if end > len(data):
            break
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            found.broken("a chunk's checksum is wrong", at)
            break
        if problem := _problem(walk, kind, data[at + 8 : min(end - 4, at + 34)], length):
            found.broken(problem, at)
            break
        if kind in {b"IDAT", b"fdAT"}:
            _note_data(walk, kind, at + 8, end - 4)
        walk.last = kind
        if kind == b"IEND":
            found.truncated = False
            found.trail(data[end:], len(data) - end)
            break
        if kind == b"iCCP" or kind not in _PICTURE:
            _note_chunk(walk, kind, data[at + 8 : end - 4])
        at = end
    else:
        found.broken(f"it has more than {MOST_CHUNKS} chunks", at)
    found.truncated = found.truncated and not (found.problems or found.inflates)
    found.ends(data[:1024], data[-65_557:])
    return found


def _problem(walk: _Walk, kind: bytes, payload: bytes, length: int) -> str:
    """What is wrong with a chunk where it stands, if anything is; `payload` are its first bytes."""
    if not walk.last and kind != b"IHDR":
        return "its header is not its first chunk"
    if walk.last == b"IDAT" and kind != b"IDAT":
        walk.data_ended = True
    rule = _RULES.get(kind)
    if rule is not None:
        return rule(walk, kind, payload, length)
    if not kind[0] & 0x20:
        return "it has a chunk that a reader must know and none does"
    return ""


def _palette_problem(walk: _Walk, _: bytes, __: bytes, length: int) -> str:
    walk.tables += 1
    if walk.tables > 1 or walk.data_begun or length % 3 or not 3 <= length <= 768:
        return "its palette is not where or what it should be"
    return ""


def _data_problem(walk: _Walk, _: bytes, __: bytes, ___: int) -> str:
    return "its data do not stand together" if walk.data_ended else ""


def _end_problem(walk: _Walk, _: bytes, __: bytes, length: int) -> str:
    if length or not walk.data_begun:
        return "it ends before its data, or its end holds something"
    return "" if walk.announced == walk.controls else "it announces another number of pictures than it has"


def _header_problem(walk: _Walk, _: bytes, payload: bytes, length: int) -> str:
    if walk.last or length != 13:
        return "it has more than one header, or one that is not 13 bytes long"
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", payload[:13])
    walk.size = (width, height)
    walk.bits, walk.interlaced = depth * _CHANNELS.get(colour, 1), bool(interlace)
    if depth not in _DEPTHS.get(colour, set()) or packing or filtering or interlace > 1:
        return "its header names a kind of picture that does not exist"
    return "" if 0 < width < 2**31 and 0 < height < 2**31 else "the picture has no size"


def _announcement_problem(walk: _Walk, _: bytes, payload: bytes, length: int) -> str:
    if walk.announced or walk.data_begun or length != 8:
        return "its animation is announced twice, too late or not as it should be"
    walk.announced = walk.found.frames = int.from_bytes(payload[:4], "big")
    return "" if walk.announced else "its animation has no pictures"


def _animation_problem(walk: _Walk, kind: bytes, payload: bytes, length: int) -> str:
    sequence = int.from_bytes(payload[:4], "big")
    if length < (26 if kind == b"fcTL" else 4) or sequence != walk.sequence + 1 or not walk.announced:
        return "the parts of its animation are not in order"
    walk.sequence = sequence
    if kind == b"fdAT":
        return "" if walk.data_ended else "the parts of its animation are not in order"
    walk.controls += 1
    width, height, right, down = struct.unpack_from(">IIII", payload, 4)
    if not width or not height or right + width > walk.size[0] or down + height > walk.size[1]:
        return "a picture of its animation lies outside of it"
    if walk.data_begun:
        walk.picture(width, height)
    return ""


# The chunks whose place and form matter to a decoder.
_RULES: dict[bytes, Callable[[_Walk, bytes, bytes, int], str]] = {
    b"IHDR": _header_problem,
    b"PLTE": _palette_problem,
    b"IDAT": _data_problem,
    b"IEND": _end_problem,
    b"acTL": _announcement_problem,
    b"fcTL": _animation_problem,
    b"fdAT": _animation_problem,
}


def _note_data(walk: _Walk, kind: bytes, start: int, end: int) -> None:
    """Where the points of a picture lie: the first one's in IDAT, those of an animation's others in fdAT."""
    if kind == b"IDAT" and walk.last != b"IDAT":
        walk.picture(*walk.size)
    if walk.found.packed:
        walk.found.packed[-1].spans.append((start + 4 if kind == b"fdAT" else start, end))


def _note_chunk(walk: _Walk, kind: bytes, payload: bytes) -> None:
    found = walk.found
    if kind in {b"tEXt", b"zTXt", b"iTXt"}:
        keyword, _, rest = payload.partition(b"\0")
        xmp = keyword == b"XML:com.adobe.xmp"
        words = keyword + b"=" + _chunk_text(walk, kind, rest)
        found.note("XMP" if xmp else "text", words, starts=len(keyword) + 1)
    elif kind == b"iCCP":
        profile = payload.partition(b"\0")[2][1:]
        found.search(_inflated(walk, profile, "colour profile"), where="colour profile")
    elif kind == b"eXIf":
        found.note("EXIF", payload)
    elif kind == b"caBX":
        found.credentials = True
        found.search(payload, where="content credentials")
    elif kind == b"tIME":
        found.note("time")
    else:
        found.note(f"chunk {kind.decode('ascii')}", payload)


def _chunk_text(walk: _Walk, kind: bytes, rest: bytes) -> bytes:
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return _inflated(walk, rest[1:], "text")
    compressed, rest = rest[:1] == b"\x01", rest[2:]
    text = rest.split(b"\0", 2)[-1]  # behind the language tag and the translated keyword
    return _inflated(walk, text, "text") if compressed else text


def _inflated(walk: _Walk, packed: bytes, where: str) -> bytes:
    """The unpacked bytes, up to the bound; one that goes on behind it is a bomb, and a decoder would meet it too."""
    stream = zlib.decompressobj()
    try:
        whole = stream.decompress(packed, MAX_INFLATED + 1)
    except zlib.error:
        return b""
    walk.inflated += len(whole)
    if len(whole) > MAX_INFLATED or walk.inflated > MAX_ALL_INFLATED:
        walk.found.inflates = where
    if stream.unused_data:
        walk.found.search(stream.unused_data, where=f"behind a packed {where}")
    return whole[:MAX_TEXT_BYTES] if where == "text" else whole

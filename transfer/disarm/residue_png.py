"""Reads a PNG chunk by chunk to its last byte and finds every chunk that only metadata needs.

What enters: a rebuilt PNG, still or animated. What leaves: notes in the report.
Allowed: IHDR, PLTE, tRNS, gAMA, one iCCP whose profile `residue_icc` accepts, acTL, fcTL, IDAT, fdAT, IEND as the last
bytes; each with its right CRC and the length that its contents need. The picture data of every frame must unpack to
exactly the scan lines that the header promises, with nothing behind them. Source: PNG (third edition), clause 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from transfer.disarm.residue_icc import read_profile
from transfer.disarm.residue_view import Broken, Report, View, four

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey and alpha", 6: "RGB and alpha"}
_LENGTHS = {b"IHDR": 13, b"gAMA": 4, b"acTL": 8, b"fcTL": 26, b"IEND": 0}
_ONCE = (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"iCCP", b"acTL", b"IEND")
_STEP = 1 << 20  # bytes unpacked at a time


@dataclass(slots=True)
class _Walk:
    """Where the reader is: the header, the frame whose data it unpacks, and what is still owed of it."""

    header: bytes = b""
    size: tuple[int, int] = (0, 0)
    unpacker: zlib._Decompress | None = None
    kind: bytes = b""
    owed: int = 0
    sequence: int = 0
    seen: set[bytes] = field(default_factory=set)


def read_png(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the chunks do not hold together."""
    if view.take(0, 8, "start") != b"\x89PNG\r\n\x1a\n":
        raise Broken("start", "it is not a PNG", 0)
    walk = _Walk()
    for kind, content, at in _chunks(view, report):
        where = f"chunk {four(kind)}"
        report.unless(kind == b"IHDR" or bool(walk.header), where, "it stands before the header", at)
        report.unless(kind not in _ONCE or kind not in walk.seen, where, "it stands there twice", at)
        report.unless(_LENGTHS.get(kind, len(content)) == len(content), where, "it is not as long as it must be", at)
        walk.seen.add(kind)
        report.saw("chunks", four(kind))
        _judge(walk, kind, content, report, at)
    _finish(walk, report, view.size)
    report.unless(b"IDAT" in walk.seen, "end", "there is no picture in it", view.size)


def _chunks(view: View, report: Report) -> Iterator[tuple[bytes, bytes, int]]:
    at, kind = 8, b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", view.take(at, 8, "chunk"))
        content = view.take(at + 8, size + 4, f"chunk {four(kind)}")
        checked = struct.pack(">I", zlib.crc32(content[:size], zlib.crc32(kind)))
        report.unless(checked == content[size:], f"chunk {four(kind)}", "its checksum is wrong", at)
        yield kind, content[:size], at
        at += 12 + size
    report.unless(at == view.size, "end", f"{view.size - at} bytes behind the end", at)


def _judge(walk: _Walk, kind: bytes, content: bytes, report: Report, at: int) -> None:
    where = f"chunk {four(kind)}"
    match kind:
        case b"IHDR":
            walk.header = content
            walk.size = struct.unpack_from(">II", content.ljust(8, b"\0"))
            _tell(content, report)
            report.unless(content[10:] == bytes(3), where, "it is interlaced, or of an unknown kind", at)
        case b"PLTE":
            report.unless(0 < len(content) <= 768 and len(content) % 3 == 0, where, "it is no palette", at)
        case b"tRNS":
            colour = walk.header[9] if len(walk.header) == 13 else 6
            room = {0: 2, 2: 6, 3: 256}.get(colour, 0)
            report.unless(len(content) <= room, where, "it is too long", at)
        case b"iCCP":
            _profile(content, report, at)
        case b"fcTL":
            _finish(walk, report, at)
            _count(walk, content, where, report, at)
            walk.size = struct.unpack_from(">II", content.ljust(12, b"\0"), 4)
        case b"IDAT":
            _unpack(walk, kind, content, report, at)
        case b"fdAT":
            _count(walk, content, where, report, at)
            _unpack(walk, kind, content[4:], report, at)
        case b"gAMA" | b"acTL" | b"IEND":
            pass
        case _:
            report.note(where, "this chunk is not allowed", at)


def _tell(header: bytes, report: Report) -> None:
    if len(header) == 13:
        width, height = struct.unpack_from(">II", header)
        kind = _KINDS.get(header[9], "unknown")
        report.tell(f"picture: PNG, {width} x {height}, {header[8]} bits a channel, {kind}")


def _count(walk: _Walk, content: bytes, where: str, report: Report, at: int) -> None:
    report.unless(content[:4] == struct.pack(">I", walk.sequence), where, "it is out of sequence", at)
    walk.sequence += 1


def _profile(content: bytes, report: Report, at: int) -> None:
    name, _, packed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], _STEP)
    except zlib.error:
        report.note("chunk iCCP", "it cannot be unpacked", at)
        return
    tidy = name == b"ICC Profile" and packed[:1] == b"\0" and unpacker.eof and not unpacker.unused_data
    report.unless(tidy, "chunk iCCP", "it holds more than a profile", at)
    read_profile(profile, report, at)


def _unpack(walk: _Walk, kind: bytes, packed: bytes, report: Report, at: int) -> None:
    if walk.unpacker is None or walk.kind != kind:
        _finish(walk, report, at)
        walk.unpacker, walk.kind, walk.owed = zlib.decompressobj(), kind, _scan_lines(walk)
    try:
        while packed and not walk.unpacker.eof and walk.owed >= 0:
            walk.owed -= len(walk.unpacker.decompress(packed, _STEP))
            packed = walk.unpacker.unconsumed_tail
    except zlib.error:
        raise Broken(f"chunk {four(kind)}", "it cannot be unpacked", at) from None
    if walk.unpacker.unused_data or packed or walk.owed < 0:
        raise Broken(f"chunk {four(kind)}", "data behind the picture", at)


def _scan_lines(walk: _Walk) -> int:
    """Bytes of the unpacked picture: each line has one more for its filter."""
    if len(walk.header) != 13 or walk.header[9] not in _CHANNELS:
        raise Broken("chunk IHDR", "it is no header", 8)
    bits = walk.header[8] * _CHANNELS[walk.header[9]]
    return int(walk.size[1] * (1 + (walk.size[0] * bits + 7) // 8))


def _finish(walk: _Walk, report: Report, at: int) -> None:
    """The end of one frame's data."""
    if walk.unpacker is not None:
        whole = walk.owed == 0 and walk.unpacker.eof
        report.unless(whole, f"chunk {four(walk.kind)}", "the picture is not as large as it says", at)
    walk.unpacker = None

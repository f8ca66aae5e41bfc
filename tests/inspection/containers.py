"""Writes and changes containers byte by byte, for structures that no encoder would make."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests import samples

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ZIP_ENTRY = b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(16) + b"\x05\0\0\0a.txt" + b"words"
ZIP_END = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 51, 40, 0)


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int = 1, height: int = 1, depth: int = 8, colour: int = 0) -> bytes:
    """IHDR."""
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png_file(*chunks: bytes, width: int = 1, height: int = 1) -> bytes:
    """A picture of one row a line, with these chunks between its header and its data."""
    data = zlib.compress((b"\0" + bytes(width)) * height)
    return PNG_SIGNATURE + png_header(width, height) + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND")


def png_chunks(whole: bytes) -> list[tuple[bytes, bytes]]:
    """Name and whole chunk, in order."""
    at, chunks = 8, []
    while at < len(whole):
        length, kind = struct.unpack_from(">I4s", whole, at)
        chunks.append((kind, whole[at : at + 12 + length]))
        at += 12 + length
    return chunks


def riff_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a WebP file."""
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def full_box(kind: bytes, payload: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    """A box that begins with a version and flags."""
    return samples.box(kind, struct.pack(">I", version << 24 | flags) + payload)


def boxes_in(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each box there."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start, start + length
        start += length


def find_box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Begin and end of the first box by these names, each in the one before."""
    start, end = 0, len(data)
    for number, kind in enumerate(path):
        _, start, end = next(box for box in boxes_in(data, start + 8 * bool(number), end) if box[0] == kind)
    return start, end


def with_box(data: bytes, path: tuple[bytes, ...], new: bytes) -> bytes:
    """The file with that box replaced and the sizes of those around it corrected; the last one in the file is best."""
    start, end = find_box(data, *path)
    changed = bytearray(data)
    changed[start:end] = new
    for depth in range(1, len(path)):
        at, _ = find_box(data, *path[:depth])
        struct.pack_into(">I", changed, at, struct.unpack_from(">I", data, at)[0] + len(new) - (end - start))
    return bytes(changed)


STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def element(kind: int, payload: bytes, *, unknown: bool = False) -> bytes:
    """One EBML element; `unknown` says that it does not tell its size."""
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    size = b"\x01" + b"\xff" * 7 if unknown else (1 << 56 | len(payload)).to_bytes(8, "big")
    return name + size + payload


def webm_of(*children: bytes) -> bytes:
    """An EBML header as muxers write it, and a segment of these elements."""
    header = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581")
    return header + b"\x02" + element(0x18538067, b"".join(children))

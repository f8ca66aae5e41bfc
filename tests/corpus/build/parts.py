"""The pieces that pictures and containers are made of, written by hand where no library would write them so badly.

What enters: payloads and numbers, right or wrong. What leaves: bytes. Nothing is checked here, that is the point.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

from tests import samples

PNG_START = b"\x89PNG\r\n\x1a\n"
EICAR = b"".join((b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"))


# PNG


def chunk(kind: bytes, payload: bytes = b"", *, crc: int | None = None, length: int | None = None) -> bytes:
    """One PNG chunk, with the right checksum and length unless others are given."""
    check = zlib.crc32(kind + payload) if crc is None else crc
    return struct.pack(">I", len(payload) if length is None else length) + kind + payload + struct.pack(">I", check)


def header(
    width: int, height: int, *, depth: int = 8, colour: int = 2, compression: int = 0, interlace: int = 0
) -> bytes:
    """A PNG's IHDR chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, 0, interlace))


def rows(width: int, height: int, *, channels: int = 3, deep: bool = False) -> bytes:
    """Unfiltered rows of a slanted gradient."""
    out = bytearray()
    for y in range(height):
        out.append(0)
        for x in range(width):
            for channel in range(channels):
                value = (x * 3 + y * 2 + channel * 60) % 256
                out += bytes((value, (x * 7) % 256)) if deep else bytes((value,))
    return bytes(out)


def png(*between: bytes, width: int = 64, height: int = 48, behind: bytes = b"", late: bytes = b"") -> bytes:
    """A small PNG with these chunks before its picture, `late` ones after it and `behind` behind its end."""
    picture = chunk(b"IDAT", zlib.compress(rows(width, height)))
    return PNG_START + header(width, height) + b"".join(between) + picture + late + chunk(b"IEND") + behind


def packed_png(lines: bytes, behind: bytes = b"") -> bytes:
    """A PNG of 64 by 48 points of these unpacked lines, with something behind them in the same chunk."""
    return PNG_START + header(64, 48) + chunk(b"IDAT", zlib.compress(lines) + behind) + chunk(b"IEND")


def chunks_of(content: bytes) -> list[bytes]:
    """A PNG taken apart into its chunks."""
    at, parts = 8, []
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        parts.append(content[at : at + 12 + length])
        at += 12 + length
    return parts


# JPEG


def segment(marker: int, payload: bytes, *, length: int | None = None) -> bytes:
    """One JPEG segment, with the right length unless another is given."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2 if length is None else length) + payload


def jpeg_with(*segments: bytes, whole: bytes | None = None) -> bytes:
    """A JPEG with these segments right behind its start."""
    whole = samples.jpeg(exif=False) if whole is None else whole
    return whole[:2] + b"".join(segments) + whole[2:]


def jpeg_parts(content: bytes) -> tuple[list[bytes], bytes]:
    """A JPEG's segments up to and with the start of its first scan, and the rest."""
    at, parts = 2, []
    while True:
        marker, (length,) = content[at + 1], struct.unpack_from(">H", content, at + 2)
        parts.append(content[at : at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            return parts, content[at:]


# GIF


def gif_frame(
    width: int = 8,
    height: int = 8,
    *,
    at: tuple[int, int] = (0, 0),
    delay: int = 10,
    more: int = 0,
    behind: bytes = b"",
) -> bytes:
    """One frame with its graphic control extension: colour 1 all over, in codes that need no dictionary.

    `more` points are packed behind its last one, and `behind` stands behind the packed data.
    """
    codes: list[tuple[int, int]] = []
    for number in range(width * height + more):
        if number % 2 == 0:
            codes.append((4, 3))  # clear, so that codes stay three bits wide
        codes.append((1, 3))
    codes.append((5, 3))
    packed, bits, held = bytearray(), 0, 0
    for code, size in codes:
        held |= code << bits
        bits += size
        while bits >= 8:
            packed.append(held & 255)
            held >>= 8
            bits -= 8
    packed.append(held & 255)
    control = b"\x21\xf9\x04" + struct.pack("<BHB", 4, delay, 0) + b"\0"
    place = b"\x2c" + struct.pack("<HHHHB", *at, width, height, 0)
    return control + place + b"\x02" + sub_blocks(bytes(packed) + behind)


def sub_blocks(content: bytes) -> bytes:
    """A chain of GIF sub-blocks with its end."""
    parts = (content[at : at + 255] for at in range(0, len(content), 255))
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def gif(*blocks: bytes, width: int = 8, height: int = 8, end: bytes = b"\x3b") -> bytes:
    """A GIF of four colours with these blocks."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0)
    return screen + bytes((0, 0, 0, 200, 16, 16, 16, 200, 16, 16, 16, 200)) + b"".join(blocks) + end


def gif_extension(label: int, content: bytes, *, name: bytes = b"") -> bytes:
    """A GIF extension; `name` is the eleven bytes of an application block."""
    start = bytes((len(name),)) + name if name else b""
    return bytes((0x21, label)) + start + sub_blocks(content)


# RIFF


def riff_chunk(kind: bytes, payload: bytes, *, length: int | None = None) -> bytes:
    """One RIFF chunk, padded to an even length."""
    size = len(payload) if length is None else length
    return kind + struct.pack("<I", size) + payload + b"\0" * (len(payload) % 2)


def riff(*chunks: bytes, length: int | None = None) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


def webp_chunks(content: bytes) -> list[bytes]:
    """A WebP taken apart into its chunks."""
    at, parts = 12, []
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        parts.append(content[at : at + 8 + length + length % 2])
        at += 8 + length + length % 2
    return parts


# ISO base media files


def box(kind: bytes, *payload: bytes, length: int | None = None, long: bool = False) -> bytes:
    """One box, with the right length unless another is given; `long` writes it in 64 bits."""
    body = b"".join(payload)
    if long:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16 if length is None else length) + body
    return struct.pack(">I4s", len(body) + 8 if length is None else length, kind) + body


def boxes_of(content: bytes) -> list[bytes]:
    """The boxes of the highest level."""
    at, parts = 0, []
    while at + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        parts.append(content[at : at + length])
        at += length
    return parts


def patched(content: bytes, kind: bytes, change: bytes, *, at: int = 0) -> bytes:
    """The file with bytes of the first box of this kind overwritten, `at` bytes behind its kind."""
    place = content.index(kind) + 4 + at
    return content[:place] + change + content[place + len(change) :]


# Matroska


def vint(value: int, width: int = 8) -> bytes:
    """A size as EBML writes it."""
    return (value | 1 << 7 * width).to_bytes(width, "big")


def element(identifier: int, *payload: bytes, length: int | None = None, width: int = 8) -> bytes:
    """One EBML element."""
    body = b"".join(payload)
    size = vint(len(body) if length is None else length, width)
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big") + size + body


def in_segment(content: bytes, *elements: bytes) -> bytes:
    """A WebM with these elements at the end of its segment."""
    added = b"".join(elements)
    at = content.index(b"\x18\x53\x80\x67") + 4
    assert content[at] == 1, "the muxer writes sizes in eight bytes"
    size = int.from_bytes(content[at + 1 : at + 8], "big") + len(added)
    return content[: at + 1] + size.to_bytes(7, "big") + content[at + 8 :] + added


# what else lies about


def archive(name: str = "notes.txt", content: bytes = b"words of another file", *, note: bytes = b"") -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
        made.comment = note
    return out.getvalue()


def document() -> bytes:
    """A PDF of one empty page."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )


def elf() -> bytes:
    """The first bytes of a program for Linux."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQ", 2, 62, 1, 0x400000, 64, 0) + bytes(80)


def page() -> bytes:
    """A web page with a script."""
    return b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>\n"


def tiff(entries: Iterable[tuple[int, int, int, bytes]], *, next_ifd: int = 0, big: bool = False) -> bytes:
    """A TIFF block of one directory: (tag, type, count, value of four bytes or more)."""
    order = ">" if big else "<"
    listed = list(entries)
    base = 8 + 2 + 12 * len(listed) + 4
    table, rest = b"", b""
    for tag, kind, count, value in listed:
        if len(value) <= 4:
            table += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
        else:
            table += struct.pack(order + "HHII", tag, kind, count, base + len(rest))
            rest += value + b"\0" * (len(value) % 2)
    start = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", 8)
    return start + struct.pack(order + "H", len(listed)) + table + struct.pack(order + "I", next_ifd) + rest


def exif_text(tag: int, words: str) -> bytes:
    """An APP1 segment with one text in the first directory."""
    value = words.encode() + b"\0"
    return segment(0xE1, b"Exif\0\0" + tiff([(tag, 2, len(value), value)]))


def xmp(inside: str) -> bytes:
    """An XMP packet around one description's attributes and elements."""
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + inside + "</rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def described(attributes: str) -> bytes:
    """An XMP packet with these attributes."""
    spaces = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:pdfx="http://ns.adobe.com/pdfx/1.3/"'
    )
    return xmp(f'<rdf:Description rdf:about="" {spaces} {attributes}/>')


def jpeg_xmp(packet: bytes, whole: bytes | None = None) -> bytes:
    """A JPEG with an XMP packet."""
    return jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet), whole=whole)

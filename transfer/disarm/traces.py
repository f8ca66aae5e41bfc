"""What a picture file carried besides its picture, for the approver's list of what the rebuild took out.

What enters: a whole picture file, as hostile as it likes. What leaves: at most 32 short names, such as `EXIF`, `GPS`,
`XMP`, `comment`, `text Author`, `trailing data of 812 bytes`. This is information, not protection: whatever is missed
here is gone all the same, because the picture is written anew from its pixels. It never fails.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from transfer.model.media import Format

_MOST = 32
_GPS = 0x8825
_BARE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"sRGB", b"gAMA", b"acTL", b"fcTL", b"fdAT"})
_PNG_NAMES = {b"eXIf": "EXIF", b"tIME": "time", b"pHYs": "resolution", b"caBX": "content credentials"}
_JPEG_NAMES = (
    (0xE1, b"Exif\0", "EXIF"),
    (0xE1, b"http://ns.adobe.com/x", "XMP"),
    (0xE2, b"MPF\0", "further pictures"),
    (0xE2, b"ICC_PROFILE\0", ""),
    (0xE0, b"JFIF\0", ""),
    (0xED, b"Photoshop", "IPTC"),
    (0xEB, b"JP", "content credentials"),
    (0xEE, b"Adobe", ""),
)
_ITEM = re.compile(rb"infe[\x02\x03].{3}(?:.{2}|.{4})\0\0(Exif|mime|uri )", re.DOTALL)
_AT_A_TIME = 128 << 10  # bytes in which the end of a picture is looked for at once
_PRINTABLE = re.compile(r"[^ -~]+")


def traces(untrusted: bytes, form: Format) -> tuple[str, ...]:
    """The names of what will be gone, in file order, each once."""
    found: dict[str, None] = {}
    try:
        for name in _WALKS.get(form, _nothing)(untrusted):
            found[_PRINTABLE.sub("?", name)[:60]] = None
            if len(found) >= _MOST:
                break
    except (ValueError, struct.error, IndexError):
        found["something not understood"] = None
    return tuple(found)


def _nothing(_: bytes) -> Iterator[str]:
    yield from ()


def _exif(block: bytes) -> Iterator[str]:
    yield "EXIF"
    exif = Image.Exif()
    try:
        exif.load(block)
        located = _GPS in exif
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, OverflowError, struct.error):
        return
    if located:
        yield "GPS"


def _jpeg(content: bytes) -> Iterator[str]:
    position = 2
    while content[position : position + 1] == b"\xff":
        marker = content[position + 1]
        size = int.from_bytes(content[position + 2 : position + 4], "big")
        body = content[position + 4 : position + 2 + size]
        if marker == 0xDA:
            break
        yield from _jpeg_segment(marker, body)
        position += 2 + size
    end = end_of_picture(content, position)
    if 0 < end < len(content):
        yield f"trailing data of {len(content) - end} bytes"


def end_of_picture(jpeg: bytes, at: int) -> int:
    """Behind the first end marker from there, 0 if there is none: a picture's data hold no such marker.

    Compared many bytes at once, as both `bytes.find` and an expression stop at each of ten thousand FF.
    """
    values, last = np.frombuffer(jpeg, np.uint8), len(jpeg) - 1
    for start in range(at, last, _AT_A_TIME):
        here = values[start : min(start + _AT_A_TIME, last)]
        ends = (here == 0xFF) & (values[start + 1 : start + 1 + len(here)] == 0xD9)
        if ends.any():
            return start + int(ends.argmax()) + 2
    return 0


def _jpeg_segment(marker: int, body: bytes) -> Iterator[str]:
    if marker == 0xFE:
        yield "comment"
    for wanted, start, name in _JPEG_NAMES:
        if marker == wanted and body.startswith(start):
            if name == "EXIF":
                yield from _exif(body)
            elif name:
                yield name
            return
    if 0xE0 <= marker <= 0xEF:
        yield f"application segment {marker - 0xE0}"


def _png(content: bytes) -> Iterator[str]:
    position, kind = 8, b""
    while kind != b"IEND" and position < len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        body = content[position + 8 : position + 8 + size]
        if kind == b"eXIf":
            yield from _exif(body)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key = body.partition(b"\0")[0].decode("latin-1")
            yield "XMP" if key == "XML:com.adobe.xmp" else f"text {key[:40]}"
        elif kind not in _BARE:
            yield _PNG_NAMES.get(kind, f"chunk {kind.decode('latin-1')}")
        position += 12 + size
    if position < len(content):
        yield f"trailing data of {len(content) - position} bytes"


def _webp(content: bytes) -> Iterator[str]:
    end = min(len(content), 8 + int.from_bytes(content[4:8], "little"))
    position = 12
    while position + 8 <= end:
        kind, size = struct.unpack_from("<4sI", content, position)
        if kind == b"EXIF":
            yield from _exif(content[position + 8 : position + 8 + size])
        elif kind == b"XMP ":
            yield "XMP"
        elif kind not in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            yield f"chunk {kind.decode('latin-1').strip()}"
        position += 8 + size + size % 2
    if end < len(content):
        yield f"trailing data of {len(content) - end} bytes"


def _items(content: bytes) -> Iterator[str]:
    """HEIC and AVIF: the items that are no pictures, and boxes of known metadata."""
    for match in _ITEM.finditer(content, 0, 1 << 20):
        yield {b"Exif": "EXIF", b"mime": "XMP", b"uri ": "further data"}[match.group(1)]
    if b"Exif\0\0" in content and re.search(rb"\x88\x25\0\x04|\x25\x88\x04\0", content):
        yield "GPS"
    if b"urn:mpeg:hevc:2015:auxid:2" in content or b"urn:com:apple:photo" in content:
        yield "auxiliary pictures"
    if b"jumb" in content and b"c2pa" in content:
        yield "content credentials"


_WALKS: dict[Format, Callable[[bytes], Iterator[str]]] = {
    Format.JPEG: _jpeg,
    Format.PNG: _png,
    Format.WEBP: _webp,
    Format.HEIC: _items,
    Format.AVIF: _items,
}

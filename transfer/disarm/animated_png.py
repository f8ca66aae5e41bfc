"""Animated PNG: every frame is decoded and packed anew; its place, time, blending and disposal are kept.

What enters: a whole APNG and the limits. What leaves: a new one of the same frames in 8-bit RGB or RGBA, without text,
times or anything behind its end. One frame is in memory at a time. Source: PNG (third edition), clause 11.3.6.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from transfer.disarm.pixels import settled_colour, without_hidden_colour
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Recipe

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(slots=True)
class _Parts:
    """The chunks that matter: a frame is its control (None for a default picture shown nowhere else) and its data."""

    header: bytes = b""
    palette: bytes = b""  # PLTE and tRNS, as chunks
    transparent: bool = False
    profile: bytes = b""
    plays: int = 0
    frames: list[tuple[bytes | None, list[bytes]]] = field(default_factory=list)


def is_animated_png(untrusted: bytes) -> bool:
    """Whether an animation control chunk stands before the picture data."""
    try:
        for kind, _ in _chunks(untrusted):
            if kind in (b"acTL", b"IDAT"):
                return kind == b"acTL"
    except ValueError:
        return False
    return False


def remake_animated_png(untrusted: bytes, limits: MediaLimits, recipe: Recipe) -> tuple[bytes, RebuildFacts]:
    """The new file and what it is. Raises Refusal, and ValueError or OSError for a broken one."""
    parts = _parts(untrusted)
    width, height = struct.unpack_from(">II", parts.header)
    animated = [control for control, _ in parts.frames if control is not None]
    if not animated:
        raise Refusal("The animation holds no picture.", code=Code.REBUILD_FAILED)
    if len(parts.frames) > limits.frames:
        raise Refusal(f"There are more than {limits.frames} frames.", code=Code.TOO_MANY_FRAMES)
    _check(parts, (width, height), limits)
    mode = "RGBA" if parts.header[9] in (4, 6) or parts.transparent else "RGB"
    body, sequence, duration, hidden, profile = [], 0, 0, False, None
    for number, (control, data) in enumerate(parts.frames):
        size = struct.unpack_from(">II", control, 4) if control else (width, height)
        picture, profile = settled_colour(_decode(parts, size, data).convert(mode), parts.profile, recipe.colour)
        picture, bared = without_hidden_colour(picture)
        hidden = hidden or bared
        if control is not None:
            body.append(_chunk(b"fcTL", struct.pack(">I", sequence) + control[4:26]))
            sequence += 1
            duration += _milliseconds(control)
        packed = _encode(picture)
        if number == 0:
            body.append(_chunk(b"IDAT", packed))
        else:
            body.append(_chunk(b"fdAT", struct.pack(">I", sequence) + packed))
            sequence += 1
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6 if mode == "RGBA" else 2, 0, 0, 0))
    if profile:
        head += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    head += _chunk(b"acTL", struct.pack(">II", len(animated), parts.plays))
    removed = [*(["colour beneath full transparency"] if hidden else []), *(["16-bit depth"] * (parts.header[8] == 16))]
    facts = RebuildFacts(
        format=Format.PNG,
        width=width,
        height=height,
        frames=len(animated),
        duration_ms=duration,
        removed=tuple(removed),
    )
    return _SIGNATURE + head + b"".join(body) + _chunk(b"IEND", b""), facts


def _parts(png: bytes) -> _Parts:
    parts = _Parts()
    waiting: bytes | None = None
    for kind, content in _chunks(png):
        if kind == b"fcTL" and len(content) == 26:
            waiting = content
        elif kind in (b"IDAT", b"fdAT"):
            if waiting is not None or not parts.frames:
                parts.frames.append((waiting, []))
                waiting = None
            parts.frames[-1][1].append(content if kind == b"IDAT" else content[4:])
        else:
            _take(parts, kind, content)
    if not parts.header or not parts.frames:
        raise ValueError("a PNG without a header or a picture")
    return parts


def _take(parts: _Parts, kind: bytes, content: bytes) -> None:
    """A chunk that holds no picture: kept if the pictures need it."""
    if kind == b"IHDR" and len(content) == 13:
        parts.header = content
    elif kind in (b"PLTE", b"tRNS"):
        parts.palette += _chunk(kind, content)
        parts.transparent = parts.transparent or kind == b"tRNS"
    elif kind == b"iCCP":
        parts.profile = _inflated(content)
    elif kind == b"acTL" and len(content) == 8:
        parts.plays = struct.unpack(">I", content[4:])[0]


def _inflated(content: bytes) -> bytes:
    _, _, packed = content.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], 1 << 22)
    except zlib.error:
        return b""


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        if position + 12 > len(png):
            raise ValueError("a chunk ends too early")
        size, kind = struct.unpack_from(">I4s", png, position)
        content = png[position + 8 : position + 8 + size]
        if len(content) != size:
            raise ValueError("a chunk ends too early")
        yield kind, content
        position += 12 + size


def _check(parts: _Parts, whole: tuple[int, int], limits: MediaLimits) -> None:
    sizes = [struct.unpack_from(">4I", control, 4) for control, _ in parts.frames if control is not None]
    if any(w == 0 or h == 0 or x + w > whole[0] or y + h > whole[1] for w, h, x, y in sizes):
        raise Refusal("A frame has no size or lies outside the picture.", code=Code.REBUILD_FAILED)
    total = sum(w * h for w, h, _, _ in sizes) + whole[0] * whole[1]
    if whole[0] * whole[1] > limits.pixels or total > limits.total_pixels + whole[0] * whole[1]:
        raise Refusal("The frames have too many pixels.", code=Code.TOO_MANY_PIXELS)


def _milliseconds(control: bytes) -> int:
    numerator, denominator = struct.unpack_from(">HH", control, 20)
    return 1000 * int(numerator) // (int(denominator) or 100)


def _decode(parts: _Parts, size: tuple[int, ...], data: list[bytes]) -> Image.Image:
    """The picture of one frame, decoded in a still made for it."""
    header = _chunk(b"IHDR", struct.pack(">II", *size) + parts.header[8:])
    alone = _SIGNATURE + header + parts.palette + _chunk(b"IDAT", b"".join(data)) + _chunk(b"IEND", b"")
    with Image.open(io.BytesIO(alone), formats=("PNG",)) as picture:
        picture.load()
        return picture.copy()


def _encode(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.info.clear()
    picture.save(out, "PNG")
    return b"".join(content for kind, content in _chunks(out.getvalue()) if kind == b"IDAT")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

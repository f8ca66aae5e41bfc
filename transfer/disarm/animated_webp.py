"""Animated WebP: every frame is decoded and encoded anew; its place, time, blending and disposal are kept.

What enters: a whole animated WebP and the limits. What leaves: a new one of the same frames, without EXIF, XMP, unknown
chunks or anything behind its end. Lossless frames stay lossless. One frame is in memory at a time.
Source: RFC 9649, section 2.7.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from transfer.disarm.pixels import settled_colour, without_hidden_colour
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Recipe

_ALPHA, _ANIMATION, _PROFILE = 0x10, 0x02, 0x20
_PICTURE = (b"ALPH", b"VP8 ", b"VP8L")


@dataclass(slots=True)
class _Parts:
    """The chunks that matter, in file order."""

    profile: bytes = b""
    control: bytes = b""
    frames: tuple[bytes, ...] = ()


def is_animated_webp(untrusted: bytes) -> bool:
    """Whether the header says so."""
    return untrusted[12:16] == b"VP8X" and len(untrusted) > 30 and bool(untrusted[20] & _ANIMATION)


def is_lossless_webp(untrusted: bytes) -> bool:
    """Whether the first picture in it is a lossless one. Raises ValueError."""
    for kind, content in _chunks(untrusted, 12):
        if kind == b"ANMF":
            return any(inner == b"VP8L" for inner, _ in _chunks(content, 16))
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
    return False


def remake_animated_webp(untrusted: bytes, limits: MediaLimits, recipe: Recipe) -> tuple[bytes, RebuildFacts]:
    """The new file and what it is. Raises Refusal, and ValueError or OSError for a broken one."""
    parts = _parts(untrusted)
    width, height = (1 + int.from_bytes(untrusted[at : at + 3], "little") for at in (24, 27))
    if not parts.frames:
        raise Refusal("The animation holds no picture.", code=Code.REBUILD_FAILED)
    if len(parts.frames) > limits.frames:
        raise Refusal(f"There are more than {limits.frames} frames.", code=Code.TOO_MANY_FRAMES)
    body, duration, pixels, alpha, hidden, profile = [], 0, 0, False, False, None
    for raw in parts.frames:
        across, down = (1 + int.from_bytes(raw[at : at + 3], "little") for at in (6, 9))
        left, top = (2 * int.from_bytes(raw[at : at + 3], "little") for at in (0, 3))
        pixels += across * down
        if max(across * down, width * height) > limits.pixels or pixels > limits.total_pixels:
            raise Refusal("The frames have too many pixels.", code=Code.TOO_MANY_PIXELS)
        if left + across > width or top + down > height:
            raise Refusal("A frame lies outside the picture.", code=Code.REBUILD_FAILED)
        picture, lossless = _decode(raw, (across, down))
        picture, profile = settled_colour(picture, parts.profile, recipe.colour)
        picture, bared = without_hidden_colour(picture)
        hidden, alpha = hidden or bared, alpha or picture.mode == "RGBA"
        duration += int.from_bytes(raw[12:15], "little")
        body.append(_chunk(b"ANMF", raw[:15] + bytes([raw[15] & 3]) + _encode(picture, lossless, recipe.quality)))
    flags = _ANIMATION | (_ALPHA if alpha else 0) | (_PROFILE if profile else 0)
    head = _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + untrusted[24:30])
    if profile:
        head += _chunk(b"ICCP", profile)
    content = b"WEBP" + head + _chunk(b"ANIM", parts.control) + b"".join(body)
    facts = RebuildFacts(
        format=Format.WEBP,
        width=width,
        height=height,
        frames=len(body),
        duration_ms=duration,
        removed=("colour beneath full transparency",) if hidden else (),
    )
    return _chunk(b"RIFF", content), facts


def _parts(webp: bytes) -> _Parts:
    parts = _Parts()
    frames: list[bytes] = []
    for kind, content in _chunks(webp, 12):
        if kind == b"ICCP":
            parts.profile = content
        elif kind == b"ANIM" and len(content) == 6:
            parts.control = content
        elif kind == b"ANMF" and len(content) > 24:
            frames.append(content)
    parts.frames = tuple(frames)
    if not parts.control:
        raise ValueError("an animation without its control chunk")
    return parts


def _chunks(content: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    """The chunks from `position` on; stops at the end that the RIFF header states. Raises ValueError."""
    end = len(content)
    if content[:4] == b"RIFF":
        end = min(end, 8 + int.from_bytes(content[4:8], "little"))
    while position + 8 <= end:
        kind, size = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8], "little")
        if position + 8 + size > end:
            raise ValueError("a chunk ends too early")
        yield kind, content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _decode(frame: bytes, size: tuple[int, int]) -> tuple[Image.Image, bool]:
    """The picture of one frame, decoded in a still made for it, and whether it is lossless."""
    inner = [(kind, content) for kind, content in _chunks(frame, 16) if kind in _PICTURE]
    body = b"".join(_chunk(kind, content) for kind, content in inner)
    if any(kind == b"ALPH" for kind, _ in inner):
        extent = b"".join((side - 1).to_bytes(3, "little") for side in size)
        body = _chunk(b"VP8X", bytes([_ALPHA, 0, 0, 0]) + extent) + body
    with Image.open(io.BytesIO(_chunk(b"RIFF", b"WEBP" + body)), formats=("WEBP",)) as picture:
        if picture.size != size:
            raise ValueError("a frame is not as large as it says")
        picture.load()
        return picture.copy(), any(kind == b"VP8L" for kind, _ in inner)


def _encode(picture: Image.Image, lossless: bool, quality: int) -> bytes:
    out = io.BytesIO()
    picture.info.clear()
    picture.save(out, "WEBP", lossless=lossless, quality=50 if lossless else quality, exact=True)
    return b"".join(_chunk(kind, content) for kind, content in _chunks(out.getvalue(), 12) if kind in _PICTURE)

"""GIF, still or animated: every frame's picture is decoded and packed anew, its place, time and palette are kept.

What enters: a whole GIF and the limits. What leaves: a new GIF of the same frames, durations, disposal and loop count,
without comments, application data or anything behind its end. Frames are not composed and not requantised, so no pixel
changes, and only one frame is in memory at a time. Source: GIF89a specification, sections 17 to 27.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import GifImagePlugin, Image

from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts

_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


@dataclass(frozen=True, slots=True)
class _Frame:
    left: int
    top: int
    width: int
    height: int
    interlaced: bool
    table: bytes  # its own palette, or empty
    packed: bytes  # the minimum code size, the sub-blocks and their end
    control: bytes  # the graphic control extension's four bytes, or empty


@dataclass(slots=True)
class _Parts:
    """What the walk over the blocks has found so far."""

    size: tuple[int, int]
    table: bytes
    background: int
    loops: int | None = None
    removed: tuple[str, ...] = ()


def remake_gif(untrusted: bytes, limits: MediaLimits) -> tuple[bytes, RebuildFacts]:
    """The new GIF and what it is. Raises Refusal, and ValueError or OSError for a broken one."""
    parts, position = _screen(untrusted)
    body, frames, pixels, duration = [], 0, 0, 0
    for frame in _frames(untrusted, position, parts):
        frames += 1
        pixels += frame.width * frame.height
        _check(frame, parts, frames, pixels, limits)
        duration += 10 * struct.unpack("<H", frame.control[1:3])[0] if frame.control else 0
        body.append(_render_frame(frame, parts.table))
    if not frames:
        raise Refusal("The GIF holds no picture.", code=Code.REBUILD_FAILED)
    flags = 0x80 | 0x70 | _table_bits(parts.table) if parts.table else 0x70
    head = b"GIF89a" + struct.pack("<HHBBB", *parts.size, flags, parts.background, 0) + parts.table
    if parts.loops is not None:
        head += b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", parts.loops) + b"\0"
    width, height = parts.size
    facts = RebuildFacts(
        format=Format.GIF, width=width, height=height, frames=frames, duration_ms=duration, removed=parts.removed
    )
    return head + b"".join(body) + b";", facts


def _screen(gif: bytes) -> tuple[_Parts, int]:
    if gif[:6] not in (b"GIF87a", b"GIF89a") or len(gif) < 13:
        raise ValueError("not a GIF")
    width, height, flags, background = struct.unpack_from("<HHBB", gif, 6)
    size = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    table = _exactly(gif, 13, size)
    return _Parts(size=(width, height), table=table, background=background if table else 0), 13 + size


def _frames(gif: bytes, position: int, parts: _Parts) -> Iterator[_Frame]:
    control = b""
    removed: dict[str, None] = {}
    while (kind := _exactly(gif, position, 1)) != b";":
        if kind == b"\x21":
            label = gif[position + 1 : position + 2]
            blocks, position = _sub_blocks(gif, position + 2)
            if label == b"\xf9" and len(blocks) >= 4:
                # only the low bits of the flags mean something: disposal and transparency; bit 1 waits for a user
                control = bytes([blocks[0] & 0x1D]) + blocks[1:3] + (blocks[3:4] if blocks[0] & 1 else b"\0")
            elif label == b"\xff" and blocks[:11] in _LOOPS and len(blocks) >= 14 and blocks[11] == 1:
                parts.loops = struct.unpack_from("<H", blocks, 12)[0]
            else:
                removed[_name(label, blocks)] = None
        elif kind == b",":
            frame, position = _image(gif, position, control)
            control = b""
            yield frame
        else:
            raise ValueError("an unknown block")
    if position + 1 < len(gif):
        removed[f"trailing data of {len(gif) - position - 1} bytes"] = None
    parts.removed = tuple(removed)[:32]


def _image(gif: bytes, position: int, control: bytes) -> tuple[_Frame, int]:
    left, top, width, height, flags = struct.unpack_from("<4HB", gif, position + 1)
    size = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    table = _exactly(gif, position + 10, size)
    start = position + 10 + size
    end = start + 1
    while length := _exactly(gif, end, 1)[0]:
        end += 1 + length
    packed = _exactly(gif, start, end + 1 - start)
    return _Frame(left, top, width, height, bool(flags & 0x40), table, packed, control), end + 1


def _sub_blocks(gif: bytes, position: int) -> tuple[bytes, int]:
    content: list[bytes] = []
    while length := _exactly(gif, position, 1)[0]:
        content.append(_exactly(gif, position + 1, length))
        position += 1 + length
    return b"".join(content), position + 1


def _exactly(gif: bytes, position: int, size: int) -> bytes:
    content = gif[position : position + size]
    if len(content) != size:
        raise ValueError("it ends too early")
    return content


def _name(label: bytes, blocks: bytes) -> str:
    if label == b"\xfe":
        return "comment"
    if label == b"\x01":
        return "plain text"
    if label == b"\xff":
        return {b"XMP DataXMP": "XMP", b"ICCRGBG1012": "colour profile"}.get(blocks[:11], "application data")
    return "unknown extension"


def _check(frame: _Frame, parts: _Parts, frames: int, pixels: int, limits: MediaLimits) -> None:
    width, height = parts.size
    if max(frame.width * frame.height, width * height) > limits.pixels or pixels > limits.total_pixels:
        raise Refusal("The frames have too many pixels.", code=Code.TOO_MANY_PIXELS)
    if frames > limits.frames:
        raise Refusal(f"There are more than {limits.frames} frames.", code=Code.TOO_MANY_FRAMES)
    inside = frame.left + frame.width <= width and frame.top + frame.height <= height
    if not (inside and frame.width and frame.height and (frame.table or parts.table)):
        raise Refusal("A frame has no size, no colours or lies outside the picture.", code=Code.REBUILD_FAILED)


def _table_bits(table: bytes) -> int:
    return (len(table) // 3).bit_length() - 2


def _render_frame(frame: _Frame, shared: bytes) -> bytes:
    """One frame, decoded alone in a GIF made for it, and packed again."""
    table = frame.table or shared
    size = (frame.width, frame.height)
    alone = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80 | 0x70 | _table_bits(table), 0, 0) + table
    alone += b"," + struct.pack("<4HB", 0, 0, *size, 0x40 if frame.interlaced else 0) + frame.packed + b";"
    with Image.open(io.BytesIO(alone), formats=("GIF",)) as picture:
        picture.load()
        # a grey ramp as palette opens as mode L; either way the pixels are the indices into the table
        indices = Image.frombytes("L", size, picture.tobytes())
    packed = b"".join(bytes(part) for part in GifImagePlugin.getdata(indices))
    control = b"\x21\xf9\x04" + frame.control + b"\0" if frame.control else b""
    flags = 0x80 | _table_bits(frame.table) if frame.table else 0
    place = struct.pack("<4HB", frame.left, frame.top, *size, flags)
    return control + b"," + place + frame.table + packed[10:]

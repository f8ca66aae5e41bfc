"""GIF: every block to the last byte (GIF89a specification, section 17 and on). Pure.

What enters: the bytes of an untrusted picture. What leaves: its `Anatomy`, its pictures counted. An animation with more
pictures than any policy lets pass is not walked to its end: each costs time, in here and in the decoder.
"""

from __future__ import annotations

import struct

from transfer.inspection.anatomy import Anatomy, PackedPoints

MOST_FRAMES = 100_000
MOST_BLOCKS = 1_000_000
MOST_KEPT = 16_777_216  # bytes of one comment or application block

_PICTURE = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")


def dissect_gif(data: bytes) -> Anatomy:
    """All blocks, and what stands behind the trailer."""
    found = Anatomy(truncated=True)
    at = 13 + _colours(data[10] if len(data) > 10 else 0)
    for _ in range(MOST_BLOCKS):
        if at >= len(data) or found.problems:
            break
        kind = data[at]
        if kind == 0x3B:
            found.truncated = False
            if not found.frames:
                found.broken("it ends before its first picture", at)
            found.trail(data[at + 1 :], len(data) - at - 1)
            break
        if kind == 0x2C:
            at = _picture(found, data, at)
        elif kind == 0x21:
            at = _extension(found, data, at)
        elif kind == 0:  # a terminator too many, which some encoders write and all decoders pass over
            at += 1
        else:
            found.broken("there is something between its blocks", at)
    else:
        found.broken(f"it has more than {MOST_BLOCKS} blocks", at)
    found.truncated = found.truncated and not found.problems
    _search_for_scripts(found, data)
    found.ends(data[:1024], data[-65_557:])
    return found


def _extension(found: Anatomy, data: bytes, at: int) -> int:
    """Behind the extension block that stands there."""
    if at + 2 >= len(data):
        return len(data)
    label, begin = data[at + 1], at + 2
    end, payload = sub_blocks(data, begin, keep=MOST_KEPT if label != 0xF9 else 0)
    if label == 0xF9 and end - begin != 6 and end <= len(data):
        found.broken("the block that times a picture is not as long as it should be", begin)
    if payload.startswith(b"XMP Data"):  # one run of text, whose own bytes serve as lengths
        payload = data[begin + 1 : end]
    _note_extension(found, label, payload)
    return end


def _picture(found: Anatomy, data: bytes, at: int) -> int:
    """Behind the picture whose descriptor stands there."""
    if at + 11 >= len(data):
        return len(data)
    begin = at + 10 + _colours(data[at + 9])
    if begin < len(data) and not 1 <= data[begin] <= 11:
        found.broken("a picture is packed in a way that does not exist", begin)
    found.frames += 1
    if found.frames > MOST_FRAMES:
        found.broken(f"it has more than {MOST_FRAMES} pictures", at)
    end = sub_blocks(data, begin + 1, keep=0)[0]
    width, height = struct.unpack_from("<HH", data, at + 5)
    if end <= len(data) and not found.problems:
        found.packed.append(PackedPoints(needs=width * height, spans=[(begin + 1, end)], lzw=data[begin]))
    return end


def _search_for_scripts(found: Anatomy, data: bytes) -> None:
    """A picture's width can be the opening of a comment, and the rest of the file a script: `GIF89a/*` … `*/=1`."""
    width = data[6:8]
    if width == b"/*" or (width[:1] == b"=" and width.isascii() and width.decode("ascii").isprintable()):
        found.second("script", "its beginning")


def _note_extension(found: Anatomy, label: int, payload: bytes) -> None:
    if label == 0xFE:
        found.note("comment", payload)
    elif label == 0x01:
        found.note("plain text", payload[12:] or payload)
    elif label == 0xFF and payload.startswith(b"C2PA_GIF"):
        found.credentials = True
        found.search(payload, where="content credentials", starts=11)
    elif label == 0xFF and payload.startswith(b"XMP Data"):
        found.note("XMP", payload, starts=11)
    elif label == 0xFF and not payload.startswith(_PICTURE):
        found.note("application block", payload, starts=11)
    elif label == 0xFF:
        found.search(payload, where="application block", starts=11)
    elif label != 0xF9:
        found.note(f"extension {label:02X}", payload)


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def sub_blocks(data: bytes, at: int, *, keep: int) -> tuple[int, bytes]:
    """Behind the chain of sub-blocks that begins here, and what they hold (about `keep` bytes of it).

    Where the file breaks off, the end is behind the file.
    """
    parts: list[bytes] = []
    kept = 0
    size = len(data)
    while at < size and (length := data[at]):
        if kept < keep:
            parts.append(data[at + 1 : at + 1 + length])
            kept += length
        at += 1 + length
    return min(at + 1, size + 1), b"".join(parts)

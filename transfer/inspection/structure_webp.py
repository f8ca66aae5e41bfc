"""WebP: every RIFF chunk to the last byte, the frames' own chunks too (WebP container specification). Pure.

What enters: the bytes of an untrusted picture. What leaves: its `Anatomy`. Chunks that no reader knows are allowed by
the format and go in the rebuild; what a picture needs must stand in its order and as often as it may.
"""

from __future__ import annotations

import struct

from transfer.inspection.anatomy import Anatomy

MOST_CHUNKS = 200_000

_PICTURE = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_BITSTREAMS = frozenset({b"VP8 ", b"VP8L"})
_ONCE = frozenset({b"VP8X", b"ICCP", b"ANIM", b"ALPH", b"VP8 ", b"VP8L"})
_ANNOUNCED = frozenset({b"ANIM", b"ANMF", b"ALPH", b"ICCP"})
_FRAME_HEADER = 16


def dissect_webp(data: bytes) -> Anatomy:
    """All chunks up to the size that the header states, and what stands behind it."""
    stated = 8 + int.from_bytes(data[4:8], "little")
    end = stated + stated % 2 if stated < len(data) else stated
    found = Anatomy(truncated=stated > len(data))
    if not found.truncated:
        _walk(found, data, stated)
        found.trail(data[end:] if not data[stated:end].strip(b"\0") else data[stated:], len(data) - end)
    found.ends(data[:1024], data[-65_557:])
    return found


def _walk(found: Anatomy, data: bytes, end: int) -> None:
    seen: set[bytes] = set()
    at = 12
    for number in range(MOST_CHUNKS):
        if at == end or (at == end + 1 and end % 2) or found.problems:
            break
        if at + 8 > end:
            found.broken("there is something between its chunks", at)
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        behind = at + 8 + length
        if behind > end:
            found.broken("a chunk reaches beyond the file's stated size", at)
            return
        if problem := _problem(seen, kind, length, first=not number):
            found.broken(problem, at)
            return
        seen.add(kind)
        if kind == b"ANMF":
            found.frames += 1
            _walk_frame(found, data, at + 8, behind)
        else:
            _note_chunk(found, kind, data[at + 8 : behind] if kind not in _PICTURE or kind == b"ICCP" else b"")
        at = behind + length % 2
    else:
        found.broken(f"it has more than {MOST_CHUNKS} chunks", at)
    if not found.problems and not seen & {*_BITSTREAMS, b"ANMF"}:
        found.broken("it holds no picture", at)


def _problem(seen: set[bytes], kind: bytes, length: int, *, first: bool) -> str:
    if first and kind not in {b"VP8 ", b"VP8L", b"VP8X"}:
        return "its first chunk is none that a picture begins with"
    if (kind in seen and kind in _ONCE) or (kind in _BITSTREAMS and seen & {*_BITSTREAMS, b"ANMF"}):
        return "it has a chunk twice that may be there once"
    if (kind == b"VP8X" and (length != 10 or not first)) or (kind == b"ANIM" and length != 6):
        return "its header is not where or what it should be"
    if kind in _ANNOUNCED and b"VP8X" not in seen:
        return "it has a chunk that its header does not announce"
    return "the parts of its animation are not in order" if kind == b"ANMF" and b"ANIM" not in seen else ""


def _walk_frame(found: Anatomy, data: bytes, at: int, end: int) -> None:
    """The chunks of one frame: perhaps its transparency, then its picture, then what no reader knows."""
    at += _FRAME_HEADER
    pictures = 0
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        behind = at + 8 + length
        if behind > end or (kind == b"ANMF") or (kind in _BITSTREAMS and pictures):
            found.broken("a picture of its animation is not built as it should be", at)
            return
        pictures += kind in _BITSTREAMS
        if kind not in _PICTURE:
            _note_chunk(found, kind, data[at + 8 : behind])
        at = behind + length % 2
    if at not in {end, end + 1} or not pictures:
        found.broken("a picture of its animation is not built as it should be", at)


def _note_chunk(found: Anatomy, kind: bytes, payload: bytes) -> None:
    if kind == b"C2PA":
        found.credentials = True
        found.search(payload, where="content credentials")
    elif kind == b"ICCP":
        found.search(payload, where="colour profile")
    elif kind not in _PICTURE:
        name = "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in kind).strip()
        found.note(name if name in {"EXIF", "XMP"} else f"chunk {name}", payload)

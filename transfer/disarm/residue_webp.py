"""Reads a WebP chunk by chunk to its last byte and finds every chunk that only metadata needs.

What enters: a rebuilt WebP, still or animated. What leaves: notes in the report.
Allowed: RIFF that ends where the file ends; VP8X with no flag for EXIF or XMP; ICCP that `residue_icc` accepts; ANIM,
ANMF, ALPH, `VP8 ` and `VP8L`; padding of zeros. Source: RFC 9649.
"""

from __future__ import annotations

from collections.abc import Iterator

from transfer.disarm.residue_icc import read_profile
from transfer.disarm.residue_view import Broken, Report, View, four

_PICTURE = (b"ALPH", b"VP8 ", b"VP8L")
_TOP = (b"VP8X", b"ICCP", b"ANIM", b"ANMF", *_PICTURE)
_ONCE = (b"VP8X", b"ICCP", b"ANIM", *_PICTURE)
_FLAGS = 0x32  # profile, alpha, animation


def read_webp(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the chunks do not hold together."""
    head = view.take(0, 12, "start")
    if head[:4] != b"RIFF" or head[8:] != b"WEBP":
        raise Broken("start", "it is not a WebP", 0)
    end = 8 + int.from_bytes(head[4:8], "little")
    report.unless(end == view.size, "end", f"{view.size - end} bytes behind the end", min(end, view.size))
    pictures = _read_chunks(view, report, 12, min(end, view.size), _TOP)
    report.unless(pictures > 0, "end", "there is no picture in it", end)


def _read_chunks(view: View, report: Report, at: int, end: int, allowed: tuple[bytes, ...]) -> int:
    """How many pictures were met."""
    pictures = 0
    seen: set[bytes] = set()
    for kind, start, size in _chunks(view, report, at, end):
        where = f"chunk {four(kind)}"
        if kind not in allowed:
            report.note(where, "this chunk is not allowed", start)
            continue
        report.unless(kind not in _ONCE or kind not in seen, where, "it stands there twice", start)
        seen.add(kind)
        report.saw("chunks", four(kind).strip())
        if kind == b"VP8X":
            body = view.take(start + 8, size, where)
            report.unless(size == 10 and not body[0] & ~_FLAGS and not any(body[1:4]), where, "unknown flags", start)
            width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
            report.tell(f"canvas: WebP, {width} x {height}")
        elif kind == b"ICCP":
            read_profile(view.take(start + 8, size, where), report, start + 8)
        elif kind == b"ANIM":
            report.unless(size == 6, where, "it is not as long as it must be", start)
        elif kind == b"ANMF":
            body = view.take(start + 8, min(size, 16), where)
            report.unless(len(body) == 16 and not body[15] & ~3, where, "unknown flags", start)
            pictures += _read_chunks(view, report, start + 24, start + 8 + size, _PICTURE)
        elif kind != b"ALPH":
            pictures += 1
            head = view.take(start + 8, min(size, 10), where)
            report.unless(_is_picture(kind, head), where, "no picture", start)
            if allowed is _TOP:
                _tell(kind, head, report)
    return pictures


def _chunks(view: View, report: Report, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at < end:
        head = view.take(at, 8, "chunk")
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if at + 8 + size + size % 2 > end:
            raise Broken(f"chunk {four(kind)}", "it ends too early", at)
        yield kind, at, size
        if size % 2:
            padding = view.take(at + 8 + size, 1, "padding")
            report.unless(padding == b"\0", f"chunk {four(kind)}", "its padding is not zero", at)
        at += 8 + size + size % 2


def _tell(kind: bytes, head: bytes, report: Report) -> None:
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        report.tell(f"picture: WebP, {1 + (bits & 0x3FFF)} x {1 + (bits >> 14 & 0x3FFF)}, lossless")
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        report.tell(f"picture: WebP, {width} x {height}, lossy")


def _is_picture(kind: bytes, start: bytes) -> bool:
    return start[:1] == b"\x2f" if kind == b"VP8L" else start[3:6] == b"\x9d\x01\x2a"

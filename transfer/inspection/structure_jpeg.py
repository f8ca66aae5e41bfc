"""JPEG: segments, scans and what stands behind the last of them, to the file's last byte (ITU T.81, annex B). Pure.

What enters: the bytes of an untrusted picture. What leaves: its `Anatomy`. Further pictures behind the first (MPF) are
walked too, so that what stands behind them is seen; what cameras and phones write there is no breach of the format.
"""

from __future__ import annotations

import numpy as np

from transfer.inspection.anatomy import Anatomy

MOST_SCANS = 200
MOST_SCANNED_PIXELS = 4_000_000_000  # each scan of a progressive picture is another pass over all of it
MOST_PICTURES = 64
_ORDINARY_SCANS = 16
_JFIF_BYTES, _ADOBE_BYTES = 14, 12

_AT_A_TIME = 128 << 10  # bytes of a scan that are compared at once: what that needs stays in the processor's cache
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})  # DHT, DAC, DQT, DNL, DRI
_COMMENT_OPENS = b"/*"  # as a segment's length: a script that begins as a picture does


def dissect_jpeg(data: bytes) -> Anatomy:
    """The whole picture, and what stands behind it."""
    found = Anatomy()
    end = _walk(data, 0, found)
    if not end:
        found.truncated = not found.problems
    else:
        known = _behind_pictures(data, end)
        if end < len(data):
            found.trail(data[end:], len(data) - end, known=known - end)
    if data[2:4] == b"\xff\xe0" and data[4:6] == _COMMENT_OPENS:
        found.second("script", "its beginning")
    found.ends(data[:1024], data[-65_557:])
    return found


def _behind_pictures(data: bytes, end: int) -> int:
    """Behind the further pictures that follow at once, as MPF and gain maps do; their own faults do not matter here."""
    for _ in range(MOST_PICTURES):
        at = end
        while data[at : at + 1] == b"\0":  # padding between two pictures
            at += 1
        if data[at : at + 3] != b"\xff\xd8\xff":
            break
        behind = _walk(data, at, Anatomy())
        if not behind:
            break
        end = behind
    return end


class _Parts:
    """How often the parts that a picture has once, or a few times, were met."""

    __slots__ = ("frames", "pixels", "scans")

    def __init__(self) -> None:
        self.frames = self.scans = self.pixels = 0


def _walk(data: bytes, start: int, found: Anatomy) -> int:
    """Behind the end of the picture that begins at `start`; 0 where it breaks off or the format is broken."""
    parts = _Parts()
    at = start + 2
    while (at := _next_marker(data, at)) + 2 <= len(data):
        marker = data[at + 1]
        if marker == 0xD9 and parts.scans:
            return at + 2
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        problem = _problem(data, at, end, parts)
        if problem:
            found.broken(problem, at)
        if problem or end > len(data):
            break
        if 0xE0 <= marker <= 0xEF or marker == 0xFE:
            _note_segment(found, marker, data[at + 4 : end])
        at = end
        if marker == 0xDA:
            at = end_of_scan(data, end)
    return 0


def end_of_scan(data: bytes, at: int) -> int:
    """Where the marker stands that ends the scan whose data begin there; the length of `data` if none does.

    That is the first FF with neither a stuffed 00, a fill FF nor a restart marker behind it. Many bytes are
    compared at once: an expression stops at every stuffed FF, and takes several times as long for a photograph.
    """
    values, last = np.frombuffer(data, np.uint8), len(data) - 1
    while at < last:
        here = values[at : min(at + _AT_A_TIME, last)]
        behind = values[at + 1 : at + 1 + len(here)]
        ends = (here == 0xFF) & (behind != 0)
        if ends.any():
            ends &= (behind != 0xFF) & ((behind & 0xF8) != 0xD0)
            if ends.any():
                return at + int(ends.argmax())
        at += len(here)
    return len(data)


def _next_marker(data: bytes, at: int) -> int:
    """Where the next marker stands: fill bytes may stand before it."""
    while data[at : at + 2] == b"\xff\xff":
        at += 1
    return at


def _problem(data: bytes, at: int, end: int, parts: _Parts) -> str:
    """What is wrong with the segment whose marker stands there, if anything is."""
    marker, begin = data[at + 1], at + 4
    if data[at] != 0xFF or marker == 0xD9:
        return "there are bytes between its segments" if data[at] != 0xFF else "it ends before it begins"
    if marker not in _FRAMES | _TABLES and not 0xE0 <= marker <= 0xEF and marker not in {0xDA, 0xFE}:
        return f"it has a marker that no such picture has: {marker:02X}"
    if begin <= len(data) and end < begin:
        return "a segment is shorter than its own length"
    if marker in _FRAMES and end <= len(data):
        return _frame_problem(data[begin:end], parts)
    return _scan_problem(data[begin:end], parts) if marker == 0xDA and end <= len(data) else ""


def _frame_problem(header: bytes, parts: _Parts) -> str:
    parts.frames += 1
    if parts.frames > 1:
        return "it has more than one frame header"
    if len(header) < 6 or len(header) != 6 + 3 * header[5] or not 1 <= header[5] <= 4:
        return "its frame header is not as long as it says"
    parts.pixels = int.from_bytes(header[1:3], "big") * int.from_bytes(header[3:5], "big")
    return ""


def _scan_problem(header: bytes, parts: _Parts) -> str:
    parts.scans += 1
    if not parts.frames:
        return "a scan stands before the frame header"
    if len(header) < 6 or len(header) != 4 + 2 * header[0] or not 1 <= header[0] <= 4:
        return "a scan's header is not as long as it says"
    if parts.scans > MOST_SCANS or (parts.scans > _ORDINARY_SCANS and parts.scans * parts.pixels > MOST_SCANNED_PIXELS):
        return f"it has more than {parts.scans - 1} scans"
    return ""


# The beginnings of segments that are known, by their marker; what kind of metadata each is.
_KINDS = (
    (0xE1, b"Exif\0", "EXIF"),
    (0xE1, b"http://ns.adobe.com/", "XMP"),
    (0xED, b"Photoshop 3.0", "IPTC"),
    (0xEB, b"JP", "JUMBF"),
    (0xE0, b"JFXX", "thumbnail"),
    (0xE2, b"MPF\0", "MPF"),
    (0xFE, b"", "comment"),
)


def _note_segment(found: Anatomy, marker: int, payload: bytes) -> None:
    if marker == 0xE0 and payload.startswith(b"JFIF\0"):
        if len(payload) > _JFIF_BYTES:  # a thumbnail, or something in its place
            found.search(payload, where="thumbnail", starts=_JFIF_BYTES)
    elif marker == 0xE2 and payload.startswith(b"ICC_PROFILE\0"):
        found.search(payload, where="colour profile")
    elif marker == 0xEE and payload.startswith(b"Adobe") and len(payload) <= _ADOBE_BYTES:
        return
    else:
        names = (name for known, begin, name in _KINDS if marker == known and payload.startswith(begin))
        kind = next(names, f"APP{marker - 0xE0}")
        found.credentials = found.credentials or (kind == "JUMBF" and b"c2pa" in payload)
        found.note(kind, payload)

"""Which container a film says it is, where libmagic does not know its maker's brand.

What enters: the first bytes of a file. What leaves: a media type, or nothing. Cameras write their own brand first (Sony
XAVC, Canon CAEP, Panasonic pana) and then name the standards that the file keeps to: any of these is as good as the
first. A QuickTime film older than brands begins with room for a longer size, or with padding.
Source: ISO/IEC 14496-12, clause 4.3; QuickTime File Format, chapter 1.
"""

from __future__ import annotations

_MP4 = frozenset({b"mp41", b"mp42", b"isom", b"avc1", b"M4V ", *(b"iso%d" % number for number in range(2, 10))})
_QUICKTIME = b"qt  "
_PADDING = (b"wide", b"free", b"skip")
_MOST = 256  # bytes of a list of brands


def film_type(head: bytes) -> str:
    """`video/mp4`, `video/quicktime`, or an empty string."""
    size, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if kind == b"ftyp" and 16 <= size <= min(_MOST, len(head)) and not size % 4:
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
        if _QUICKTIME in brands:
            return "video/quicktime"
        return "video/mp4" if brands & _MP4 else ""
    at = 0
    while kind in _PADDING and size >= 8:
        at += size
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
    return "video/quicktime" if at and kind in (b"mdat", b"moov") else ""

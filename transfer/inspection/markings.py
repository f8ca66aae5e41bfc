"""Sensitivity labels and TikTok's own marks in texts, and the words in binary metadata. Pure.

What enters: text or bytes of an untrusted file (a caption, EXIF, XMP, container tags). What leaves: which marks stand
there, never the text itself. Protective markings are found by `model.marks`.
"""

from __future__ import annotations

import re

from transfer.model.marks import MAX_TEXT

# Microsoft Purview writes MSIP_Label_<guid>_Name and the like into XMP and document properties.
_LABEL = re.compile(r"msip_label_([0-9a-f]{8}-[0-9a-f-]{27})", re.IGNORECASE)
# What TikTok writes into files it hands out: `vid:v0900f…` as comment, and `aigc_info`,
# which stands in an MP4 directly behind the word `mdta`.
_TIKTOK = re.compile(r"\bvid:v[0-9][0-9a-z]{4,}|aigc_info", re.IGNORECASE)
# Three characters or more of valid UTF-8: what a camera notes in binary is left out, which is most of it.
_RUN = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){3,}"
)


def labels_in(untrusted: str) -> tuple[str, ...]:
    """The GUIDs of the sensitivity labels named in the text, at most eight."""
    return tuple(dict.fromkeys(guid.lower() for guid in _LABEL.findall(untrusted[:MAX_TEXT])))[:8]


def tiktok_marks_in(untrusted: str) -> tuple[str, ...]:
    """TikTok's marks in the text: `vid` or `aigc_info`. Their absence proves nothing."""
    found = (match.group().lower() for match in _TIKTOK.finditer(untrusted[:MAX_TEXT]))
    return tuple(dict.fromkeys("vid" if mark.startswith("vid") else mark for mark in found))


def text_of(untrusted: bytes) -> str:
    """The words in a block of metadata, one run a line: UTF-8 as it is, and UTF-16 by leaving its zero bytes out."""
    runs = _RUN.findall(untrusted[:MAX_TEXT].replace(b"\0", b""))
    return b"\n".join(runs).decode("utf-8", "replace")

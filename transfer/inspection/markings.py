"""Protective markings, sensitivity labels and TikTok's own marks in texts. Pure.

What enters: text or bytes of an untrusted file (a caption, EXIF, XMP, container tags) and the policy's list of marks.
What leaves: which of the policy's marks stand there, in the policy's own spelling (G6), never the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MAX_TEXT = 1_000_000  # characters of one text that are searched

# Microsoft Purview writes MSIP_Label_<guid>_Name and the like into XMP and document properties.
_LABEL = re.compile(r"msip_label_([0-9a-f]{8}-[0-9a-f-]{27})", re.IGNORECASE)
# What TikTok writes into files it hands out: `vid:v0900f…` as comment, and `aigc_info`,
# which stands in an MP4 directly behind the word `mdta`.
_TIKTOK = re.compile(r"\bvid:v[0-9][0-9a-z]{4,}|aigc_info", re.IGNORECASE)
# Three characters or more of valid UTF-8: what a camera notes in binary is left out, which is most of it.
_RUN = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){3,}"
)
_GAP = re.compile(r"[\s\-_/:.|\u2010-\u2015\u2212]+")


def marks_in(untrusted: str, marks: tuple[str, ...]) -> tuple[str, ...]:
    """The marks that stand in the text, in the order of the list.

    A mark is found as whole words, whatever stands between its words (blank, hyphen, underscore, colon, line end), in
    full-width letters too, and with invisible characters strewn in. One that the list has in CAPITALS counts only in
    capitals («a secret garden» is not SECRET), any other in any case: as in `policy.marks`, which does names.
    """
    if not marks:
        return ()
    as_spelled = f" {_words(untrusted[:MAX_TEXT])} "
    any_case = as_spelled.casefold()
    found = []
    for mark in marks:
        words = _words_of_mark(mark)
        loose = mark != mark.upper()
        if words and _stands_in(words.casefold() if loose else words, any_case if loose else as_spelled):
            found.append(mark)
    return tuple(found)


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


def _words(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    invisible = [ord(character) for character in set(text) if unicodedata.category(character) == "Cf"]
    if invisible:
        text = text.translate(dict.fromkeys(invisible))
    return _GAP.sub(" ", text)


@cache
def _words_of_mark(mark: str) -> str:
    return _words(mark).strip()


def _stands_in(words: str, text: str) -> bool:
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not text[start - 1].isalnum() and not text[end].isalnum():
            return True
        start = text.find(words, start + 1)
    return False

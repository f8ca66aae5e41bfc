"""Sensitivity labels and TikTok's own marks in texts, and the words in binary metadata. Pure.

What enters: text or bytes of an untrusted file (a caption, EXIF, XMP, container tags). What leaves: which marks stand
there, never the text itself. Protective markings are found by `model.marks`.
"""

from __future__ import annotations

import html
import re

from transfer.model.marks import MAX_TEXT

MAX_LABELS = 8
UNREADABLE = "unreadable"  # a label's key without an id that could be looked up

_HEX = "[0-9a-f]"
_ID = rf"\{{?({_HEX}{{8}}(?:[-_]?{_HEX}{{4}}){{3}}[-_]?{_HEX}{{12}})"
# Microsoft Purview writes MSIP_Label_<guid>_Enabled, _Name, _SiteId, _ActionId, _ContentBits and the like as keys into
# XMP, document properties and tags; Office's own files say <clbl:label id="{guid}" …/> (MS-OFFCRYPTO 2.6.3).
_LABEL = re.compile(rf"msip_?label[_:.\s-]{{1,3}}(?:{_ID})?", re.IGNORECASE)
_ELEMENT = re.compile(r"<(?:clbl|msip|mip)\w{0,20}:label\b([^<>]{0,600})", re.IGNORECASE)
_ELEMENT_ID = re.compile(
    rf"(?<![\w])(?:\w{{1,20}}:)?(?:id|labelid)\s{{0,4}}=\s{{0,4}}[\"']\s{{0,4}}{_ID}", re.IGNORECASE
)
_NAME = re.compile(rf"msip_?label_{_ID}\}}?_name\b[\"'\s=>:\]]{{1,4}}([^<>\"'\n]{{1,80}})", re.IGNORECASE)
_BITS = re.compile(rf"msip_?label_{_ID}\}}?_contentbits\b[\"'\s=>:]{{1,4}}(\d{{1,4}})", re.IGNORECASE)
_ENCRYPTS = 8  # of ContentBits: 1 header, 2 footer, 4 watermark, 8 encryption
# What TikTok writes into files it hands out: `vid:v0900f…` as comment, and `aigc_info`,
# which stands in an MP4 directly behind the word `mdta`.
# Behind a word a short one is none (`david:v0900`); a long one is, whatever it was written behind.
_TIKTOK = re.compile(r"\bvid:v[0-9][0-9a-z]{4,}|vid:v[0-9][0-9a-z]{11,}|aigc_info", re.IGNORECASE)
_EXIF_LETTERS = re.compile(rb"(?:ASCII\0\0\0|UNICODE\0|JIS\0{5})")  # before a comment, the name of its letters
# Runs of valid UTF-8; what a camera notes in binary falls into short ones, which are left out.
_RUN = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]+|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+"
)
_LATIN_RUN = re.compile(rb"[\t\x20-\x7e\xc0-\xff]{4,}")  # the same in Latin-1
_LATIN_WORD = re.compile(rb"[A-Za-z][\xc0-\xd6\xd8-\xf6\xf8-\xff]|[\xc0-\xd6\xd8-\xf6\xf8-\xff][A-Za-z]")
_SHORTEST = 3
_ASCII = bytes(range(128))


def labels_in(untrusted: str) -> tuple[str, ...]:
    """The GUIDs of the sensitivity labels named in the text, in lower case, at most eight.

    A label's key without an id counts as one, `UNREADABLE`: whatever it was, somebody labelled the file.
    """
    text = untrusted[:MAX_TEXT]
    if "label" not in text.lower():
        return ()
    found = [match[1] for match in _LABEL.finditer(text)]
    for element in _ELEMENT.finditer(text):
        named = _ELEMENT_ID.search(element[1])
        found.append(named[1] if named else None)
    guids = (_guid(each) if each else UNREADABLE for each in found)
    return tuple(dict.fromkeys(guids))[:MAX_LABELS]


def label_names_in(untrusted: str) -> tuple[str, ...]:
    """What the labels are called by the file itself, which may be in any language; at most eight."""
    return tuple(dict.fromkeys(match[2].strip() for match in _NAME.finditer(untrusted[:MAX_TEXT])))[:MAX_LABELS]


def encrypting_labels_in(untrusted: str) -> frozenset[str]:
    """The GUIDs of the labels that say they encrypt."""
    return frozenset(_guid(m[1]) for m in _BITS.finditer(untrusted[:MAX_TEXT]) if int(m[2]) & _ENCRYPTS)


def tiktok_marks_in(untrusted: str) -> tuple[str, ...]:
    """TikTok's marks in the text: `vid` or `aigc_info`. Their absence proves nothing."""
    text = untrusted[:MAX_TEXT].lower()
    if "vid:v" not in text and "aigc_info" not in text:
        return ()
    found = (match.group() for match in _TIKTOK.finditer(text))
    return tuple(dict.fromkeys("vid" if mark.startswith("vid") else mark for mark in found))


def text_of(untrusted: bytes) -> str:
    """The words in a block of metadata, one run a line: UTF-8 as it is, UTF-16 by leaving its zero bytes out.

    Words in Latin-1, and what XML spells in numbers (`&#83;ECRET`), follow in a second reading.
    """
    block = _EXIF_LETTERS.sub(b"\n", untrusted[:MAX_TEXT]).replace(b"\0", b"")
    runs = [run for run in _RUN.findall(block) if len(run) >= _SHORTEST]
    text = b"\n".join(runs).decode("utf-8", "replace")
    if not block.isascii():
        latin = [run for run in _LATIN_RUN.findall(block) if _is_latin(run)]
        text += "".join(f"\n{run.decode('latin-1')}" for run in latin)
    return f"{text}\n{html.unescape(text)}" if "&#" in text else text


def _is_latin(run: bytes) -> bool:
    """Letters beyond ASCII among letters, and not most of it: a picture's own bytes are no text."""
    beyond = len(run.translate(None, _ASCII))
    return 0 < 3 * beyond <= len(run) and _LATIN_WORD.search(run) is not None


def _guid(spelled: str) -> str:
    digits = re.sub("[-_]", "", spelled).lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

"""Whether bytes are, or hold, a file of another kind: archives, documents, programs, scripts, markup. Pure.

What enters: bytes of an untrusted file that are not the picture or the film itself: what stands behind its end, in its
comments, in its padding. What leaves: one word for what they look like, or an empty one. Software does not go (G5).
A signature that may stand anywhere has six bytes or more, or is checked further: packed pictures hold all short ones.
"""

from __future__ import annotations

import re
import struct

ARCHIVE_END_BYTES = 65_557  # a ZIP is read from its back: its last record and the longest comment behind it

_BEGINNINGS = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"Rar!", "rar"),
    (b"7z\xbc\xaf", "7z"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"MSCF\0\0\0\0", "cabinet"),
    (b"\x7fELF", "program"),
    (b"\xfe\xed\xfa\xce", "program"),
    (b"\xfe\xed\xfa\xcf", "program"),
    (b"\xce\xfa\xed\xfe", "program"),
    (b"\xcf\xfa\xed\xfe", "program"),
    (b"\xca\xfe\xba\xbe", "program"),
    (b"\0asm", "program"),
    (b"dex\n", "program"),
    (b"L\0\0\0\x01\x14\x02\0", "link"),
    (b"%PDF", "pdf"),
    (b"%!PS", "postscript"),
    (b"{\\rtf", "rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
    (b"SQLite format 3\0", "database"),
    (b"#!/", "script"),
    (b"#! /", "script"),
)
_ANYWHERE = (
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\xfd7zXZ\0", "xz"),
    (b"{\\rtf1", "rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office"),
)
_PDF = re.compile(rb"%PDF-[12]\.")
_ELF = re.compile(rb"\x7fELF[\x01\x02][\x01\x02]\x01")
_LOCAL = re.compile(rb"PK\x03\x04")
_DOS = re.compile(rb"MZ")
_SHEBANG = re.compile(rb"#! ?/(?:usr|bin|sbin|opt|system)")
_MARKUP = re.compile(
    rb"<(?:\?php[\s=(]|\?=\s*[`$@(]|script[\s>]|/script>|html[\s>]|iframe[\s>]|!doctype\s+(?:html|svg)|!entity\s"
    rb"|(?:svg|applet)\s[\x20-\x7e\s]{8}|%@ ?page)",
    re.IGNORECASE,
)
_PACKET = re.compile(rb"<(?:\?xpacket|x:x[am]pmeta|rdf:RDF)", re.IGNORECASE)  # what metadata is written in
_BLANKS = b" \t\r\n\xef\xbb\xbf"
_TAG = re.compile(rb"<[!?/%]?[A-Za-z]")
_METHODS = frozenset({*range(15), *range(16, 21), *range(93, 100)})
_NAMED_CHARACTERS = re.compile(rb"[\x20-\x7e\x80-\xff]+")


def begins_as(head: bytes) -> str:
    """What kind of file begins with these bytes (512 will do), if one of those that do not go."""
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return "bzip2"
    if head.startswith(b"MZ") and b"\0" in head[:64]:  # and not somebody's initials
        return "program"
    return next((kind for mark, kind in _BEGINNINGS if head.startswith(mark)), "")


def begins_as_markup(head: bytes) -> bool:
    """Whether a document in tags begins there, of whatever kind; XMP is none, cameras write it behind pictures."""
    return _TAG.match(head.lstrip(_BLANKS)) is not None and not is_packet(head)


def is_packet(head: bytes) -> bool:
    """Whether an XMP packet begins there."""
    return _PACKET.match(head.lstrip(_BLANKS)) is not None


def holds(data: bytes) -> str:
    """What kind of file stands anywhere in these bytes, if one of those that do not go."""
    if _MARKUP.search(data) is not None:
        return "markup"
    if _PDF.search(data) is not None:
        return "pdf"
    if _ELF.search(data) is not None or any(_is_program(data, match.start()) for match in _DOS.finditer(data)):
        return "program"
    if any(_is_zip_entry(data, match.start()) for match in _LOCAL.finditer(data)):
        return "zip"
    if _SHEBANG.search(data) is not None:
        return "script"
    return next((kind for mark, kind in _ANYWHERE if mark in data), "")


def ends_as_archive(tail: bytes) -> bool:
    """Whether a file with these last bytes (`ARCHIVE_END_BYTES` or all) can be opened as a ZIP (APPNOTE 4.3.16)."""
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(tail) - at >= 22:
            disk, first, here, entries, _, _, comment = struct.unpack_from("<HHHHIIH", tail, at + 4)
            if (disk, first) in {(0, 0), (0xFFFF, 0xFFFF)} and here == entries and comment <= len(tail) - at - 22:
                return True
        at = tail.rfind(b"PK\x05\x06", 0, at)
    return False


def _is_zip_entry(data: bytes, at: int) -> bool:
    """Whether a local file header stands there, and not four chance bytes (APPNOTE 4.3.7)."""
    if len(data) - at < 31:
        return False
    version, _, method = struct.unpack_from("<HHH", data, at + 4)
    length, extra = struct.unpack_from("<HH", data, at + 26)
    name = data[at + 30 : at + 30 + min(length, 16)]
    return (
        version & 0xFF <= 63
        and method in _METHODS
        and 0 < length <= 4_096
        and extra <= 8_192
        and _NAMED_CHARACTERS.fullmatch(name) is not None
    )


def _is_program(data: bytes, at: int) -> bool:
    """Whether a program for DOS or Windows begins there: its header says where the second one stands."""
    if len(data) - at < 64:
        return False
    second = at + int.from_bytes(data[at + 60 : at + 64], "little")
    return second > at and data[second : second + 4].startswith((b"PE\0\0", b"LE\0\0", b"LX\0\0"))

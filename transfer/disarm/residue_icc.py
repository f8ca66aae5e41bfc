"""Reads a colour profile and finds whatever is not one of the few numbers that we write into one.

What enters: the bytes of an ICC profile from a rebuilt picture. What leaves: notes in the report.
Allowed: version 4.3 of class `mntr`, RGB with matrix and curves or grey with one curve, D50 white, the constant date,
the texts `colours` and `none`, and nothing in any other field. Every byte must belong to the header or to one tag.
Source: ICC.1:2010, clauses 7.2, 7.3 and 10.
"""

from __future__ import annotations

import struct

from transfer.disarm.residue_view import Report, four

_WHITE = bytes.fromhex("0000f6d6000100000000d32d")
_DATE = bytes.fromhex("07d000010001000000000000")
_TEXTS = {b"desc": "colours", b"cprt": "none"}
_POINTS = (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt")
_TAGS = {
    b"RGB ": {*_TEXTS, *_POINTS, b"rTRC", b"gTRC", b"bTRC"},
    b"GRAY": {*_TEXTS, b"wtpt", b"kTRC"},
}
_PARAMETERS = (1, 3, 4, 5, 7)


def read_profile(profile: bytes, report: Report, at: int) -> None:
    """Notes everything unexpected; `at` is where the profile stands in the file."""
    where = "colour profile"
    if len(profile) < 132 or struct.unpack_from(">I", profile)[0] != len(profile):
        report.note(where, "its size is not as stated", at)
        return
    space = profile[16:20]
    expected = struct.pack(">I4s4s4s4s4s", len(profile), b"", b"\x04\x30", b"mntr", space, b"XYZ ") + _DATE + b"acsp"
    expected += b"\0" * 28 + _WHITE + b"\0" * 48
    if space not in _TAGS or profile[:128] != expected:
        report.note(where, "its header is not neutral", at)
        return
    (count,) = struct.unpack_from(">I", profile, 128)
    if count != len(_TAGS[space]) or 132 + 12 * count > len(profile):
        report.note(where, "its table of tags is not as expected", at + 128)
        return
    report.tell(f"colour profile: {'grey' if space == b'GRAY' else 'RGB'}, {count} tags, {len(profile)} bytes")
    used: set[tuple[int, int]] = set()
    names = set()
    for number in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        names.add(name)
        used.add((offset, size))
        tag = profile[offset : offset + size]
        report.unless(
            len(tag) == size and _holds(name, tag), where, f"tag {four(name)} is not as expected", at + offset
        )
    report.unless(names == _TAGS[space], where, "it has other tags than it needs", at + 128)
    _check_gaps(profile, sorted(used), 132 + 12 * count, report, at)


def _holds(name: bytes, tag: bytes) -> bool:
    """Whether a tag is of its type, complete, and has nothing behind its numbers."""
    if tag[4:8] != bytes(4):
        return False
    if name in _TEXTS:
        words = _TEXTS[name].encode("utf-16-be")
        return tag == b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(words), 28) + words
    if name in _POINTS:
        return tag[:4] == b"XYZ " and len(tag) == 20 and (name != b"wtpt" or tag[8:] == _WHITE)
    if tag[:4] == b"curv" and len(tag) >= 12:
        return len(tag) == 12 + 2 * int.from_bytes(tag[8:12], "big")
    if tag[:4] == b"para" and len(tag) >= 12:
        function: int = struct.unpack_from(">H", tag, 8)[0]
        return function < len(_PARAMETERS) and tag[10:12] == bytes(2) and len(tag) == 12 + 4 * _PARAMETERS[function]
    return False


def _check_gaps(profile: bytes, ranges: list[tuple[int, int]], start: int, report: Report, at: int) -> None:
    """Tags follow each other with at most three zeros between them."""
    for offset, size in [*ranges, (len(profile), 0)]:
        gap = profile[start:offset]
        if offset < start or len(gap) > 3 or gap.strip(b"\0"):
            report.note("colour profile", "bytes that belong to no tag", at + start)
            return
        start = offset + size

"""Which entries an EXIF block holds, by kind. Pure.

What enters: an untrusted block, cut off anywhere. What leaves: how many entries it has that say something of people,
devices or places; never a value. The walk is bounded: five directories, each with as many entries as the block has.
A block that makes no sense ends it quietly; the rebuild removes it whatever it holds (Exif 3.0, section 4.6).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from transfer.model.identities import Identity

_EXIF, _GPS, _MAKER_NOTE, _THUMBNAIL = 0x8769, 0x8825, 0x927C, 0x0201
_WHERE_THUMBNAIL = (_THUMBNAIL, 0x0202)  # its offset, and its length in bytes
_KINDS: Mapping[int, Identity] = MappingProxyType(
    dict.fromkeys((0x013B, 0x8298, 0x9C9D, 0xA430, 0xA437, 0xA438), Identity.PEOPLE)
    | dict.fromkeys((0xA431, 0xA435, 0xC62F), Identity.SERIALS)
    | dict.fromkeys((0x010F, 0x0110, 0xA433, 0xA434, 0xC614), Identity.DEVICES)
    | dict.fromkeys((0x000B, 0x0131, 0x013C, 0xA439, 0xA43A, 0xA43B, 0xA43C), Identity.SOFTWARE)
    | dict.fromkeys((0x0132, 0x9003, 0x9004, 0xC71B), Identity.TIMES)
    | dict.fromkeys((0xA420,), Identity.IDS)
    | dict.fromkeys((0x010E, 0x9286, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F, 0xA436), Identity.DESCRIPTIONS)
    | {_MAKER_NOTE: Identity.MAKERS, _THUMBNAIL: Identity.THUMBNAILS}
)
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)  # bytes of one value of each type
_BLANK = b"\0 \t\r\n"
_CHARACTER_CODES = (b"ASCII\0\0\0", b"UNICODE\0", b"JIS\0\0\0\0\0")  # with which a user comment begins


def exif_identities(untrusted: bytes) -> Counter[Identity]:
    """The entries of each kind that are not blank; a block that is no EXIF has none."""
    block = untrusted[6:] if untrusted.startswith(b"Exif\0") else untrusted
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    found: Counter[Identity] = Counter()
    if order is None or len(block) < 8:
        return found
    pending = [int.from_bytes(block[4:8], "little" if order == "<" else "big")]
    seen: set[int] = set()
    while pending and len(seen) < 5:
        at = pending.pop(0)
        if at in seen:
            continue
        seen.add(at)
        for tag, value in _entries(block, at, order):
            if tag == _EXIF:
                pending.append(_number(value, order))
            elif tag == _GPS and not found[Identity.PLACES]:
                tells = any(inner != 0 for inner, _ in _entries(block, _number(value, order), order))
                found[Identity.PLACES] = 1 if tells else -1  # looked at once, however often it is named
            elif tag in _KINDS and _says_something(value):
                found[_KINDS[tag]] += 1
        pending.append(_next(block, at, order))
    return +found


def without_thumbnail(untrusted: bytes) -> bytes:
    """The block without the small JPEG that most cameras put into it, whose packed data holds no words."""
    start = 6 if untrusted.startswith(b"Exif\0") else 0
    block = untrusted[start:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return untrusted
    second = _next(block, _number(block[4:8], order), order)
    found = {tag: _number(value, order) for tag, value in _entries(block, second, order) if tag in _WHERE_THUMBNAIL}
    at, length = (found.get(tag, 0) for tag in _WHERE_THUMBNAIL)
    if not at or block[at : at + 2] != b"\xff\xd8":
        return untrusted
    return untrusted[: start + at] + untrusted[start + at + length :]


def _entries(block: bytes, at: int, order: str) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each entry of the directory that begins here; a value outside the block is empty."""
    if not 8 <= at <= len(block) - 2:
        return
    (count,) = struct.unpack_from(f"{order}H", block, at)
    last = min(at + 2 + 12 * count, at + 2 + (len(block) - at - 2) // 12 * 12)
    for tag, kind, number, field in struct.iter_unpack(f"{order}HHI4s", block[at + 2 : last]):
        size = _SIZES[kind] * number if kind < len(_SIZES) else 0
        if size <= 4:
            yield tag, field[:size]
        else:
            start = _number(field, order)
            yield tag, block[start : start + min(size, 64)]


def _next(block: bytes, at: int, order: str) -> int:
    """Where the directory behind this one begins; 0 if there is none."""
    if not 8 <= at <= len(block) - 2:
        return 0
    (count,) = struct.unpack_from(f"{order}H", block, at)
    return _number(block[at + 2 + 12 * count :][:4], order)


def _number(field: bytes, order: str) -> int:
    return int.from_bytes(field[:4], "little" if order == "<" else "big")


def _says_something(value: bytes) -> bool:
    """Cameras write blank names and comments; those tell nobody anything."""
    return bool((value[8:] if value.startswith(_CHARACTER_CODES) else value).strip(_BLANK))

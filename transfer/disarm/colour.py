"""Colour profiles made anew: the numbers that say which colours the pixels mean, and nothing else.

What enters: an ICC profile as the sender's file had it, of any make and with anything in it (display serial numbers,
names, dates, private tags). What leaves: a version 4.3 profile of the same matrix and curves with neutral texts, or
None where the profile is not of that simple kind; the caller then converts the pixels to sRGB with it.
A picture that says by code points that its colours are those of Display P3 gets a profile that says the same.
Source: ICC.1:2010, clauses 7.2 (header), 8.3 (required tags), 10 (types); ITU-T H.273, tables 2 and 3.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

MAX_PROFILE = 4 << 20  # bytes; CMYK profiles of print shops reach 2 MiB
_MAX_CURVE = 4096  # entries
_D50 = struct.pack(">3I", 0x0000F6D6, 0x00010000, 0x0000D32D)
_MATRIX = (b"rXYZ", b"gXYZ", b"bXYZ")
_RGB_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}  # values of a parametric curve, by its function type


# Display P3: primaries 12, here seen in the white of profiles; transfers 1, 2, 6 and 13 are shown with sRGB's curve.
_P3, _SRGB_CURVES = 12, (1, 2, 6, 13)
_P3_POINTS = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def coded_profile(primaries: object, transfer: object) -> bytes | None:
    """A profile for these code points; None for those that are sRGB's, and for those of which we know none."""
    if primaries != _P3 or transfer not in _SRGB_CURVES:
        return None
    points = (b"XYZ \0\0\0\0" + struct.pack(">3i", *map(_fixed, point)) for point in _P3_POINTS)
    curve = b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, *map(_fixed, _SRGB))
    return _render(b"RGB ", dict(zip(_MATRIX, points, strict=True)) | dict.fromkeys(_RGB_CURVES, curve))


def _fixed(number: float) -> int:
    return round(number * 0x10000)


def neutral_profile(untrusted: bytes, *, grey: bool) -> bytes | None:
    """The same colours without anything else, for pictures of one channel (`grey`) or three; None if it cannot be."""
    space = b"GRAY" if grey else b"RGB "
    tags = _tags(untrusted, space)
    if tags is None or any(name in tags for name in (b"A2B0", b"A2B1", b"A2B2")):
        return None
    wanted = (b"kTRC",) if grey else _MATRIX + _RGB_CURVES
    kept: dict[bytes, bytes] = {}
    for name in wanted:
        value = _point(tags.get(name, b"")) if name in _MATRIX else _curve(tags.get(name, b""))
        if value is None:
            return None
        kept[name] = value
    return _render(space, kept)


def _tags(profile: bytes, space: bytes) -> Mapping[bytes, bytes] | None:
    if not 132 <= len(profile) <= MAX_PROFILE or profile[36:40] != b"acsp":
        return None
    if profile[16:20] != space or profile[20:24] != b"XYZ " or profile[12:16] not in (b"mntr", b"scnr", b"spac"):
        return None
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > 100 or 132 + 12 * count > len(profile):
        return None
    tags: dict[bytes, bytes] = {}
    for number in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if offset + size > len(profile):
            return None
        tags[name] = profile[offset : offset + size]
    return tags


def _point(tag: bytes) -> bytes | None:
    if len(tag) < 20 or tag[:4] != b"XYZ ":
        return None
    return b"XYZ \0\0\0\0" + tag[8:20]


def _curve(tag: bytes) -> bytes | None:
    if len(tag) < 12:
        return None
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count > _MAX_CURVE or len(tag) < 12 + 2 * count:
            return None
        return b"curv\0\0\0\0" + tag[8 : 12 + 2 * count]
    if tag[:4] == b"para":
        (function,) = struct.unpack_from(">H", tag, 8)
        size = 4 * _PARAMETERS.get(function, 1000)
        if len(tag) < 12 + size:
            return None
        return b"para\0\0\0\0" + tag[8:10] + b"\0\0" + tag[12 : 12 + size]
    return None


def _text(words: str) -> bytes:
    content = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(content), 28) + content


def _render(space: bytes, kept: Mapping[bytes, bytes]) -> bytes:
    values = {b"desc": _text("colours"), b"cprt": _text("none"), b"wtpt": b"XYZ \0\0\0\0" + _D50, **kept}
    start = 132 + 12 * len(values)
    table, body, places = b"", b"", dict[bytes, int]()
    for name, value in values.items():
        if value not in places:  # equal curves are stored once, as every profile maker does
            places[value] = start + len(body)
            body += value + b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", name, places[value], len(value))
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # one date for all profiles
    header += b"acsp" + b"\0" * 28 + _D50 + b"\0" * 48
    return header + struct.pack(">I", len(values)) + table + body

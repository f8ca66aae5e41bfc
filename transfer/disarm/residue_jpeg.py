"""Reads a JPEG marker by marker to its last byte and finds every segment that only metadata needs.

What enters: a rebuilt JPEG. What leaves: notes in the report.
Allowed: SOI; APP0 JFIF of exactly 14 bytes, so without a thumbnail; APP2 with one whole colour profile that
`residue_icc` accepts; APP14 Adobe of exactly 12 bytes; DQT, SOF0 to SOF2, DHT, DRI, SOS of exactly the length that
their contents need; entropy-coded data; EOI as the last two bytes. Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re

from transfer.disarm.residue_icc import read_profile
from transfer.disarm.residue_view import Broken, Report, View

_PROFILE = b"ICC_PROFILE\0\1\1"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # what ends entropy-coded data: neither stuffing nor a restart
_JFIF = re.compile(rb"JFIF\0\x01[\x00-\x02][\x00-\x02]....\0\0", re.DOTALL)
_ADOBE = re.compile(rb"Adobe\0[\x64\x65]\0\0\0\0[\x00-\x02]", re.DOTALL)


def read_jpeg(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the markers do not hold together."""
    content = view.take(0, view.size, "file")
    if content[:2] != b"\xff\xd8":
        raise Broken("start", "it is not a JPEG", 0)
    seen: set[int] = set()
    at = 2
    while True:
        if content[at : at + 1] != b"\xff" or at + 2 > len(content):
            raise Broken("marker", "no marker where one must stand", at)
        marker = content[at + 1]
        if marker == 0xD9:
            break
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        body = content[at + 4 : at + 2 + size]
        if size < 2 or len(body) != size - 2:
            raise Broken(f"segment {marker:02x}", "it ends too early", at)
        _judge(marker, body, seen, report, at)
        seen.add(marker)
        at += 2 + size
        if marker == 0xDA:
            end = _MARKER.search(content, at)
            if end is None:
                raise Broken("picture data", "it has no end", at)
            at = end.start()
    report.unless(0xDA in seen, "end", "there is no picture in it", at)
    report.unless(at + 2 == len(content), "end", f"{len(content) - at - 2} bytes behind the end", at + 2)


def _judge(marker: int, body: bytes, seen: set[int], report: Report, at: int) -> None:
    where = f"segment {marker:02x}"
    if marker in (0xE0, 0xE2, 0xEE, 0xC0, 0xC1, 0xC2, 0xDD):
        report.unless(marker not in seen, where, "it stands there twice", at)
    report.saw("segments", _NAMES.get(marker, where))
    if marker == 0xE2 and body.startswith(_PROFILE):
        read_profile(body[len(_PROFILE) :], report, at)
        return
    check = _CHECKS.get(marker)
    if check is None:
        report.note(where, "this segment is not allowed", at)
    elif not check(body):
        report.note(where, "it holds more or other than it must", at)
    elif marker in _PROCESSES:
        height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        report.tell(f"picture: JPEG, {width} x {height}, {body[5]} channels, {_PROCESSES[marker]}")


def _jfif(body: bytes) -> bool:
    return _JFIF.fullmatch(body) is not None


def _adobe(body: bytes) -> bool:
    return _ADOBE.fullmatch(body) is not None


def _quantisation(body: bytes) -> bool:
    at = 0
    while at < len(body):
        at += 129 if body[at] >> 4 else 65
    return at == len(body) > 0


def _huffman(body: bytes) -> bool:
    at = 0
    while at + 17 <= len(body):
        at += 17 + sum(body[at + 1 : at + 17])
    return at == len(body) > 0


def _frame(body: bytes) -> bool:
    return len(body) >= 6 and len(body) == 6 + 3 * body[5]


def _scan(body: bytes) -> bool:
    return len(body) >= 1 and len(body) == 4 + 2 * body[0]


def _restart(body: bytes) -> bool:
    return len(body) == 2


_PROCESSES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_NAMES = {
    0xE0: "APP0 JFIF",
    0xE2: "APP2 colour profile",
    0xEE: "APP14 Adobe",
    0xDB: "DQT",
    0xC4: "DHT",
    0xC0: "SOF0",
    0xC1: "SOF1",
    0xC2: "SOF2",
    0xDA: "SOS",
    0xDD: "DRI",
}
_CHECKS = {
    0xE0: _jfif,
    0xEE: _adobe,
    0xDB: _quantisation,
    0xC4: _huffman,
    0xC0: _frame,
    0xC1: _frame,
    0xC2: _frame,
    0xDA: _scan,
    0xDD: _restart,
}

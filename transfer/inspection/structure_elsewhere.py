"""Does a film or picture say that its media lie in another file? (ISO/IEC 14496-12, section 8.7.2; QuickTime.) Pure.

What enters: the boxes of an untrusted file. What leaves, in its `Anatomy`: where it points elsewhere. A player that
follows such a pointer shows what the gateway never saw; the gateway follows none, so the file is refused (G6).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.boxes import Box, Read

MAX_TABLE = 65_536  # bytes of a list of places that are looked at; one entry is the rule
_HERE = 1  # the flag that says: in this file

POINTS_ELSEWHERE = "its media are said to lie in another file"


def check_elsewhere(found: Anatomy, read: Read, whole: Box) -> None:
    """Notes every list of places that names another one than this file, and films that are but a list of films."""
    moov, meta = whole.first(b"moov"), whole.first(b"meta")
    lists = [] if meta is None else [meta.first(b"dinf", b"dref")]
    if moov is not None:
        lists += [track.first(b"mdia", b"minf", b"dinf", b"dref") for track in moov.all(b"trak")]
        for box in moov.all(b"rmra"):
            found.broken(POINTS_ELSEWHERE, box.at)
    for listing in lists:
        if listing is not None:
            _check_list(found, read(listing.start, min(listing.length, MAX_TABLE)), listing)


def _check_list(found: Anatomy, data: bytes, box: Box) -> None:
    try:
        elsewhere = any(_names_a_place(flags, name) for flags, name in _entries(data))
    except struct.error:
        found.broken("the list of where its media lie is longer than the box it lies in", box.at)
        return
    if elsewhere:
        found.broken(POINTS_ELSEWHERE, box.at)


def _names_a_place(flags: int, name: bytes) -> bool:
    """An entry without the flag and without a name is a careless writer's, and leads nowhere."""
    return not flags & _HERE and bool(name.strip(b"\0"))


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The flags of each entry and the name behind them. Raises struct.error where the list does not hold together."""
    (count,) = struct.unpack_from(">I", data, 4)
    at = 8
    for _ in range(count):
        length, _, flags = struct.unpack_from(">I4sI", data, at)
        if length < 12 or at + length > len(data):
            raise struct.error
        yield flags, data[at + 12 : at + length]
        at += length

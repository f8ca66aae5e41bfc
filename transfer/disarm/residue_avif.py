"""Reads an AVIF box by box to its last byte and finds every item, property or box that only metadata needs.

What enters: a rebuilt AVIF. What leaves: notes in the report.
Allowed: ftyp, meta, mdat, free filled with zeros; in meta one picture item named `Color`, perhaps one named `Alpha`,
their places, properties for size, depth, codec, colour and turning, and the reference between the two. Every byte of
mdat must belong to one of the items. Source: ISO/IEC 14496-12, clause 8.11; ISO/IEC 23008-12; AV1 Image File Format.
"""

from __future__ import annotations

from transfer.disarm.residue_boxes import Box, Check, anything, boxes, exactly, holding, only_zeros, require, walk
from transfer.disarm.residue_icc import read_profile
from transfer.disarm.residue_view import Broken, Report, View

_BRANDS = {b"avif", b"mif1", b"miaf", b"MA1B", b"MA1A"}
_ITEMS = (
    b"\2\0\0\0\0\1\0\0av01Color\0",
    b"\2\0\0\0\0\2\0\0av01Alpha\0",
)
_ALPHA = bytes(4) + b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"


def read_avif(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the boxes do not hold together."""
    places: list[tuple[int, int]] = []
    allowed: dict[bytes, Check] = {
        b"ftyp": holding(_brands),
        b"meta": lambda view, box, report: _meta(view, box, report, places),
        b"mdat": anything,
        b"free": only_zeros,
    }
    met = walk(view, 0, view.size, report, allowed, several=frozenset({b"free"}))
    require(met, (b"ftyp", b"meta", b"mdat"), "file", report, 0)
    if b"mdat" not in met:
        return
    at, end = met[b"mdat"][0].content, met[b"mdat"][0].end
    for offset, size in sorted(places):
        report.unless(offset == at, "box mdat", "bytes that belong to no picture, or to two", at)
        at = offset + size
    report.unless(at == end, "box mdat", "bytes that belong to no picture", at)


def _meta(view: View, box: Box, report: Report, places: list[tuple[int, int]]) -> None:
    def locations(view: View, box: Box, report: Report) -> None:  # noqa: ARG001 - raises where it is broken
        places.extend(_places(box.body(view), box))

    report.unless(view.take(box.content, 4, box.where) == bytes(4), box.where, "unknown flags", box.start)
    allowed: dict[bytes, Check] = {
        b"hdlr": exactly(bytes(8) + b"pict" + bytes(13)),
        b"pitm": exactly(bytes(4) + b"\0\1"),
        b"iloc": locations,
        b"iinf": _items,
        b"iref": _references,
        b"iprp": _properties,
    }
    met = walk(view, box.content + 4, box.end, report, allowed, several=frozenset())
    require(met, (b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp"), box.where, report, box.start)


def _brands(body: bytes) -> bool:
    brands = [body[at : at + 4] for at in range(8, len(body), 4)]
    return body[:8] == b"avif" + bytes(4) and bool(brands) and set(brands) <= _BRANDS


def _places(body: bytes, box: Box) -> list[tuple[int, int]]:
    """Offset and size of each item's data; version 0 with sizes of four bytes, as our writer has it."""
    if body[:6] != bytes(4) + b"\x44\0" or len(body) != 8 + 14 * int.from_bytes(body[6:8], "big"):
        raise Broken(box.where, "it is not of the known form", box.start)
    places = []
    for at in range(8, len(body), 14):
        if body[at + 2 : at + 6] != b"\0\0\0\1":
            raise Broken(box.where, "an item's data is not in one piece", box.start)
        places.append((int.from_bytes(body[at + 6 : at + 10], "big"), int.from_bytes(body[at + 10 : at + 14], "big")))
    return places


def _items(view: View, box: Box, report: Report) -> None:
    head = view.take(box.content, 6, box.where)
    entries = [entry.body(view) for entry in boxes(view, box.content + 6, box.end) if entry.kind == b"infe"]
    known = tuple(entries) in (_ITEMS[:1], _ITEMS) and head == bytes(4) + len(entries).to_bytes(2, "big")
    whole = sum(len(entry) + 8 for entry in entries) == box.end - box.content - 6
    report.unless(known and whole, box.where, "it lists other items than a picture and its transparency", box.start)


def _references(view: View, box: Box, report: Report) -> None:
    report.unless(view.take(box.content, 4, box.where) == bytes(4), box.where, "unknown flags", box.start)
    alpha = exactly(b"\0\2\0\1\0\1")
    premultiplied = exactly(b"\0\1\0\1\0\2")
    walk(view, box.content + 4, box.end, report, {b"auxl": alpha, b"prem": premultiplied}, several=frozenset())


def _properties(view: View, box: Box, report: Report) -> None:
    def container(view: View, box: Box, report: Report) -> None:
        repeated = frozenset({b"ispe", b"pixi", b"av1C", b"colr"})
        walk(view, box.content, box.end, report, _PROPERTIES, several=repeated)

    allowed: dict[bytes, Check] = {b"ipco": container, b"ipma": holding(_associations)}
    walk(view, box.content, box.end, report, allowed, several=frozenset())


def _associations(body: bytes) -> bool:
    """Item numbers with one-byte property numbers, of the count they state."""
    if body[:4] != bytes(4):
        return False
    at = 8
    for _ in range(min(int.from_bytes(body[4:8], "big"), 8)):
        at += 3 + (body[at + 2] if at + 2 < len(body) else len(body))
    return at == len(body)


def _colour(view: View, box: Box, report: Report) -> None:
    body = box.body(view)
    if body[:4] == b"prof":
        read_profile(body[4:], report, box.content + 4)
    else:
        report.unless(body[:4] == b"nclx" and len(body) == 11, box.where, "no known colour", box.start)


def _codec(body: bytes) -> bool:
    """Four bytes; a sequence header may follow, and nothing else."""
    return len(body) == 4 or (len(body) > 6 and body[4] & 0x78 == 0x08 and len(body) == 6 + body[5])


def _extent(view: View, box: Box, report: Report) -> None:
    body = box.body(view)
    report.unless(len(body) == 12, box.where, "it holds more or other than it must", box.start)
    report.tell(f"picture: AVIF, {int.from_bytes(body[4:8], 'big')} x {int.from_bytes(body[8:12], 'big')}")


def _sized(size: int) -> Check:
    return holding(lambda body: len(body) == size)


_PROPERTIES: dict[bytes, Check] = {
    b"ispe": _extent,
    b"pixi": holding(lambda body: len(body) > 4 and len(body) == 5 + body[4] and body[:4] == bytes(4)),
    b"av1C": holding(_codec),
    b"colr": _colour,
    b"auxC": exactly(_ALPHA),
    b"irot": _sized(1),
    b"imir": _sized(1),
    b"pasp": _sized(8),
}

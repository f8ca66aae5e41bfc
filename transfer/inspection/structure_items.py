"""Where the items of a HEIC or AVIF picture lie, and what they are (ISO/IEC 14496-12, section 8.11; 23008-12). Pure.

What enters: the boxes of an untrusted picture. What leaves, in its `Anatomy`: whether each item lies in the media data,
how many tiles a picture has, and files of another kind that hang on it as items.
"""

from __future__ import annotations

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.boxes import Box, Read
from transfer.inspection.structure_samples import check_coverage

MOST_ITEMS = 20_000
MOST_TILES = 4_096  # of one picture; 100 megapixels have 400 of the usual size
MAX_TABLE = 8_388_608  # bytes of one table of items
MAX_ITEM = 1_048_576  # of an item that is no picture: its first bytes

_WORDS = frozenset({b"mime", b"uri ", b"Exif"})  # items that are no pictures

_Extents = list[tuple[int, int]]


class _Short(Exception):
    """A table is longer than the box it lies in."""


class _Numbers:
    """Reads numbers of stated widths, and notices when there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def next(self, width: int) -> int:
        end = self._at + width
        if end > len(self._data):
            raise _Short
        number = int.from_bytes(self._data[self._at : end], "big")
        self._at = end
        return number


def check_items(found: Anatomy, read: Read, whole: Box) -> None:
    """Compares where items are said to lie with where media data lie, and looks into those that are no pictures."""
    meta = whole.first(b"meta")
    if meta is None:
        return
    media = [(box.start, box.end) for box in whole.all(b"mdat")]
    held = meta.first(b"idat")
    try:
        words = _items_of_words(read, meta)
        places = _places(read, meta, held)
        _check_references(found, read, meta)
    except _Short:
        found.broken("a table of its items is longer than the box it lies in", meta.at)
        return
    if len(places) > MOST_ITEMS:
        found.broken(f"it has {len(places)} items", meta.at)
    allowed = [*media, *([(held.start, held.end)] if held is not None else [])]
    for extents in places.values():
        for start, end in extents:
            if start < end and not any(first <= start and end <= last for first, last in allowed):
                found.broken("an item does not lie where its media data lie", meta.at)
                return
    for item in sorted(words & places.keys())[:64]:
        content = b"".join(read(start, min(end - start, MAX_ITEM)) for start, end in places[item][:16])
        found.search(content, where="an item of its own")
    covered = [extent for extents in places.values() for extent in extents]
    if media and whole.first(b"moov") is None:
        check_coverage(found, read, covered, allowed)


def _places(read: Read, meta: Box, held: Box | None) -> dict[int, _Extents]:
    """Item number → from where to where it reaches (`iloc`, section 8.11.3)."""
    box = meta.first(b"iloc")
    if box is None:
        return {}
    numbers = _Numbers(read(box.start, min(box.length, MAX_TABLE)))
    version = numbers.next(4) >> 24
    widths = numbers.next(2)
    offset_width, length_width, base_width = widths >> 12, widths >> 8 & 15, widths >> 4 & 15
    index_width = widths & 15 if version in {1, 2} else 0
    places: dict[int, _Extents] = {}
    for _ in range(numbers.next(4 if version == 2 else 2)):
        item = numbers.next(4 if version == 2 else 2)
        method = numbers.next(2) & 15 if version in {1, 2} else 0
        numbers.next(2)  # in which file: this one, or `structure_elsewhere` has refused it
        base = numbers.next(base_width)
        extents: _Extents = []
        for _ in range(numbers.next(2)):
            numbers.next(index_width)
            offset = base + numbers.next(offset_width)
            length = numbers.next(length_width)
            if method == 1 and held is not None:
                offset += held.start
            if method in {0, 1}:
                # No length: to the end of what holds it.
                extents.append((offset, offset + length) if length else (offset, offset))
        places[item] = extents
    return places


def _items_of_words(read: Read, meta: Box) -> set[int]:
    """The numbers of the items that are no pictures (`iinf`, section 8.11.6)."""
    box = meta.first(b"iinf")
    if box is None:
        return set()
    data = read(box.start, min(box.length, MAX_TABLE))
    at = 6 if data[:1] == b"\0" else 8
    words: set[int] = set()
    for _ in range(MOST_ITEMS + 1):
        length = int.from_bytes(data[at : at + 4], "big")
        if at >= len(data):
            return words
        if length < 16 or at + length > len(data) or data[at + 4 : at + 8] != b"infe":
            raise _Short
        wide = data[at + 8] == 3
        entry = data[at + 12 : at + length]
        kind = entry[6:10] if wide else entry[4:8]
        if data[at + 8] in {2, 3} and kind in _WORDS:
            words.add(int.from_bytes(entry[: 4 if wide else 2], "big"))
        at += length
    raise _Short


def _check_references(found: Anatomy, read: Read, meta: Box) -> None:
    """How many items one item is made of (`iref`, section 8.11.12)."""
    box = meta.first(b"iref")
    if box is None:
        return
    data = read(box.start, min(box.length, MAX_TABLE))
    width = 4 if data[:1] == b"\x01" else 2
    at = 4
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 10 + width or at + length > len(data):
            raise _Short
        count = int.from_bytes(data[at + 8 + width : at + 10 + width], "big")
        if 10 + width + count * width > length:
            raise _Short
        if count > MOST_TILES:
            found.broken(f"one of its pictures is made of {count} others", box.at)
        at += length

"""What an ISO base media file (MP4, MOV, HEIC, AVIF) holds besides its streams or pictures, and how it is built. Pure.

What enters: a function that reads a stretch of an untrusted file, and its size. What leaves: an `Anatomy`. Headers,
tables and metadata are read and no media data, so the cost hardly grows with the size of a film. What no reader needs
(padding, unknown boxes) is searched for files of another kind.
"""

from __future__ import annotations

from transfer.inspection.anatomy import MAX_TEXT_BYTES, Anatomy
from transfer.inspection.boxes import Box, Read, box_tree
from transfer.inspection.second_files import ARCHIVE_END_BYTES
from transfer.inspection.structure_elsewhere import check_elsewhere
from transfer.inspection.structure_items import check_items
from transfer.inspection.structure_samples import check_samples

MAX_SEARCHED = 8_388_608  # bytes of padding and unknown boxes that are looked into, in all
MAX_TAIL = 67_108_864  # of what stands behind the end
_STRETCH = 1_048_576  # of one box, from its beginning and from its end
_BRANDS_BYTES = 1_024

_STRUCTURE = frozenset(
    b"ftyp styp moov mdat free skip wide moof mfra sidx ssix prft pdin emsg pnot meta idat mvhd trak".split()
)
_PADDING = frozenset({b"free", b"skip", b"wide"})
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def dissect_boxes(read: Read, size: int, *, picture: bool) -> Anatomy:
    """Boxes of an ISO base media file.

    In a picture (HEIC, AVIF) `meta` is the structure itself; in a film it is metadata.
    """
    found = Anatomy()
    whole, end = box_tree(read, size, found, picture=picture, known=_STRUCTURE)
    if found.truncated:
        return found
    search = _Search(read, found)
    for box in whole.inside:
        if box.kind == b"moov":
            _dissect_moov(search, box, picture=picture)
        else:
            search.look_into(box, picture=picture)
    if not found.problems:
        _check(found, read, whole, picture=picture)
    found.trail(read(end, min(size - end, MAX_TAIL)) if end < size else b"", size - end)
    found.ends(read(0, 1_024), read(max(0, size - ARCHIVE_END_BYTES), ARCHIVE_END_BYTES))
    return found


def _check(found: Anatomy, read: Read, whole: Box, *, picture: bool) -> None:
    brands = whole.first(b"ftyp")
    if brands is not None and (brands.length < 8 or brands.length % 4 or brands.length > _BRANDS_BYTES):
        found.broken("its list of brands is not as it should be", brands.at)
    if not found.problems:
        check_elsewhere(found, read, whole)
    if not found.problems:
        check_samples(found, read, whole)
    if picture and not found.problems:
        check_items(found, read, whole)


class _Search:
    """Looks into what is no picture and no sound, up to a bound."""

    def __init__(self, read: Read, found: Anatomy) -> None:
        self.read, self.found = read, found
        self._left = MAX_SEARCHED

    def look_into(self, box: Box, *, picture: bool) -> None:
        """A box at the top or in `moov`."""
        found = self.found
        if box.kind == b"uuid":
            self._note_uuid(box)
        elif box.kind in _PADDING or box.kind == b"pnot":
            self._padding(box)
        elif box.kind == b"udta" or (box.kind == b"meta" and not picture):
            found.note(box.kind.decode(), self.read(box.start, min(box.length, MAX_TEXT_BYTES)))
            self._rest(box)
        elif box.kind not in _STRUCTURE:
            found.note(f"box {box.kind.decode('latin-1')}", self.read(box.start, 256))
            self._padding(box)

    def _padding(self, box: Box) -> None:
        for start in (box.start, max(box.start + _STRETCH, box.end - _STRETCH)):
            length = min(_STRETCH, box.end - start, self._left)
            if length > 0:
                self._left -= length
                content = self.read(start, length)
                if content.strip(b"\0"):
                    self.found.search(content, where="padding" if box.kind in _PADDING else "a box of its own")

    def _note_uuid(self, box: Box) -> None:
        payload = self.read(box.start, min(box.length, MAX_TEXT_BYTES))
        if payload.startswith(_C2PA):
            self.found.credentials = True
            self.found.search(payload, where="content credentials", starts=16)
        else:
            self.found.note("XMP" if payload.startswith(_XMP) else "uuid", payload[16:])
        self._rest(box)

    def _rest(self, box: Box) -> None:
        """Metadata are kept up to a bound; what stands behind it is searched too."""
        if box.length > MAX_TEXT_BYTES:
            self._padding(box)


def _dissect_moov(search: _Search, moov: Box, *, picture: bool) -> None:
    for box in moov.inside:
        if box.kind == b"trak":
            search.found.tracks += 1
            for inner in box.inside:
                if inner.kind in {b"udta", b"meta", b"uuid"} | _PADDING:
                    search.look_into(inner, picture=picture)
        elif box.kind in {b"udta", b"meta", b"uuid"} | _PADDING:
            search.look_into(box, picture=picture)
        elif box.kind == b"cmov":
            search.found.broken("its header is packed, and what it unpacks to is not bounded", box.at)

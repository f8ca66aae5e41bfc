"""WebM: EBML elements to the last byte, clusters and their blocks included (RFC 8794; RFC 9559). Pure.

What enters: a function that reads a stretch of an untrusted film, and its size. What leaves: an `Anatomy`: tracks,
packets and attachments counted, lacing checked, and what no player needs searched for files of another kind. Frames are
not read. The number of elements is bounded, and the depth too: only elements that are known are looked into.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.boxes import Read
from transfer.inspection.lacing import laced_frames
from transfer.inspection.second_files import ARCHIVE_END_BYTES

MOST_ELEMENTS = 1_000_000
MAX_SEARCHED = 1_048_576  # bytes of one element that is looked into
MAX_ALL_SEARCHED = 16_777_216
MAX_TAIL = 67_108_864
MOST_DEPTH = 16  # tags and chapters may lie in each other

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_VOID, _CHECKSUM = 0xEC, 0xBF
_TRACKS, _TRACK, _ENCODINGS, _ENCODING, _COMPRESSION = 0x1654AE6B, 0xAE, 0x6D80, 0x6240, 0x5034
_ALGORITHM, _HEADER_STRIPPING = 0x4254, 3
_ENCRYPTION = 0x5035
_ATTACHMENTS, _ATTACHED = 0x1941A469, 0x61A7
_SIMPLE_BLOCK, _GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_SEEK, _INFO, _CUES, _CHAPTERS, _TAGS = 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1043A770, 0x1254C367
_TAG, _SIMPLE_TAG, _EDITION, _CHAPTER = 0x7373, 0x67C8, 0x45B9, 0xB6
_IN_SEGMENT = frozenset({_SEEK, _INFO, _TRACKS, _CLUSTER, _CUES, _ATTACHMENTS, _CHAPTERS, _TAGS})
_MASTERS = frozenset(
    {
        *(_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _ENCODINGS, _ENCODING, _COMPRESSION, _ATTACHMENTS, _GROUP),
        *(_TAGS, _TAG, _SIMPLE_TAG, _CHAPTERS, _EDITION, _CHAPTER),
    }
)
_PARENTS = {
    **dict.fromkeys(_IN_SEGMENT, _SEGMENT),
    _TRACK: _TRACKS,
    _TAG: _TAGS,
    _EDITION: _CHAPTERS,
    _ENCODINGS: _TRACK,
    _ENCODING: _ENCODINGS,
    _COMPRESSION: _ENCODING,
    _ATTACHED: _ATTACHMENTS,
    _SIMPLE_BLOCK: _CLUSTER,
    _GROUP: _CLUSTER,
    _BLOCK: _GROUP,
}
_SEARCHED = frozenset({_VOID, _TAGS, _CHAPTERS, _INFO, _ATTACHED})


@dataclass(frozen=True, slots=True)
class _Element:
    kind: int
    at: int
    start: int
    end: int  # of unknown size: of the one it lies in
    known: bool


def dissect_ebml(read: Read, size: int) -> Anatomy:
    """The EBML header, the one segment, and what stands behind it."""
    found = Anatomy()
    walk = _Walk(read, size, found)
    at = 0
    for expected in (_EBML, _SEGMENT):
        element = walk.element(at, size)
        if element is None or element.kind != expected:
            break
        if element.end > size:
            found.truncated = True
            return found
        if expected == _SEGMENT:
            walk.children(element)
        at = element.end
    while not found.problems and (padding := walk.element(at, size)) is not None:
        if padding.kind not in {_VOID, _CHECKSUM} or padding.end > size:
            break
        walk.search(padding)
        at = padding.end
    found.trail(read(at, min(size - at, MAX_TAIL)) if at < size else b"", size - at)
    found.ends(read(0, 1_024), read(max(0, size - ARCHIVE_END_BYTES), ARCHIVE_END_BYTES))
    return found


class _Walk:
    """Reads elements, and counts them."""

    def __init__(self, read: Read, size: int, found: Anatomy) -> None:
        self._read, self._size, self._found = read, size, found
        self._count = 0
        self._left = MAX_ALL_SEARCHED
        self._visits: dict[int, Callable[[_Element], None]] = {
            _SIMPLE_BLOCK: self._block,
            _BLOCK: self._block,
            _TRACK: self._track,
            _ATTACHED: self._attachment,
            _ALGORITHM: self._algorithm,
        }

    def element(self, at: int, end: int) -> _Element | None:
        """The element that begins there; None where none does."""
        header = self._read(at, 12) if at < end else b""
        kind, width = number(header, keep_marker=True)
        length, more = number(header[width:], keep_marker=False)
        if not width or not more or width > 4:
            return None
        start = at + width + more
        if length == (1 << 7 * more) - 1:
            return _Element(kind, at, start, end, known=False)
        return _Element(kind, at, start, start + length, known=True)

    def children(self, whole: _Element) -> None:
        """Everything in the segment, each element within the one it lies in."""
        pending = [whole]
        at = whole.start
        while pending and not self._found.problems:
            parent = pending[-1]
            if at >= parent.end:
                pending.pop()
                continue
            element = self.element(at, parent.end)
            if element is None:
                self._found.broken("there is something between its elements", at)
                return
            if not parent.known and parent.kind == _CLUSTER and element.kind in _IN_SEGMENT:
                pending.pop()  # a cluster of unknown size ends where the next element of the segment begins
                continue
            self._check(element, parent)
            at = element.start if element.kind in _MASTERS else element.end
            if element.kind in _MASTERS:
                pending.append(element)
            if len(pending) > MOST_DEPTH:
                self._found.broken("its elements lie too deep in each other", element.at)

    def search(self, element: _Element) -> None:
        """Is there a file of another kind in this element?"""
        length = min(element.end - element.start, MAX_SEARCHED, self._left)
        if length > 0:
            self._left -= length
            content = self._read(element.start, length)
            if content.strip(b"\0"):
                self._found.search(content, where="padding" if element.kind == _VOID else "an element of its own")
            if element.kind == _TAGS:
                self._found.note("tags", content)  # a decoder tells those it knows; whatever else it says is read here

    def _check(self, element: _Element, parent: _Element) -> None:
        self._count += 1
        kind, found = element.kind, self._found
        if element.end > parent.end:
            found.broken("an element reaches beyond the one it lies in", element.at)
        elif _PARENTS.get(kind, parent.kind) != parent.kind or kind in {_EBML, _SEGMENT}:
            found.broken("an element lies in one where it cannot", element.at)
        elif not element.known and kind != _CLUSTER:
            found.broken("an element does not say how long it is", element.at)
        elif self._count > MOST_ELEMENTS:
            found.broken(f"it has more than {MOST_ELEMENTS} elements", element.at)
        elif kind == _ENCRYPTION:
            found.broken("a track is encrypted", element.at)
        elif kind in self._visits:
            self._visits[kind](element)
        if parent.kind == _SEGMENT and kind not in _IN_SEGMENT | {_VOID, _CHECKSUM}:
            found.note("unknown element")
        if kind in _SEARCHED or (parent.kind == _SEGMENT and kind not in _IN_SEGMENT | {_VOID, _CHECKSUM}):
            self.search(element)

    def _track(self, _: _Element) -> None:
        self._found.tracks += 1

    def _attachment(self, _: _Element) -> None:
        self._found.attachments += 1

    def _algorithm(self, element: _Element) -> None:
        value = int.from_bytes(self._read(element.start, min(element.end - element.start, 8)), "big")
        if value != _HEADER_STRIPPING:
            self._found.broken("a track is packed, and what it unpacks to is not bounded", element.at)

    def _block(self, element: _Element) -> None:
        """The block's header: its track, its time and how many frames are laced together (RFC 9559, section 10)."""
        length = element.end - element.start
        head = self._read(element.start, min(length, 12))
        _, width = number(head, keep_marker=False)
        if not width or length < width + 3:
            self._found.broken("a block is shorter than its header", element.at)
            return
        lacing = head[width + 2] >> 1 & 3
        if not lacing:
            self._found.packets += 1
            return
        start = element.start + width + 3
        frames = laced_frames(self._read(start, min(length - width - 3, 4_096)), element.end - start, lacing)
        if not frames:
            self._found.broken("a block's frames are not as long as it says", element.at)
        self._found.packets += frames


def number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """A variable-size number (RFC 8794, section 4) and how many bytes it takes; 0 bytes where there is none."""
    if not data or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return 0, 0
    whole = int.from_bytes(data[:width], "big")
    return (whole if keep_marker else whole & ((1 << 7 * width) - 1)), width

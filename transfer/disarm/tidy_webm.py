"""Takes out of a new WebM the duration tags that FFmpeg's writer puts there, and the pointer to them.

What enters: a descriptor of a WebM that `video.py` has just written (trusted as far as FFmpeg is). What leaves: the
same film with zeros where the tags were; nothing moves, so no position in it changes.
Source: RFC 8794 (EBML), RFC 9559.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from transfer.disarm.descriptors import Outflow
from transfer.errors import Refusal
from transfer.model.findings import Code

_SEGMENT, _SEEK_HEAD, _SEEK, _TAGS, _VOID = 0x18538067, 0x114D9B74, 0x4DBB, 0x1254C367, 0xEC
_SMALL = 1 << 20  # bytes; an index of positions is far smaller


def tidy_webm(out: int) -> None:
    """Makes the tags a void. Raises Refusal and OutputFault."""
    size = os.fstat(out).st_size
    segment = next((e for e in _elements(out, 0, size) if e[0] == _SEGMENT), None)
    if segment is None:
        raise Refusal("The new film has no segment.", code=Code.REBUILD_FAILED)
    index: tuple[int, int, int, int] | None = None
    for element in list(_elements(out, segment[2], segment[3])):
        identifier, start, _, end = element
        if identifier == _SEEK_HEAD:
            index = element
        elif identifier == _VOID and index is not None and index[3] == start:
            _put(out, index[1], _index_without_tags(out, index, end))
            index = None
        elif identifier == _TAGS:
            _put(out, start, _void(end - start))
    if index is not None:
        raise Refusal("The new film's index has no room behind it.", code=Code.REBUILD_FAILED)


def _index_without_tags(out: int, index: tuple[int, int, int, int], end: int) -> bytes:
    _, start, content, stop = index
    wanted = _TAGS.to_bytes(4, "big")
    kept = b""
    for identifier, at, inner, last in _elements(out, content, stop):
        entry = os.pread(out, last - at, at)
        if identifier == _SEEK and b"\x53\xab\x84" + wanted in entry[inner - at :]:
            continue
        kept += entry
    # a size in four bytes is always enough and never has to be the shortest
    head = _SEEK_HEAD.to_bytes(4, "big") + (len(kept) | 0x10000000).to_bytes(4, "big") + kept
    return head + _void(end - start - len(head))


def _void(size: int) -> bytes:
    """An element of exactly `size` bytes that means nothing."""
    if size < 2 or size > _SMALL:
        raise Refusal("The new film's header is not as expected.", code=Code.REBUILD_FAILED)
    if size < 10:
        return bytes([_VOID, 0x80 | (size - 2)]) + b"\0" * (size - 2)
    return bytes([_VOID]) + ((size - 9) | 0x01 << 56).to_bytes(8, "big") + b"\0" * (size - 9)


def _put(out: int, at: int, content: bytes) -> None:
    flow = Outflow(out)
    flow.seek(at)
    flow.write(content)


def _elements(out: int, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Identifier, start, start of content and end of each element between two offsets. Raises Refusal."""
    while position < end:
        head = os.pread(out, 12, position)
        length = 9 - head[0].bit_length() if head else 9
        width = 9 - head[length].bit_length() if length < len(head) else 9
        if length > 4 or width > 8 or length + width > len(head):
            raise Refusal("The new film ends inside an element.", code=Code.REBUILD_FAILED)
        size = int.from_bytes(head[length : length + width], "big") & ((1 << 7 * width) - 1)
        content = position + length + width
        if content + size > end:
            raise Refusal("The new film has an element that does not fit.", code=Code.REBUILD_FAILED)
        yield int.from_bytes(head[:length], "big"), position, content, content + size
        position = content + size

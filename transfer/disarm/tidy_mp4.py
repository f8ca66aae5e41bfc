"""Takes out of a new MP4 the one box that FFmpeg's writer puts there for tags even when there are none.

What enters: a descriptor of an MP4 that `video.py` has just written (trusted as far as FFmpeg is). What leaves: the
same film without `moov/udta`; nothing that holds media moves, so no offset in it changes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from transfer.disarm.descriptors import Inflow, Outflow
from transfer.errors import Refusal
from transfer.model.findings import Code

_HEAD = 16  # bytes of a box header with a 64-bit size


def tidy_mp4(out: int) -> bool:
    """Removes `udta`; says whether the first track is shown turned by a quarter. Raises Refusal and OutputFault."""
    boxes = {kind: (start, head, end) for kind, start, head, end in _boxes(out, 0, os.fstat(out).st_size)}
    if b"moov" not in boxes or b"mdat" not in boxes:
        raise Refusal("The new film has no header.", code=Code.REBUILD_FAILED)
    start, head, end = boxes[b"moov"]
    turned: bool | None = None
    for kind, at, inner, stop in list(_boxes(out, start + head, end)):
        if kind == b"trak" and turned is None:
            turned = _turned(out, at + inner, stop)
        if kind == b"udta":
            if stop != end:
                raise Refusal("The new film's header is not as expected.", code=Code.REBUILD_FAILED)
            _cut(out, start, at, end)
    return bool(turned)


def _cut(out: int, moov: int, cut: int, end: int) -> None:
    """Ends the header at `cut` instead of `end`; the room becomes part of the padding behind it, or of nothing."""
    size = os.fstat(out).st_size
    if end == size:
        os.ftruncate(out, cut)
    else:
        kind, _, head, stop = next(_boxes(out, end, size))
        if kind != b"free":
            raise Refusal("The new film's header is not followed by padding.", code=Code.REBUILD_FAILED)
        _put(out, cut, struct.pack(">I4s", stop - cut, b"free") + b"\0" * (end - cut + head - 8))
    _put(out, moov, struct.pack(">I", cut - moov))


def _put(out: int, at: int, content: bytes) -> None:
    flow = Outflow(out)
    flow.seek(at)
    flow.write(content)


def _turned(out: int, position: int, end: int) -> bool:
    """The track header's matrix: a quarter turn has nothing on its diagonal."""
    for kind, start, head, stop in _boxes(out, position, end):
        if kind == b"tkhd":
            content = os.pread(out, min(stop - start - head, 200), start + head)
            a, b, _, c, d = struct.unpack_from(">5i", content, 40 if content[0] == 0 else 52)
            return not a and not d and bool(b and c)
    return False


def _boxes(out: int, position: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Kind, start, header length and end of each box between two offsets. Raises Refusal."""
    flow = Inflow(out)
    while position < end:
        flow.seek(position)
        head = flow.read(_HEAD)
        if len(head) < 8:
            raise Refusal("The new film ends inside a box.", code=Code.REBUILD_FAILED)
        size, kind = struct.unpack_from(">I4s", head)
        length = 8
        if size == 1:
            (size,), length = struct.unpack_from(">Q", head, 8), 16
        elif size == 0:
            size = end - position
        if size < length or position + size > end:
            raise Refusal("The new film has a box that does not fit.", code=Code.REBUILD_FAILED)
        yield kind, position, length, position + size
        position += size

"""How many frames are laced together in one block of a WebM film (RFC 9559, section 10.3). Pure.

What enters: the bytes behind an untrusted block's header. What leaves: a number of frames, 0 where the sizes do not add
up. A frame of no bytes counts as wrong: a few bytes could announce any number of them.
"""

from __future__ import annotations

_XIPH, _FIXED, _EBML = 1, 2, 3


def laced_frames(data: bytes, length: int, lacing: int) -> int:
    """The number of frames; `data` are the first bytes behind the header, `length` how many bytes there are in all."""
    if not data:
        return 0
    frames = data[0] + 1
    if lacing == _FIXED:
        return frames if length - 1 >= frames and (length - 1) % frames == 0 else 0
    sizes, used = _xiph_sizes(data, frames) if lacing == _XIPH else _ebml_sizes(data, frames)
    last = length - used - sum(sizes)
    return frames if len(sizes) == frames - 1 and min((*sizes, last)) > 0 else 0


def _xiph_sizes(data: bytes, frames: int) -> tuple[list[int], int]:
    """All sizes but the last: each a run of 255s and one byte below."""
    sizes: list[int] = []
    size = 0
    at = 1
    while len(sizes) < frames - 1 and at < len(data):
        size += data[at]
        if data[at] < 255:
            sizes.append(size)
            size = 0
        at += 1
    return sizes, at


def _ebml_sizes(data: bytes, frames: int) -> tuple[list[int], int]:
    """All sizes but the last: the first as a number, the others as differences to the one before."""
    sizes: list[int] = []
    at = 1
    while len(sizes) < frames - 1 and at < len(data) and data[at]:
        width = 9 - data[at].bit_length()
        if at + width > len(data):
            break
        value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        sizes.append(sizes[-1] + value - ((1 << (7 * width - 1)) - 1) if sizes else value)
        at += width
    return sizes, at

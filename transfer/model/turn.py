"""How a film is turned when it is shown: the matrix of its track, put right.

What enters: the nine numbers of an untrusted film's display matrix (ISO/IEC 14496-12, section 8.3.2). What leaves: a
quarter turn or mirror image in whole ones, or Refusal. Phones and cameras write nothing else; editing programs also
write sizes and places, which say nothing about one film alone and could carry anything.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from transfer.errors import Refusal
from transfer.model.findings import Code

Turn = tuple[int, int, int, int]  # a, b, c, d, each -1, 0 or 1

_UPRIGHT: Turn = (1, 0, 0, 1)
# The same as EXIF says it of a picture.
_ORIENTATIONS: Mapping[Turn, int] = MappingProxyType(
    {
        (1, 0, 0, 1): 1,
        (-1, 0, 0, 1): 2,
        (-1, 0, 0, -1): 3,
        (1, 0, 0, -1): 4,
        (0, 1, 1, 0): 5,
        (0, 1, -1, 0): 6,
        (0, -1, -1, 0): 7,
        (0, -1, 1, 0): 8,
    }
)
QUARTERS = range(5, 9)  # the orientations in which width and height change places
_ALMOST = 64  # what is 64 times smaller than the rest is a rounding error; it is less than a degree


def turn_of(side_data: Mapping[Any, Any]) -> Turn:
    """The turn, from what FFmpeg hands over beside a frame. Raises Refusal for what is none."""
    display = side_data.get("DISPLAYMATRIX")
    return straight(struct.unpack("=9i", bytes(display)[:36])) if display is not None else _UPRIGHT


def orientation(side_data: Mapping[Any, Any]) -> int:
    """The same as EXIF's number, 1 to 8; 1 also for what is no quarter turn."""
    try:
        return _ORIENTATIONS[turn_of(side_data)]
    except Refusal:
        return 1


def straight(matrix: Sequence[int]) -> Turn:
    """The quarter turn or mirror image that the matrix stands for, whatever its scale. Raises Refusal for any other."""
    a, b, u, c, d, v = matrix[:6]
    if not any((a, b, c, d)):  # never set: players show it as it is
        return _UPRIGHT
    along, across = max(abs(a), abs(d)), max(abs(b), abs(c))
    size = max(along, across)
    even = abs(abs(a) - abs(d)) * _ALMOST <= size and abs(abs(b) - abs(c)) * _ALMOST <= size
    if min(along, across) * _ALMOST > size or not even or u or v:
        raise Refusal("The film is to be shown at an angle or stretched.", code=Code.REBUILD_FAILED)
    return (_sign(a), 0, 0, _sign(d)) if along > across else (0, _sign(b), _sign(c), 0)


def moved(turn: Turn, width: int, height: int) -> tuple[int, int]:
    """How far a turned picture of this size has to be moved so that all of it is seen."""
    a, b, c, d = turn
    return width * (a < 0) + height * (c < 0), width * (b < 0) + height * (d < 0)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)

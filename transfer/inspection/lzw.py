"""How many points the codes of a GIF's picture stand for, without making the points (GIF89a, appendix F). Pure.

What enters: the packed codes of one untrusted picture. What leaves: how far they go beyond what it needs. Only lengths
are kept: a code stands for as many points as the code before it and one more. About 0.15 µs a code.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

_WIDEST = 12
_LARGEST = 1 << _WIDEST
_FIRST, _MOST = 16, 4_096  # codes that are looked at in one go: few at first, for the dictionary may not last


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What stands behind a picture's last point.

    `points` (or bytes) are still packed, `behind` bytes stand behind the packed data; `unpacked` and `rest` are the
    beginning of each, to be searched.
    """

    points: int = 0
    behind: int = 0
    runs: int = 0  # times that a dictionary was begun on the way
    unpacked: bytes = b""
    rest: bytes = b""


def unpack_lzw(packed: bytes, least: int, *, needs: int, most: int, most_runs: int) -> Unpacked | None:
    """How many points there are beyond `needs`, counted up to `most`; None where that takes more than `most_runs`.

    `least` is the code width that the picture begins with, less one. A wrong code ends it quietly: a decoder decides.
    """
    clear = 1 << least
    first = [1] * clear + [0, 0]
    total, at, runs = 0, 0, 0
    while total <= most and runs <= most_runs:
        runs += 1
        points, at, going_on = _until_cleared(packed, at, first, least + 1, most - total)
        total += points
        if not going_on:
            break
    if runs > most_runs:
        return None
    rest = packed[(at + 7) // 8 :] if needs <= total <= most else b""
    return Unpacked(points=max(total - needs, 0), behind=len(rest), runs=runs, rest=rest)


def _until_cleared(packed: bytes, at: int, first: list[int], width: int, most: int) -> tuple[int, int, bool]:
    """Reads codes from a bit on until the dictionary is emptied: the points, the next bit, whether it goes on."""
    lengths = first.copy()  # of each entry, and behind them of the one that the next code will complete
    clear, end = len(first) - 2, len(first) - 1
    total, step = 0, _FIRST
    while total <= most:
        known = len(lengths)
        # The width grows when the dictionary has as many entries as it can tell apart.
        room = min(step, _MOST if known > _LARGEST else (1 << width) + 1 - known)
        codes = _codes(packed, at, width, room)
        stop = min(_place(codes, clear), _place(codes, end))
        if known > _LARGEST:
            total += sum([lengths[code] for code in codes[:stop]])
        else:
            with suppress(IndexError):  # a code that has no meaning yet
                for code in codes[:stop]:
                    lengths.append(lengths[code] + 1)
            taken = len(lengths) - known
            total += sum(lengths[known:]) - taken
            if taken < stop:
                return total, at + taken * width, False
        if stop < len(codes):
            return total, at + (stop + 1) * width, codes[stop] == clear
        at += len(codes) * width
        if len(codes) < room:
            return total, len(packed) * 8, False
        if len(lengths) > 1 << width:
            width = min(width + 1, _WIDEST)
        step = min(4 * step, _MOST)
    return total, at, False


def _place(codes: list[int], wanted: int) -> int:
    try:
        return codes.index(wanted)
    except ValueError:
        return len(codes)


def _codes(packed: bytes, at: int, width: int, count: int) -> list[int]:
    """At most so many codes of a width from a bit on; eight of them are as many bytes as one of them has bits."""
    codes: list[int] = []
    mask, one = (1 << width) - 1, at & 7
    two, three, four = one + width, one + 2 * width, one + 3 * width
    five, six, seven, eight = four + width, four + 2 * width, four + 3 * width, four + 4 * width
    start, number = at >> 3, int.from_bytes
    for byte in range(start, min(start + -(-count // 8) * width, len(packed)), width):
        held = number(packed[byte : byte + width + 1], "little")
        codes += (
            held >> one & mask,
            held >> two & mask,
            held >> three & mask,
            held >> four & mask,
            held >> five & mask,
            held >> six & mask,
            held >> seven & mask,
            held >> eight & mask,
        )
    return codes[: min(count, (8 * len(packed) - at) // width)]

"""The tlog-tiles layout (C2SP, 5ba5ee83): file names, hash tiles, entry bundles, and hashes of ranges from tiles. Pure.

    tile/<L>/<N>[.p/<W>]         hash tile: 256 hashes (or W) of 32 bytes; level 0 holds leaf hashes, level L+1 the
                                 roots of full tiles of level L
    tile/entries/<N>[.p/<W>]     entry bundle: 256 entries (or W), each after its length as two bytes, big-endian

What enters: numbers, paths and bytes from a log directory, none of them trusted. What leaves: the same, parsed with
one accepted spelling, or Tampered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from transfer.audit.merkle import HASH_BYTES, fold, peaks_of, perfect_root
from transfer.errors import Misuse, Tampered

WIDTH = 256  # hashes of a full tile, entries of a full bundle
TILE_BYTES = WIDTH * HASH_BYTES
MAX_ENTRY_BYTES = 65_535
MAX_LEVEL = 7  # a log of 2**63 entries needs no more

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One file: `level` -1 is an entry bundle, 0 and up a hash tile; `width` 256 is full, 1 to 255 partial."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The file's path below the log's folder, such as `tile/0/x001/000.p/17`."""
        level = "entries" if self.level == BUNDLE else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{_grouped(self.index)}{partial}"

    @property
    def end(self) -> int:
        """The size of the smallest log that has this tile."""
        return (self.index * WIDTH + self.width) << (8 * max(self.level, 0))


BUNDLE = -1


def parse_tile_path(untrusted: str) -> Tile:
    """The inverse of `Tile.path`. Raises Tampered for any other spelling."""
    match = _PATH.fullmatch(untrusted)
    if match is not None:
        level, grouped, width = match.groups()
        tile = Tile(
            level=BUNDLE if level == "entries" else int(level),
            index=int(grouped.replace("x", "").replace("/", "")),
            width=WIDTH if width is None else int(width),
        )
        if tile.level <= MAX_LEVEL and 0 < tile.width <= WIDTH and tile.path == untrusted:
            return tile
    raise Tampered(f"{untrusted[:200]!a} is not the name of a file of a log.")


def tile_widths(level: int, size: int) -> tuple[int, int]:
    """How many full tiles a level of a log of `size` entries has, and the width of the partial one (0: none)."""
    return divmod(size >> (8 * max(level, 0)), WIDTH)


def tiles_of(size: int) -> Iterator[Tile]:
    """The hash tiles of a log of `size` entries, level by level, full ones first."""
    for level in range(MAX_LEVEL + 1):
        full, partial = tile_widths(level, size)
        yield from (Tile(level, index) for index in range(full))
        if partial:
            yield Tile(level, full, partial)


def tiles_between(level: int, old: int, new: int) -> Iterator[Tile]:
    """The tiles (or, at level -1, bundles) of one level that a log of `new` entries has and one of `old` had not."""
    if (old >> (8 * max(level, 0))) == (new >> (8 * max(level, 0))):
        return
    full, partial = tile_widths(level, new)
    yield from (Tile(level, index) for index in range(tile_widths(level, old)[0], full))
    if partial:
        yield Tile(level, full, partial)


def render_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries of a bundle, each after its length. Raises Misuse for an entry of more than 65,535 bytes."""
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise Misuse(f"An entry of {len(entry)} bytes does not fit the log; the limit is {MAX_ENTRY_BYTES}.")
        parts.append(len(entry).to_bytes(2, "big"))
        parts.append(entry)
    return b"".join(parts)


def parse_bundle(untrusted: bytes, width: int) -> list[bytes]:
    """Exactly `width` entries and nothing after them. Raises Tampered."""
    entries: list[bytes] = []
    start, length = 0, len(untrusted)
    while start < length and len(entries) < width:
        body = start + 2
        end = body + (untrusted[start] << 8 | untrusted[body - 1] if body <= length else length)
        if end > length:
            raise Tampered(f"The bundle ends inside its entry {len(entries)}.")
        entries.append(untrusted[body:end])
        start = end
    if len(entries) != width or start != length:
        raise Tampered(f"The bundle does not hold exactly {width} entries.")
    return entries


def parse_hashes(untrusted: bytes, width: int) -> list[bytes]:
    """The hashes of a tile of this width. Raises Tampered for any other length."""
    if len(untrusted) != width * HASH_BYTES:
        raise Tampered(f"The tile has {len(untrusted)} bytes instead of {width * HASH_BYTES}.")
    return [untrusted[i : i + HASH_BYTES] for i in range(0, len(untrusted), HASH_BYTES)]


def edge_root(edge: Sequence[Sequence[bytes]]) -> bytes:
    """The root of a log from the hashes of its partial tiles, level 0 first (an empty list where there is none)."""
    peaks: list[bytes] = []
    for hashes in reversed(edge):
        peaks.extend(peaks_of(hashes))
    return fold(peaks)


def range_hash(start: int, end: int, hashes: Callable[[int, int, int], Sequence[bytes]]) -> bytes:
    """MTH(D[start:end]) for a range that RFC 6962 splits into.

    `hashes(level, first, count)` gives `count` hashes of a level from number `first` on; they never cross a tile.
    """
    peaks: list[bytes] = []
    while end - start > 0:
        height = (end - start).bit_length() - 1
        level, within = divmod(height, 8)
        peaks.append(perfect_root(hashes(level, start >> (8 * level), 1 << within)))
        start += 1 << height
    return fold(peaks)


def _grouped(index: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])

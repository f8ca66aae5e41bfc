"""One pass over a whole log: every entry hashed, every recorded hash compared, every claimed root checked.

What enters: a reader and claims about roots. What leaves: the entries, bundle by bundle, once they agree with
everything recorded about them; or Tampered with the one place that does not agree. Memory does not grow with the log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from hashlib import sha256

from transfer.audit.merkle import HASH_BYTES, perfect_root
from transfer.audit.reader import Claim, LogReader, Survey
from transfer.audit.tiles import BUNDLE, MAX_LEVEL, WIDTH, Tile, edge_root, parse_hashes, tile_widths
from transfer.errors import Tampered


class Walk:
    """One walk. `signed` is the claim of the checkpoint, against which contradictions are judged."""

    def __init__(self, reader: LogReader, survey: Survey, *, signed: Claim | None, claims: Sequence[Claim]) -> None:
        self._reader = reader
        self._survey = survey
        self._signed = signed
        self._claims = sorted(claims, key=lambda claim: claim.size)
        self._edge: list[list[bytes]] = [[] for _ in range(MAX_LEVEL + 2)]
        self._extras: dict[tuple[int, int], set[int]] = {}
        for tile in survey.extras:
            self._extras.setdefault((tile.level, tile.index), set()).add(tile.width)
        self.entries_checked = 0
        self.tiles_checked = 0

    def bundles(self) -> Iterator[tuple[int, list[bytes]]]:
        """The number of each bundle's first entry, and its entries. Raises Tampered."""
        end = self._survey.end
        self._check_claims(0, [])
        for index in range(-(-end // WIDTH)):
            first = index * WIDTH
            entries = self._reader.entries(index, min(WIDTH, end - first))
            self._compare_entries(index, entries)
            hashes = [sha256(b"\x00" + entry).digest() for entry in entries]
            self._compare(0, index, hashes)
            if len(hashes) < WIDTH:
                self._check_claims(first, hashes)
            else:
                self._check_claims(first, hashes[:-1])
                self._push(1, index // WIDTH, hashes)
                self._check_claims(first + WIDTH, [])
            self.entries_checked += len(entries)
            yield first, entries
        for level in range(1, MAX_LEVEL + 1):
            if self._edge[level]:
                self._compare(level, (end >> (8 * level)) // WIDTH, self._edge[level])
        self._check_nothing_is_left()

    def _push(self, level: int, index: int, hashes_below: list[bytes]) -> None:
        """Hands the root of a full tile to the one above it, number `index` of `level`."""
        tile = self._edge[level]
        tile.append(perfect_root(hashes_below))
        if len(tile) == WIDTH:
            self._compare(level, index, tile)
            self._push(level + 1, index // WIDTH, tile)
            self._edge[level] = []

    def _check_claims(self, first: int, hashes: list[bytes]) -> None:
        """Claims about sizes up to `first` and the number of these hashes, which are not in the edge."""
        while self._claims and self._claims[0].size <= first + len(hashes):
            claim = self._claims.pop(0)
            if edge_root([hashes[: claim.size - first], *self._edge[1:]]) != claim.root:
                blamed = self._blame_tile(claim.size)
                if blamed is not None:
                    raise blamed
                raise Tampered(f"The first {claim.size} entries do not have the root that {claim.who} states.")

    def _compare_entries(self, index: int, entries: list[bytes]) -> None:
        for width in self._widths(BUNDLE, index, len(entries)) - {len(entries)}:
            recorded = self._reader.entries(index, width)
            if recorded != entries[:width]:
                differing = next(j for j, entry in enumerate(recorded) if entry != entries[j])
                one, other = Tile(BUNDLE, index, width), Tile(BUNDLE, index, len(entries))
                raise Tampered(
                    f"{self._reader.name(one)} and {self._reader.name(other)} do not agree "
                    f"about entry {index * WIDTH + differing}."
                )
        self.tiles_checked += 1

    def _compare(self, level: int, index: int, hashes: list[bytes]) -> None:
        made = b"".join(hashes)
        for width in self._widths(level, index, len(hashes)):
            recorded = self._reader.hashes(level, index, width)
            if recorded != made[: width * HASH_BYTES]:
                raise self._contradiction(Tile(level, index, width), recorded, made)
            self.tiles_checked += 1

    def _widths(self, level: int, index: int, there: int) -> set[int]:
        """Which widths of this tile must be compared: the needed one, and all that were found."""
        widths = self._extras.pop((level, index), set())
        beyond = [width for width in widths if width > there]
        if beyond:
            raise self._misplaced(Tile(level, index, beyond[0]))
        full, partial = tile_widths(level, self._survey.needed)
        if index < full:
            widths.add(WIDTH)
        elif index == full and partial:
            widths.add(partial)
        return widths

    def _check_nothing_is_left(self) -> None:
        for (level, index), widths in self._extras.items():
            raise self._misplaced(Tile(level, index, min(widths)))
        for claim in self._claims:
            raise Tampered(f"{claim.who} states a size of {claim.size}, but there are {self._survey.end} entries.")

    def _misplaced(self, tile: Tile) -> Tampered:
        return Tampered(
            f"{self._reader.name(tile)} has no place in a log of {self._survey.end} entries.",
            advice="Find out who put it there, keep a copy of it, and take it away.",
        )

    def _blame_tile(self, size: int) -> Tampered | None:
        """When a root is wrong: the lowest unfinished tile that does not fit the entries, if one can be read."""
        for level, hashes in enumerate(self._edge):
            index = (size >> (8 * level)) // WIDTH
            full, partial = tile_widths(level, self._survey.needed)
            width = WIDTH if index < full else partial
            if level == 0 or not hashes or len(hashes) > width:
                continue
            made = b"".join(hashes)
            with contextlib.suppress(Tampered):
                recorded = self._reader.hashes(level, index, width)
                if recorded[: len(made)] != made:
                    return self._contradiction(Tile(level, index, width), recorded, made)
        return None

    def _contradiction(self, tile: Tile, recorded: bytes, made: bytes) -> Tampered:
        """Says which side was changed, as far as the signed root can tell."""
        differing = next(
            j for j in range(len(made) // 32) if recorded[j * 32 : j * 32 + 32] != made[j * 32 : j * 32 + 32]
        )
        step = WIDTH**tile.level
        first = (tile.index * WIDTH + differing) * step
        called = self._reader.name(tile)
        if self._signed is None or first >= self._signed.size:
            return Tampered(f"From entry {first} on, the entries do not have the hashes in {called}.")
        if not self._is_signed(tile, recorded, self._signed):
            return Tampered(
                f"From entry {first} on, the entries do not have the hashes in {called}, "
                "and those are not the ones that were signed."
            )
        if tile.level == 0:
            return Tampered(f"Entry {first} is not what was signed: it does not have its hash in {called}.")
        return Tampered(f"Entries {first} to {first + step - 1} are not what was signed: they do not fit {called}.")

    def _is_signed(self, tile: Tile, recorded: bytes, signed: Claim) -> bool:
        """Whether the recorded tile leads, through the recorded tiles above it, to the signed root."""
        size, level, index = signed.size, tile.level, tile.index
        hashes = parse_hashes(recorded, tile.width)
        try:
            while index < tile_widths(level, size)[0]:
                full, partial = tile_widths(level + 1, size)
                width = WIDTH if index // WIDTH < full else partial
                above = parse_hashes(self._reader.hashes(level + 1, index // WIDTH, width), width)
                if len(hashes) != WIDTH or above[index % WIDTH] != perfect_root(hashes):
                    return False
                hashes, level, index = above, level + 1, index // WIDTH
            if index != tile_widths(level, size)[0]:
                return False
            edge = [self._edge_tile(level, size) for level in range(MAX_LEVEL + 1)]
            return edge[level][: len(hashes)] == hashes[: len(edge[level])] and edge_root(edge) == signed.root
        except Tampered:
            return False

    def _edge_tile(self, level: int, size: int) -> list[bytes]:
        full, partial = tile_widths(level, size)
        return parse_hashes(self._reader.hashes(level, full, partial), partial) if partial else []

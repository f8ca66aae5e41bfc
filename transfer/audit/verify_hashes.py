"""A sealed shard whose entries were pruned: what can still be verified of it, which is every hash.

What enters: a reader of a log without entries, and its keys. What leaves: a report, or Tampered with the tile or the
signature that does not fit. Whoever holds an entry or a receipt of it can still prove that it was there.
"""

from __future__ import annotations

from collections.abc import Sequence

from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.merkle import HASH_BYTES, perfect_root
from transfer.audit.notes import Verifier
from transfer.audit.reader import LogReader
from transfer.audit.tiles import BUNDLE, MAX_LEVEL, WIDTH, Tile, edge_root, parse_hashes, tile_widths
from transfer.audit.verify import VerifyReport
from transfer.errors import NotSo, Tampered


def verify_hashes(reader: LogReader, verifiers: Sequence[Verifier]) -> VerifyReport:
    """Every tile from the recorded hashes of the entries up to the signed root. Raises Tampered, NotSo."""
    note = reader.checkpoint()
    if note is None:
        raise NotSo("There is nothing to verify: no checkpoint is there.")
    try:
        opened = open_checkpoint(note, verifiers)
    except Tampered as error:
        raise Tampered(f"The checkpoint is not what the log's key signed: {error.sentence}") from error
    checkpoint = opened.checkpoint
    own = reader.own_key()
    if own is not None and own not in verifiers:
        raise Tampered("log.vkey is not the key that signed the checkpoint.")
    survey = reader.survey(checkpoint.size)
    tiles = _Tiles(reader, checkpoint.size)
    if tiles.root() != checkpoint.root:
        raise Tampered(f"The recorded hashes of the {checkpoint.size} entries do not have the root that was signed.")
    for tile in survey.extras:
        tiles.compare(tile)
    return VerifyReport(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        entries_checked=0,
        tiles_checked=tiles.checked,
        signatures_checked=tuple(signature.name for signature in opened.verified),
        signatures_unknown=opened.unknown,
        unpublished=0,
        unfinished=len(survey.unfinished),
        pinned=None,
        statements_checked=False,
        first_at="",
        last_at="",
    )


class _Tiles:
    """One walk over the hashes. `checked` counts the tiles that were compared with those below them."""

    def __init__(self, reader: LogReader, size: int) -> None:
        self._reader = reader
        self._size = size
        self._edge: list[list[bytes]] = [[] for _ in range(MAX_LEVEL + 2)]
        self.checked = 0

    def root(self) -> bytes:
        """What the hashes of the entries make. Raises Tampered for a tile that is missing or does not fit."""
        full, partial = tile_widths(0, self._size)
        for index in range(full):
            self._push(1, index // WIDTH, parse_hashes(self._reader.hashes(0, index, WIDTH), WIDTH))
        last = parse_hashes(self._reader.hashes(0, full, partial), partial) if partial else []
        self.checked += full + bool(partial)
        for level in range(1, MAX_LEVEL + 1):
            if self._edge[level]:
                self._fits(level, (self._size >> (8 * level)) // WIDTH, self._edge[level])
        return edge_root([last, *self._edge[1:]])

    def compare(self, tile: Tile) -> None:
        """A narrower tile that lies beside the whole one must begin as it does; entries have no place any more."""
        full, partial = tile_widths(tile.level, self._size) if tile.level != BUNDLE else (0, 0)
        width = WIDTH if tile.index < full else partial if tile.index == full else 0
        if tile.width > width:
            raise Tampered(f"{self._reader.name(tile)} has no place in a log of {self._size} entries that was pruned.")
        whole = self._reader.hashes(tile.level, tile.index, width)
        if self._reader.hashes(tile.level, tile.index, tile.width) != whole[: tile.width * HASH_BYTES]:
            raise Tampered(f"{self._reader.name(tile)} is not the beginning of the whole tile.")

    def _push(self, level: int, index: int, below: list[bytes]) -> None:
        tile = self._edge[level]
        tile.append(perfect_root(below))
        if len(tile) == WIDTH:
            self._fits(level, index, tile)
            self._push(level + 1, index // WIDTH, tile)
            self._edge[level] = []

    def _fits(self, level: int, index: int, made: list[bytes]) -> None:
        if self._reader.hashes(level, index, len(made)) != b"".join(made):
            name = self._reader.name(Tile(level, index, len(made)))
            raise Tampered(f"{name} is not what the hashes below it make.")
        self.checked += 1

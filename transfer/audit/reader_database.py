"""The log as the database holds it: the truth, read in one consistent view.

What enters: an open transaction. What leaves: leaves and recorded hashes. The rows are not trusted: every recorded hash
is compared with what the leaves make.
"""

from __future__ import annotations

from transfer.audit.merkle import HASH_BYTES, Frontier
from transfer.audit.notes import Ed25519Verifier
from transfer.audit.reader import Claim, Survey
from transfer.audit.tiles import BUNDLE, WIDTH, Tile
from transfer.errors import Tampered
from transfer.model.facets import Facets
from transfer.store import journal, journal_index
from transfer.store.database import ReadTx


class DatabaseReader:
    """A LogReader over one transaction; use it within the transaction's `with` block."""

    def __init__(self, tx: ReadTx) -> None:
        self._tx = tx
        self.head = journal.head(tx)

    def checkpoint(self) -> bytes | None:
        """The newest one that was signed, published or not."""
        return self.head.signed_note.encode() or None

    def own_key(self) -> Ed25519Verifier | None:
        """None: the key lies elsewhere."""
        return None

    def survey(self, size: int) -> Survey:
        """All rows there are; every one of them must have its hash."""
        if journal.leaves(self._tx, self.head.size, self.head.size + 1):
            raise Tampered(
                f"The database has more entries than the {self.head.size} that its right edge of the tree counts."
            )
        surplus = journal_index.surplus(self._tx, self.head.size)
        if surplus is not None:
            raise Tampered(
                f"The database's index tells of an entry {surplus}; there are {self.head.size} entries.",
                advice="`transfer audit reindex` makes it again from the entries.",
            )
        return Survey(end=max(size, self.head.size), needed=max(size, self.head.size))

    def claims(self) -> tuple[Claim, ...]:
        """The right edge, from which the next signature would be made."""
        root = Frontier.from_bytes(self.head.size, self.head.peaks).root()
        return (Claim(size=self.head.size, root=root, who="the database's right edge of the tree"),)

    def entries(self, index: int, width: int) -> list[bytes]:
        """Raises Tampered if one is missing."""
        leaves = journal.leaves(self._tx, index * WIDTH, index * WIDTH + width)
        if len(leaves) != width:
            raise Tampered(f"Of the entries {index * WIDTH} to {index * WIDTH + width - 1} the database lacks some.")
        return leaves

    def hashes(self, level: int, index: int, width: int) -> bytes:
        """Raises Tampered if one is missing."""
        recorded = journal.hashes(self._tx, level, index * WIDTH, width)
        if len(recorded) != width or any(len(value) != HASH_BYTES for value in recorded):
            raise Tampered(f"Of {self.name(Tile(level, index, width))}, some are missing or damaged.")
        return b"".join(recorded)

    def index(self, first: int, end: int) -> dict[int, Facets]:
        """The rows by which entries are found. Raises Tampered if one is missing."""
        rows = journal_index.facets(self._tx, first, end)
        if len(rows) != end - first:
            raise Tampered(f"The database's index lacks some of the entries {first} to {end - 1}.")
        return rows

    def name(self, tile: Tile) -> str:
        """The rows by their numbers."""
        first = tile.index * WIDTH
        what = {BUNDLE: "entries", 0: "recorded hashes of the entries"}
        called = what.get(tile.level, f"tree nodes of level {tile.level}")
        return f"the database's {called} {first} to {first + tile.width - 1}"

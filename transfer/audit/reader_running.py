"""The log of a database that others go on writing to, read a little at a time.

What enters: a database. What leaves: the log as it was when the reader was made. Entries never change and are never
taken away, so pieces that were read one after the other make one view; and no piece holds up the write-ahead log, which
cannot be emptied beyond what somebody still reads. `pace` is called between pieces, by whoever must not be in the way.
"""

from __future__ import annotations

from collections.abc import Callable

from transfer.audit.notes import Ed25519Verifier
from transfer.audit.reader import Claim, LogReader, Survey
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.tiles import Tile
from transfer.model.facets import Facets
from transfer.store.database import Database


def no_pace() -> None:
    """Without any wait."""


class RunningReader:
    """A LogReader over many short transactions."""

    def __init__(self, db: Database, pace: Callable[[], None] = no_pace) -> None:
        self._db = db
        self._pace = pace
        with db.read() as tx:
            reader = DatabaseReader(tx)
            self.head = reader.head
            self._checkpoint = reader.checkpoint()
            self._claims = reader.claims()
            self._survey = reader.survey(0)

    def checkpoint(self) -> bytes | None:
        """The newest one that was signed at that time."""
        return self._checkpoint

    def own_key(self) -> Ed25519Verifier | None:
        """None: the key lies elsewhere."""
        return None

    def survey(self, size: int) -> Survey:
        """All rows there were."""
        return Survey(end=max(size, self._survey.end), needed=max(size, self._survey.needed))

    def claims(self) -> tuple[Claim, ...]:
        """The right edge at that time."""
        return self._claims

    def entries(self, index: int, width: int) -> list[bytes]:
        """Raises Tampered if one is missing."""
        self._pace()
        with self._db.read() as tx:
            return DatabaseReader(tx).entries(index, width)

    def hashes(self, level: int, index: int, width: int) -> bytes:
        """Raises Tampered if one is missing."""
        with self._db.read() as tx:
            return DatabaseReader(tx).hashes(level, index, width)

    def index(self, first: int, end: int) -> dict[int, Facets]:
        """The rows by which entries are found. Raises Tampered if one is missing."""
        with self._db.read() as tx:
            return DatabaseReader(tx).index(first, end)

    def name(self, tile: Tile) -> str:
        """The rows by their numbers."""
        with self._db.read() as tx:
            return DatabaseReader(tx).name(tile)


class PacedReader:
    """Another reader, with a pause before each bundle."""

    def __init__(self, reader: LogReader, pace: Callable[[], None]) -> None:
        self._reader = reader
        self._pace = pace
        self.checkpoint = reader.checkpoint
        self.own_key = reader.own_key
        self.survey = reader.survey
        self.claims = reader.claims
        self.hashes = reader.hashes
        self.index = reader.index
        self.name = reader.name

    def entries(self, index: int, width: int) -> list[bytes]:
        """After the pause."""
        self._pace()
        return self._reader.entries(index, width)

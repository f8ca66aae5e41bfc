"""What verifying needs of a log, wherever it lies: a folder, a database, later a pack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from transfer.audit.notes import Ed25519Verifier
from transfer.audit.tiles import Tile
from transfer.model.facets import Facets


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody's word about the log: its first `size` entries have this root. `who` reads well after «what»."""

    size: int
    root: bytes
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is of a log whose checkpoint says `size`.

    `end` counts the entries with those after the checkpoint; everything up to `needed` must have its hashes recorded;
    `extras` are files that a log of this size may have but need not: each must still agree with the entries.
    `unfinished` are the paths of files whose writing a crash cut short.
    """

    end: int
    needed: int
    extras: frozenset[Tile] = frozenset()
    unfinished: tuple[str, ...] = ()


class LogReader(Protocol):
    """Reads; never writes. Every method raises Tampered for what is missing or malformed, Unavailable for the disk."""

    def checkpoint(self) -> bytes | None:
        """The signed checkpoint as it lies there; None if there is none."""
        ...

    def own_key(self) -> Ed25519Verifier | None:
        """The verifier key that lies beside it; a convenience, never a reason to believe the log."""
        ...

    def survey(self, size: int) -> Survey:
        """Looks at everything there is; what has no place in any log is Tampered."""
        ...

    def claims(self) -> tuple[Claim, ...]:
        """What the place itself says about its entries, beyond the checkpoint."""
        ...

    def entries(self, index: int, width: int) -> list[bytes]:
        """The first `width` entries of bundle number `index`."""
        ...

    def hashes(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile, one after the other."""
        ...

    def index(self, first: int, end: int) -> Mapping[int, Facets] | None:
        """What an index kept beside the entries says about each of them, by number; None where there is no index."""
        ...

    def name(self, tile: Tile) -> str:
        """How a sentence calls it."""
        ...

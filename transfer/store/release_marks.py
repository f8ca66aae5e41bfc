"""By what a release folder in OneDrive tells our files from anything else there, put together out of our own rows.

What enters: rows of releases and versions of the manifest. What leaves: a `DriveMark` for each, or None where the hash
was never written down: the guard of such a folder lets nothing stand under that name then.

The item's id counts only while a file of ours is recorded to stand there. One that is on its way becomes another item
than the one that may have stood under its name before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import select

from transfer.model.drive import DriveMark
from transfer.model.identifiers import Sha256
from transfer.model.media import Format
from transfer.store.database import ReadTx
from transfer.store.onedrive_tables import ONEDRIVE_PLACEMENT
from transfer.store.releases import ReleaseRow, ReleaseState

_THERE = frozenset({ReleaseState.PRESENT, ReleaseState.LEAVING})


class ReleaseMarks:
    """Makes marks. `quickxor` is the hash of a text of ours, in base64. Every method takes its transaction."""

    def __init__(self, *, quickxor: Callable[[bytes], str]) -> None:
        self._quickxor = quickxor

    def of(self, tx: ReadTx, row: ReleaseRow) -> DriveMark | None:
        """One release's."""
        return _mark(row, _items(tx, [row.name_sha256]))

    def of_all(self, tx: ReadTx, rows: Iterable[ReleaseRow]) -> list[DriveMark | None]:
        """One for each, in their order."""
        items = _items(tx, None)
        return [_mark(row, items) for row in rows]

    def of_note(self, tx: ReadTx, name_sha256: Sha256, note: bytes, *, placed: bool) -> DriveMark:
        """The manifest's, in the version with this content."""
        item = _items(tx, [name_sha256]).get(name_sha256) if placed else None
        return DriveMark(quickxor=self._quickxor(note), jpeg=False, item=item)


def _mark(row: ReleaseRow, items: dict[Sha256, str]) -> DriveMark | None:
    if row.quickxor is None:
        return None
    item = items.get(row.name_sha256) if row.state in _THERE else None
    return DriveMark(quickxor=row.quickxor, jpeg=row.media_type == Format.JPEG.value, item=item)


def _items(tx: ReadTx, names: Iterable[Sha256] | None) -> dict[Sha256, str]:
    """Which item of the drive stands under the names with these digests, or under every name."""
    query = select(ONEDRIVE_PLACEMENT.c.name_sha256, ONEDRIVE_PLACEMENT.c.drive_item)
    if names is not None:
        query = query.where(ONEDRIVE_PLACEMENT.c.name_sha256.in_(list(names)))
    return {Sha256(name): item for name, item in tx.connection.execute(query)}

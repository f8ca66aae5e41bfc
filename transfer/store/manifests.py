"""The release manifest's versions and the reports of the guard that were taken in: two small tables.

A manifest is stored signed before it is published, so that no number ever stands for two texts. Of reports only the
identifier is kept: one that comes again after a crash is the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.identifiers import Sha256
from transfer.store.database import ReadTx, WriteTx
from transfer.store.release_tables import GUARD_REPORT, MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One version. `listing_sha256` is of what it lists, without number and time; `placed` once it was published."""

    number: int
    sha256: Sha256
    listing_sha256: Sha256
    note: bytes
    temporary: str
    placed: bool


class Manifests:
    """The last published version and, during a change, the one to come."""

    def latest(self, tx: ReadTx) -> ManifestRow | None:
        """The one with the highest number."""
        rows = self.current(tx)
        return rows[-1] if rows else None

    def current(self, tx: ReadTx) -> list[ManifestRow]:
        """At most two, oldest first: the published one and the one about to be."""
        found = tx.connection.execute(select(MANIFEST).order_by(MANIFEST.c.number.desc()).limit(2)).all()
        return [
            ManifestRow(
                number=row.number,
                sha256=Sha256(row.sha256),
                listing_sha256=Sha256(row.listing_sha256),
                note=row.note,
                temporary=row.temporary,
                placed=bool(row.placed),
            )
            for row in reversed(found)
        ]

    def intend(self, tx: WriteTx, row: ManifestRow) -> None:
        """A new version, signed and not yet published."""
        tx.connection.execute(
            insert(MANIFEST).values(
                number=row.number,
                sha256=row.sha256,
                listing_sha256=row.listing_sha256,
                note=row.note,
                temporary=row.temporary,
                placed=0,
            )
        )

    def placed(self, tx: WriteTx, number: int) -> None:
        """It is published; older ones are dropped."""
        tx.connection.execute(update(MANIFEST).where(MANIFEST.c.number == number).values(placed=1))
        tx.connection.execute(delete(MANIFEST).where(MANIFEST.c.number < number))

    def unplaced(self, tx: WriteTx, number: int) -> None:
        """It is to be published again: what stood there was altered or removed."""
        tx.connection.execute(update(MANIFEST).where(MANIFEST.c.number == number).values(placed=0))


class Reports:
    """Which reports of the guard have been taken in."""

    def first_time(self, tx: WriteTx, report: str) -> bool:
        """True once for each identifier; the transaction makes it durable."""
        row = upsert(GUARD_REPORT).values(id=report).on_conflict_do_nothing()
        return tx.connection.execute(row).rowcount == 1

"""What stands in a release folder in OneDrive by our hand: which item, with which hash, what the service says of it.

    pending ─▶ verified                        the service reports the hash of what was sent
       ├─────▶ service-modified                it has rewritten a picture, as document libraries do with some
       └─────▶ mismatch                        it has something else: taken back

What enters: what was sent and what the service answered. What leaves: the item's id, by which it is taken back, and
which rows are to be looked at again. Each change of the echo is an entry in the log, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import parse_time, render_time
from transfer.model.events import Event
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.media import Format
from transfer.store.database import ReadTx, Recorder, WriteTx
from transfer.store.onedrive_tables import ONEDRIVE_PLACEMENT
from transfer.store.release_tables import RELEASE


class Echo(StrEnum):
    """What the service says of the bytes it has."""

    PENDING = "pending"  # nothing yet
    VERIFIED = "verified"
    SERVICE_MODIFIED = "service-modified"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRow:
    """One file of ours. `sha256`, `size` and `quickxor` are of what was sent; `next_check` None: it is left alone."""

    name_sha256: Sha256
    item: ItemId | None
    drive_item: str
    etag: str | None
    format: Format | None
    sha256: Sha256
    size: int
    quickxor: str
    echo: Echo
    placed_at: datetime
    next_check: datetime | None


class Placements:
    """The rows of all files of ours. Every method takes the transaction it belongs to."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def place(self, tx: WriteTx, row: PlacementRow, event: Event | None) -> None:
        """It stands there, in place of what stood there under this name before."""
        values = {
            "item": row.item,
            "drive_item": row.drive_item,
            "etag": row.etag,
            "media_type": "" if row.format is None else row.format.value,
            "sha256": row.sha256,
            "size": row.size,
            "quickxor": row.quickxor,
            "echo": row.echo.value,
            "placed_at": render_time(row.placed_at),
            "next_check": None if row.next_check is None else render_time(row.next_check),
        }
        statement = upsert(ONEDRIVE_PLACEMENT).values(name_sha256=row.name_sha256, **values)
        tx.connection.execute(statement.on_conflict_do_update(index_elements=["name_sha256"], set_=values))
        if event is not None:
            self._recorder.append(tx, event)

    def checked(
        self,
        tx: WriteTx,
        name_sha256: Sha256,
        *,
        echo: Echo,
        etag: str | None,
        next_check: datetime | None,
        event: Event | None,
    ) -> None:
        """It was looked at again; the event says what is new about it."""
        values = {
            "echo": echo.value,
            "etag": etag,
            "next_check": None if next_check is None else render_time(next_check),
        }
        row = update(ONEDRIVE_PLACEMENT).where(ONEDRIVE_PLACEMENT.c.name_sha256 == name_sha256)
        tx.connection.execute(row.values(**values))
        if event is not None:
            self._recorder.append(tx, event)

    def removed(self, tx: WriteTx, name_sha256: Sha256) -> None:
        """It was taken back."""
        tx.connection.execute(delete(ONEDRIVE_PLACEMENT).where(ONEDRIVE_PLACEMENT.c.name_sha256 == name_sha256))

    def find(self, tx: ReadTx, name_sha256: Sha256) -> PlacementRow | None:
        """What stands under the name with this digest."""
        return self._one(tx, ONEDRIVE_PLACEMENT.c.name_sha256, name_sha256)

    def by_drive_item(self, tx: ReadTx, drive_item: str) -> PlacementRow | None:
        """What this item of the drive is."""
        return self._one(tx, ONEDRIVE_PLACEMENT.c.drive_item, drive_item)

    def due(self, tx: ReadTx, now: datetime, *, limit: int) -> list[PlacementRow]:
        """What is to be looked at again by now, longest due first."""
        due = ONEDRIVE_PLACEMENT.c.next_check
        query = select(ONEDRIVE_PLACEMENT).where(due.is_not(None), due <= render_time(now)).order_by(due).limit(limit)
        return [_row(found) for found in tx.connection.execute(query)]

    def in_echo(self, tx: ReadTx, echoes: Sequence[Echo]) -> list[PlacementRow]:
        """Files of which the service says one of these."""
        wanted = [echo.value for echo in echoes]
        query = select(ONEDRIVE_PLACEMENT).where(
            ONEDRIVE_PLACEMENT.c.echo.in_(wanted), ONEDRIVE_PLACEMENT.c.echo != Echo.VERIFIED.value
        )
        return [_row(found) for found in tx.connection.execute(query.order_by(ONEDRIVE_PLACEMENT.c.placed_at))]

    def unplaced(self, tx: ReadTx, *, limit: int) -> list[ItemId]:
        """Releases that stand there and whose item is not known: a crash, or a database restored from a backup."""
        known = ONEDRIVE_PLACEMENT.c.name_sha256 == RELEASE.c.name_sha256
        query = select(RELEASE.c.item).outerjoin(ONEDRIVE_PLACEMENT, known).order_by(RELEASE.c.number).limit(limit)
        missing = query.where(RELEASE.c.state == "present", ONEDRIVE_PLACEMENT.c.name_sha256.is_(None))
        return [ItemId(item) for item in tx.connection.scalars(missing)]

    def _one(self, tx: ReadTx, column: object, value: str) -> PlacementRow | None:
        found = tx.connection.execute(select(ONEDRIVE_PLACEMENT).where(column == value)).first()  # type: ignore[arg-type]
        return None if found is None else _row(found)


def look_again(tx: WriteTx, name_sha256: Sha256, at: datetime) -> None:
    """The guard says that the service changed what stands under the name with this digest: a look at it is due."""
    row = update(ONEDRIVE_PLACEMENT).where(ONEDRIVE_PLACEMENT.c.name_sha256 == name_sha256)
    tx.connection.execute(row.values(next_check=render_time(at)))


def _row(found: Row[tuple[object, ...]]) -> PlacementRow:
    values = found._mapping  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping
    next_check = values["next_check"]
    return PlacementRow(
        name_sha256=Sha256(values["name_sha256"]),
        item=None if values["item"] is None else ItemId(values["item"]),
        drive_item=values["drive_item"],
        etag=values["etag"],
        format=Format(values["media_type"]) if values["media_type"] else None,
        sha256=Sha256(values["sha256"]),
        size=values["size"],
        quickxor=values["quickxor"],
        echo=Echo(values["echo"]),
        placed_at=parse_time(values["placed_at"]),
        next_check=None if next_check is None else parse_time(next_check),
    )

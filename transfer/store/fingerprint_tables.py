"""The tables of what released files look like; `store.fingerprints` reads and writes them."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Index, Integer, Table, Text, insert, select, text

from transfer.model.media import Family, Format
from transfer.store.items import ITEM
from transfer.store.release_tables import RELEASE
from transfer.store.schema import METADATA

FINGERPRINT = Table(
    "fingerprint",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("item", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("quality", Integer, nullable=False),
    # Items up to this one had arrived when it was released: none of them can be a copy of what lies over there.
    Column("arrived_before", Integer, nullable=False),
    sqlite_strict=True,
)
Index("fingerprint_by_item", FINGERPRINT.c.item)

# Released, and nobody has looked yet at what they look like.
FINGERPRINT_DUE = Table(
    "fingerprint_due",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("arrived_before", Integer, nullable=False),
    sqlite_with_rowid=False,
    sqlite_strict=True,
)

PICTURED = tuple(form.value for form in Format if form.family is not Family.TEXT)


def create_fingerprint_tables(connection: Connection) -> None:
    """In a database that had none: all that was ever released is due, and older than whatever arrives from now on."""
    for table in (FINGERPRINT, FINGERPRINT_DUE):
        table.create(connection)
    released = select(RELEASE.c.item, ITEM.c.seq).join(ITEM, ITEM.c.item == RELEASE.c.item)
    released = released.where(RELEASE.c.released_at.is_not(None), RELEASE.c.media_type.in_(PICTURED))
    connection.execute(insert(FINGERPRINT_DUE).from_select(["item", "arrived_before"], released))


def drop_fingerprint_parts(connection: Connection) -> None:
    """The index that they were once searched by goes, where there is one."""
    connection.execute(text("DROP TABLE IF EXISTS fingerprint_part"))

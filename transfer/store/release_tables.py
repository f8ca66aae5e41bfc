"""The tables of releases, of the manifest's versions and of the guard's reports; `store.releases` and
`store.manifests` read and write them."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Index, Integer, LargeBinary, Table, Text, text

from transfer.store.schema import METADATA

RELEASE = Table(
    "release",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),
    Column("name_sha256", Text, nullable=False, unique=True),
    Column("temporary", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("campaign", Text),
    Column("device", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("released_at", Text),
    Column("was_there", Integer, nullable=False, default=0),
    Column("quickxor", Text),  # of what went to a folder in OneDrive
    sqlite_strict=True,
)
Index("release_by_bytes", RELEASE.c.sha256)
# Partial: what is current stays quick to find however much was ever released.
Index(
    "release_current",
    RELEASE.c.state,
    RELEASE.c.number,
    sqlite_where=RELEASE.c.state.in_(("intended", "present", "altered", "leaving")),
)

RELEASE_NUMBERING = Table(
    "release_numbering",
    METADATA,
    Column("folded", Text, primary_key=True),
    Column("next", Integer, nullable=False),
    sqlite_strict=True,
)

MANIFEST = Table(
    "release_manifest",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("listing_sha256", Text, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("temporary", Text, nullable=False),
    Column("placed", Integer, nullable=False, default=0),
    sqlite_strict=True,
)

GUARD_REPORT = Table("guard_report", METADATA, Column("id", Text, primary_key=True), sqlite_with_rowid=False)


def add_release_quickxor(connection: Connection) -> None:
    """In a database whose releases had none."""
    connection.execute(text("ALTER TABLE release ADD COLUMN quickxor TEXT"))

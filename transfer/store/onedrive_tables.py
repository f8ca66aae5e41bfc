"""The tables of a release folder in OneDrive; `store.onedrive_uploads` and `store.onedrive_placements` read and write
them. They hold no names: what a row is about is the SHA-256 of its name on the device's side."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Index, Integer, Table, Text

from transfer.store.schema import METADATA

ONEDRIVE_UPLOAD = Table(
    "onedrive_upload",
    METADATA,
    Column("temporary", Text, primary_key=True),  # of the release: there is one upload for each
    Column("url", Text, nullable=False),  # a secret
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("sent_sha256", Text, nullable=False),
    Column("sending", Integer, nullable=False),
    Column("sending_sha256", Text, nullable=False),
    Column("committing", Integer, nullable=False),
    sqlite_strict=True,
)

ONEDRIVE_PLACEMENT = Table(
    "onedrive_placement",
    METADATA,
    Column("name_sha256", Text, primary_key=True),
    Column("item", Text),  # of the line; none for the manifest
    Column("drive_item", Text, nullable=False, unique=True),
    Column("etag", Text),
    Column("media_type", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("quickxor", Text, nullable=False),
    Column("echo", Text, nullable=False),
    Column("placed_at", Text, nullable=False),
    Column("next_check", Text),
    sqlite_strict=True,
)
# Partial: what is not looked at again costs nothing.
Index(
    "onedrive_placement_due",
    ONEDRIVE_PLACEMENT.c.next_check,
    sqlite_where=ONEDRIVE_PLACEMENT.c.next_check.is_not(None),
)
Index("onedrive_placement_echo", ONEDRIVE_PLACEMENT.c.echo, sqlite_where=ONEDRIVE_PLACEMENT.c.echo != "verified")


def create_onedrive_release_tables(connection: Connection) -> None:
    """In a database that had none."""
    ONEDRIVE_UPLOAD.create(connection)
    ONEDRIVE_PLACEMENT.create(connection)

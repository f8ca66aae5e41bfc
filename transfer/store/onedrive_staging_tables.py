"""The tables of staging folders in OneDrive; `store.onedrive_staging` reads and writes them.

They hold names of files that lie there now; a row goes when the file does. The link is as good as a bookmark: it opens
nothing without a token.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, Table, Text

from transfer.store.schema import METADATA

ONEDRIVE_CURSOR = Table(
    "onedrive_cursor",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("watched", Text, nullable=False),  # which drive and folder; another one is listed from the beginning
    Column("link", Text),  # where to go on; none: from the beginning
    Column("listing", Integer, nullable=False),  # the number of the present full listing
    Column("complete", Integer, nullable=False),  # 1: that listing came to its end once
    sqlite_strict=True,
)

ONEDRIVE_NODE = Table(
    "onedrive_node",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("node", Text, primary_key=True),
    Column("parent", Text),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("quickxor", Text, nullable=False),
    Column("modified_ns", Integer, nullable=False),
    Column("unfinished", Integer, nullable=False),
    Column("infected", Integer, nullable=False),
    Column("listing", Integer, nullable=False),  # in which full listing, or since, it was last told of
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What a source waits for now, for whoever asks from another process; no row: nothing.
ONEDRIVE_WAIT = Table(
    "onedrive_wait",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("until", Text),
    sqlite_strict=True,
)


def create_onedrive_staging_tables(connection: Connection) -> None:
    """In a database that had none."""
    ONEDRIVE_CURSOR.create(connection)
    ONEDRIVE_NODE.create(connection)
    ONEDRIVE_WAIT.create(connection)

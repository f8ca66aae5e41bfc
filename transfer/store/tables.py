"""All tables in one place: importing this module makes them known, so that a new database gets every one of them."""

from __future__ import annotations

from sqlalchemy import Connection

from transfer.store import (
    directory_tables,
    erasure_table,
    fingerprint_tables,
    items,
    journal_tables,
    notice_table,
    onedrive_staging_tables,
    onedrive_tables,
    release_tables,
    schema,
)

# Each of these defines its own tables on schema.METADATA.
MODULES = (
    schema,
    items,
    directory_tables,
    release_tables,
    journal_tables,
    erasure_table,
    notice_table,
    fingerprint_tables,
    onedrive_tables,
    onedrive_staging_tables,
)


def create_all(connection: Connection) -> None:
    """Makes every table that is not there yet, inside the caller's transaction."""
    schema.METADATA.create_all(connection)

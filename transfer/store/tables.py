"""All tables in one place: importing this module makes them known, so that a new database gets every one of them."""

from __future__ import annotations

from sqlalchemy import Connection

from transfer.store import items, schema

MODULES = (schema, items)  # each defines its own tables on schema.METADATA


def create_all(connection: Connection) -> None:
    """Makes every table that is not there yet, inside the caller's transaction."""
    schema.METADATA.create_all(connection)

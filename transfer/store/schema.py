"""The database's schema, shared by the modules that each define their own tables on `METADATA`.

Every table is STRICT or keyed so that a second start finds what the first one wrote; `SCHEMA_VERSION` rises with any
change; a database older than the program is migrated (`store.migrations`), a newer one refused.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, Text

SCHEMA_VERSION = 7

METADATA = MetaData()

META = Table(
    "meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)

CONTROL = Table(
    "control",
    METADATA,
    Column("one", Integer, primary_key=True),
    Column("paused_by", Text),
    Column("paused_statement", Text),
    sqlite_strict=True,
)

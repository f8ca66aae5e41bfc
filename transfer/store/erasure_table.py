"""The table of erased people: who (a pseudonym), by which entry, and whether their bytes have left the file yet."""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text

from transfer.store.schema import METADATA

ERASURE = Table(
    "erasure",
    METADATA,
    Column("person", Text, primary_key=True),
    Column("entry", Integer, nullable=False),  # of the log: the newest one that erases this person
    Column("at", Text, nullable=False),
    Column("finished", Integer, nullable=False),  # 0: rows are gone, their bytes may still lie in free pages
    sqlite_strict=True,
)

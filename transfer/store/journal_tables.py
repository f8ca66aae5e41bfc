"""The tables of the transfer log; only `store.journal` and the modules beside it that begin so read and write them.

`audit_index` and `audit_tag` are derived from the leaves (`model.facets`) and can be made again at any time.

Entries, nodes and checkpoints have triggers that refuse every UPDATE and DELETE. They stop mistakes, not somebody who
holds the file: `audit.start` and `audit.verify` find what such a person changed.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Connection, Index, Integer, LargeBinary, Table, Text, event

from transfer.store.schema import METADATA

AUDIT_ENTRY = Table(
    "audit_entry",
    METADATA,
    Column("i", Integer, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("h", LargeBinary, nullable=False),
    sqlite_strict=True,
)

AUDIT_NODE = Table(
    "audit_node",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("h", LargeBinary, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1"), primary_key=True, autoincrement=False),
    Column("size", Integer, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Column("at", Text, nullable=False),  # the time of the newest entry, below which no later one may go
    Column("signed_size", Integer, nullable=False),
    Column("signed_note", Text, nullable=False),
    Column("published", Integer, nullable=False),
    sqlite_strict=True,
)

AUDIT_INDEX = Table(
    "audit_index",
    METADATA,
    Column("i", Integer, primary_key=True, autoincrement=False),
    Column("event", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("item", Text),
    Column("sha256", Text),
    Column("by", Text),
    Column("campaign", Text),
    sqlite_strict=True,
)
for _column in ("event", "item", "sha256", "by", "campaign"):
    Index(f"audit_index_{_column}", AUDIT_INDEX.c[_column], AUDIT_INDEX.c.i)

AUDIT_TAG = Table(  # `clause:G5`, `person:u_…`, `item:i-…`: see model.facets
    "audit_tag",
    METADATA,
    Column("tag", Text, primary_key=True),
    Column("i", Integer, primary_key=True, autoincrement=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
Index("audit_tag_i", AUDIT_TAG.c.i)

AUDIT_DISCLOSURE = Table(
    "audit_disclosure",
    METADATA,
    Column("i", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, primary_key=True),
    Column("disclosure", Text, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

AUDIT_CHECKPOINT = Table(
    "audit_checkpoint",
    METADATA,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)


_ABORT = "SELECT RAISE(ABORT, 'the transfer log only grows')"


def _only_grows(table: Table, connection: Connection, **_given: object) -> None:
    for verb in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} BEGIN {_ABORT}; END"
        )
    same = " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    taken = f"EXISTS (SELECT 1 FROM {table.name} WHERE {same})"  # noqa: S608 names of our own tables
    # REPLACE deletes without asking the trigger on DELETE.
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table.name}_no_replace BEFORE INSERT ON {table.name} WHEN {taken} BEGIN {_ABORT}; END"
    )


def _begins_empty(table: Table, connection: Connection, **_given: object) -> None:
    connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES (1, 0, x'', '', 0, '', 0)")  # noqa: S608 our own name


for _table in (AUDIT_ENTRY, AUDIT_NODE, AUDIT_CHECKPOINT):
    event.listen(_table, "after_create", _only_grows)
event.listen(AUDIT_HEAD, "after_create", _begins_empty)

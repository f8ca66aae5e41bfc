"""The tables of people, campaigns, devices and signed statements; `directory` and `statements` read and write them."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint

from transfer.store.schema import METADATA

PERSON = Table(
    "person",
    METADATA,
    Column("person", Text, primary_key=True),
    Column("name", Text, unique=True),  # erased: NULL
    Column("added_at", Text, nullable=False),
    Column("disabled_at", Text),
    sqlite_strict=True,
)

PERSON_ROLE = Table(
    "person_role",
    METADATA,
    Column("person", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    sqlite_strict=True,
)

CAMPAIGN = Table(
    "campaign",
    METADATA,
    Column("campaign", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("starts", Text, nullable=False),
    Column("ends", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("details", Text, nullable=False),  # the digest; the words are in `wording`
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Text, nullable=False),
    sqlite_strict=True,
)

DEVICE = Table(
    "device",
    METADATA,
    Column("device", Text, primary_key=True),
    Column("label", Text),  # erased: NULL
    Column("added_at", Text, nullable=False),
    Column("disabled_at", Text),
    sqlite_strict=True,
)

STATEMENT = Table(
    "statement",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("entry", Integer, nullable=False),  # of the log: the order in which statements took effect
    Column("kind", Text, nullable=False),
    Column("series", Text),  # NULL for a decision about items
    Column("after", Text),  # the statement before it in its series; an empty string for the first
    Column("note", Text, nullable=False),
    UniqueConstraint("series", "after"),  # a series never forks
    Index("statement_by_series", "series", "entry"),
    sqlite_strict=True,
)

DECISION = Table(
    "decision",
    METADATA,
    Column("item", Text, primary_key=True),
    Column("statement", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("open", Integer, nullable=False),  # 1: the gateway still has to carry it out
    sqlite_strict=True,
)

WORDING = Table(
    "wording",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("salt", Text),  # erased: NULL, and then nobody can even guess the text and compare
    Column("text", Text),
    sqlite_strict=True,
)

Index("decision_open", DECISION.c.item, sqlite_where=DECISION.c.open == 1)

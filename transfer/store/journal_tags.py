"""Index and tags of the log, made from its entries: for a database that has none, or whose index is made again.

What enters: a connection within a transaction. What leaves: the rows that `model.facets` derives. Known to the
migration of older databases, so it knows nothing of `store.database`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from transfer.errors import Tampered
from transfer.model.facets import Inheritance
from transfer.store.journal_tables import AUDIT_ENTRY, AUDIT_INDEX, AUDIT_TAG

_AT_ONCE = 1024
_SELECT_CAMPAIGN = select(AUDIT_INDEX.c.campaign).where(AUDIT_INDEX.c.i == bindparam("which"))
_SELECT_LEAVES = (
    select(AUDIT_ENTRY.c.i, AUDIT_ENTRY.c.leaf)
    .where(AUDIT_ENTRY.c.i >= bindparam("first"))
    .order_by(AUDIT_ENTRY.c.i)
    .limit(_AT_ONCE)
)


def create_and_fill(connection: Connection) -> None:
    """The tables of the index, from a database that has none or an older one. Raises Tampered."""
    AUDIT_INDEX.drop(connection, checkfirst=True)
    AUDIT_INDEX.create(connection)
    AUDIT_TAG.create(connection)
    fill(connection)


def fill(connection: Connection) -> None:
    """Fills the empty tables. Raises Tampered for an entry that is none."""
    inheritance = Inheritance(lambda index: campaign_of(connection, index))
    for first, bodies in bodies_of(connection):
        rows: list[dict[str, Any]] = []
        tags: list[dict[str, Any]] = []
        for index, body in enumerate(bodies, first):
            one = inheritance.facets(body)
            row = one._asdict()
            tags += [{"tag": tag, "i": index} for tag in row.pop("tags")]
            rows.append({"i": index, **row})
        try:
            connection.execute(insert(AUDIT_INDEX), rows)
            if tags:
                connection.execute(insert(AUDIT_TAG), tags)
        except UnicodeEncodeError as error:
            raise _unreadable(first) from error


def campaign_of(connection: Connection, index: int) -> str | None:
    """The campaign of an entry as the index has it."""
    return connection.execute(_SELECT_CAMPAIGN, {"which": index}).scalar()


def bodies_of(connection: Connection) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The entries' bodies in order, many at a time, each with the number of the first. Raises Tampered."""
    first = 0
    while True:
        rows = connection.execute(_SELECT_LEAVES, {"first": first}).all()
        if not rows:
            return
        yield first, [_body(first + offset, index, leaf) for offset, (index, leaf) in enumerate(rows)]
        first += len(rows)


def _body(expected: int, index: int, leaf: bytes) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(leaf)
    except (ValueError, RecursionError) as error:
        raise _unreadable(expected) from error
    fixed = (body.get("event"), body.get("at")) if isinstance(body, dict) else (None, None)
    if index != expected or not all(isinstance(value, str) for value in fixed):
        raise _unreadable(expected)
    texts = (body.get("item"), body.get("by"))
    if not all(value is None or isinstance(value, str) for value in texts):
        raise _unreadable(expected)
    return body


def _unreadable(index: int) -> Tampered:
    return Tampered(f"Entry {index} of the log is missing or is not an entry.", advice="Run `transfer audit verify`.")

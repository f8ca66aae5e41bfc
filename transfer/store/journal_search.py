"""Finding entries by the log's index, among a million in a fraction of a second.

What enters: a query. What leaves: the numbers of the entries that fit, in order. SQLite knows nothing of how many rows
each criterion leaves, so the criteria are tried first, each for a few thousand rows at most: the one that leaves least
leads, and the others are looked up row by row. Where none leaves few, the entries are gone through from the newest (or
the oldest) until enough fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, bindparam, func, literal, or_, select, union_all
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from transfer.errors import Tampered
from transfer.model.facets import CLAUSE, ITEM, PERSON
from transfer.model.query import Query
from transfer.store.database import ReadTx
from transfer.store.journal_tables import AUDIT_INDEX, AUDIT_TAG

_FEW = 4096
_I = AUDIT_INDEX.c.i
_AT = select(AUDIT_INDEX.c.at).where(bindparam("which") == _I)
_LAST = select(func.coalesce(func.max(_I), -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Criterion:
    """`rows` find the entries, each by an index of its own; `test` looks at a row that was found by another."""

    rows: tuple[Select[Any], ...]
    test: ColumnElement[bool]
    ordered: ColumnElement[bool] | None = None  # finds them by an index in which they stand in order


def search(tx: ReadTx, query: Query) -> Iterator[int]:
    """The numbers of the entries that fit, newest first unless the query says otherwise. Raises Tampered."""
    first, end = _span(tx, query)
    criteria = _criteria(query, _lives(tx, query))
    within = [first <= _I, end > _I]
    if criteria:
        leading = min(criteria, key=lambda one: _few(tx, one))
        rest = [one.test for one in criteria if one is not leading]
        if _few(tx, leading) < _FEW:
            within += [_I.in_(_joined(leading)), *rest]
        else:
            in_order = next((one for one in criteria if one.ordered is not None), None)
            within += [one.test for one in criteria if one is not in_order]
            within += [in_order.ordered] if in_order is not None and in_order.ordered is not None else []
    order = _I.asc() if query.oldest_first else _I.desc()
    for row in tx.connection.execute(select(_I).where(*within).order_by(order).limit(query.limit)):
        yield row[0]


def _criteria(query: Query, alive: list[str]) -> list[_Criterion]:
    found: list[_Criterion] = []
    if query.item is not None:
        found.append(_about([query.item]))
    if query.items is not None:
        found.append(_about(sorted(query.items)))
    if query.sha256 is not None:
        named, about = _begins(AUDIT_INDEX.c.sha256, query.sha256), _about(alive)
        found.append(
            _Criterion(
                rows=(select(_I).where(named), *about.rows),
                test=or_(_begins(_unindexed(AUDIT_INDEX.c.sha256), query.sha256), about.test),
            )
        )
    if query.person is not None:
        tagged = _begins(AUDIT_TAG.c.tag, PERSON + query.person)
        by = _begins(AUDIT_INDEX.c.by, query.person)
        found.append(
            _Criterion(
                rows=(select(_I).where(by), select(AUDIT_TAG.c.i).where(tagged)),
                test=or_(_begins(_unindexed(AUDIT_INDEX.c.by), query.person), _tagged(tagged)),
            )
        )
    if query.clause is not None:
        cites = AUDIT_TAG.c.tag == CLAUSE + query.clause
        found.append(_Criterion(rows=(select(AUDIT_TAG.c.i).where(cites),), test=_tagged(cites)))
    if query.campaign is not None:
        found.append(_equal(AUDIT_INDEX.c.campaign, query.campaign))
    if len(query.events) == 1:
        found.append(_equal(AUDIT_INDEX.c.event, query.events[0]))
    elif query.events:
        found.append(
            _Criterion(
                rows=(select(_I).where(AUDIT_INDEX.c.event.in_(query.events)),),
                test=_unindexed(AUDIT_INDEX.c.event).in_(query.events),
            )
        )
    return found


def _equal(column: ColumnElement[Any], value: str) -> _Criterion:
    equal = column == value
    return _Criterion(rows=(select(_I).where(equal),), test=_unindexed(column) == value, ordered=equal)


def _about(items: list[str]) -> _Criterion:
    """Entries of these items, and statements about them."""
    given = literal(json.dumps(items))
    listed = func.json_each(given).table_valued("value")
    own = select(_I).where(AUDIT_INDEX.c.item.in_(select(listed.c.value)))
    named = select(AUDIT_TAG.c.i).where(AUDIT_TAG.c.tag.in_(select(ITEM + listed.c.value)))
    return _Criterion(
        rows=(own, named),
        test=or_(_unindexed(AUDIT_INDEX.c.item).in_(select(listed.c.value)), _I.in_(named)),
    )


def lives(tx: ReadTx, sha256: str) -> list[str]:
    """The items in which the file occurs, as it came or rebuilt."""
    item = AUDIT_INDEX.c.item
    found = select(item).where(_begins(AUDIT_INDEX.c.sha256, sha256), item.is_not(None)).distinct()
    return list(tx.connection.execute(found).scalars())


def _lives(tx: ReadTx, query: Query) -> list[str]:
    if query.lives is not None:
        return sorted(query.lives)
    return [] if query.sha256 is None else lives(tx, query.sha256)


def _joined(criterion: _Criterion) -> Select[Any] | CompoundSelect[Any]:
    return criterion.rows[0] if len(criterion.rows) == 1 else union_all(*criterion.rows)


def _few(tx: ReadTx, criterion: _Criterion) -> int:
    """How many rows it leaves, counted no further than to many."""
    some = _joined(criterion).limit(_FEW).subquery()
    return int(tx.connection.execute(select(func.count()).select_from(some)).scalar_one())


def _begins(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """A range that an index can find. `g` follows the hexadecimal digits."""
    return and_(column >= text, column < text + "g")


def _tagged(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(AUDIT_TAG.c.i).where(which, AUDIT_TAG.c.i == _I).correlate(AUDIT_INDEX).exists()


def _unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column, for a test of rows: SQLite takes no index for it."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _span(tx: ReadTx, query: Query) -> tuple[int, int]:
    """The numbers from and up to which the times fit: times in the log never decrease, so halving finds them."""
    last = int(tx.connection.execute(_LAST).scalar_one())
    first = 0 if query.since is None else _halved(tx, last, lambda at: at >= query.since)
    end = last + 1 if query.until is None else _halved(tx, last, lambda at: at > query.until)
    return first, end


def _halved(tx: ReadTx, last: int, late: Any) -> int:
    """The first entry whose time is late, or the number after the last."""
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        at = tx.connection.execute(_AT, {"which": middle}).scalar()
        if at is None:
            raise Tampered(f"The database's index lacks entry {middle}.", advice="Run `transfer audit verify`.")
        low, high = (low, middle) if late(at) else (middle + 1, high)
    return low

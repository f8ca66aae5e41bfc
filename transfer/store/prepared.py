"""Statements that are carried out for every file, made ready once.

SQLAlchemy spends several times as long on a statement as SQLite does, each time. What a picture passes through a dozen
times is therefore compiled here when its module is loaded, and handed to the driver as text with its parameters in
order. Written in SQLAlchemy's language all the same, so that the tables stay the only place that knows the columns.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.dialects import sqlite

from transfer.store.database import ReadTx

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Taken(Exception):
    """A row of that key is there already, or another rule of the table forbids this one."""


class Prepared:
    """One statement; its named parameters (`bindparam`, and `columns` of an INSERT or UPDATE) are given at each run."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete, *, columns: Iterable[str] = ()) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=sorted(columns) or None)
        self._text = str(compiled)
        self._order: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        # What stands in the statement itself (`state = 'held'`) is a parameter too, with its value known now.
        self._fixed = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}

    def run(self, tx: ReadTx, values: Mapping[str, Any] | None = None) -> int:
        """Carries it out; how many rows it changed. Raises Taken."""
        return self._carry_out(tx, values).rowcount

    def rows(self, tx: ReadTx, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows, their columns in the statement's order."""
        return self._carry_out(tx, values).fetchall()

    def first(self, tx: ReadTx, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row, if there is one. The statement should ask for no more."""
        cursor = self._carry_out(tx, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return row

    def _carry_out(self, tx: ReadTx, values: Mapping[str, Any] | None) -> sqlite3.Cursor:
        given = {**self._fixed, **values} if values else self._fixed
        try:
            return tx.driver.execute(self._text, [given[name] for name in self._order])
        except sqlite3.IntegrityError as error:
            raise Taken(str(error)) from error

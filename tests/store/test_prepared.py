"""Statements made ready once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import bindparam, insert, select, update

from transfer.store.database import Database
from transfer.store.prepared import Prepared, Taken
from transfer.store.schema import META

PUT = Prepared(insert(META), columns=("key", "value"))
GET = Prepared(select(META.c.value, META.c.key).where(META.c.key == bindparam("which"), META.c.value != "hidden"))
CHANGE = Prepared(update(META).where(META.c.key == bindparam("which")), columns=("value",))


def test_parameters_go_where_they_belong(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with db.write() as tx:
        assert PUT.run(tx, {"value": "one", "key": "a"}) == 1
        PUT.run(tx, {"value": "hidden", "key": "b"})
        assert GET.first(tx, {"which": "a"}) == ("one", "a")
        assert GET.rows(tx, {"which": "b"}) == []
        assert GET.first(tx, {"which": "b"}) is None
        assert CHANGE.run(tx, {"which": "a", "value": "two"}) == 1
        assert CHANGE.run(tx, {"which": "nobody", "value": "two"}) == 0
    with db.read() as tx:
        assert GET.rows(tx, {"which": "a"}) == [("two", "a")]
    db.close()


def test_a_forgotten_parameter_is_no_null(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with pytest.raises(KeyError), db.read() as tx:
        GET.first(tx)
    with pytest.raises(KeyError), db.write() as tx:
        PUT.run(tx, {"key": "a"})
    db.close()


def test_a_key_that_is_there_is_taken_and_the_change_can_go_on(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with db.write() as tx:
        PUT.run(tx, {"key": "a", "value": "one"})
        with pytest.raises(Taken):
            PUT.run(tx, {"key": "a", "value": "two"})
    with db.read() as tx:
        assert GET.first(tx, {"which": "a"}) == ("one", "a")
    db.close()

"""The statements on the table of items that every file passes, made ready once. `store.register` runs them."""

from __future__ import annotations

from functools import cache

from sqlalchemy import BindParameter, bindparam, func, insert, select, update

from transfer.store.items import ITEM
from transfer.store.prepared import Prepared

_WHICH: BindParameter[str] = bindparam("which")

ENTER = Prepared(insert(ITEM), columns=set(ITEM.c.keys()) - {"seq"})
LAST_CHANGE = Prepared(select(func.coalesce(func.max(ITEM.c.changed), 0)))
RECORD = Prepared(select(ITEM.c.kind, ITEM.c.record, ITEM.c.state).where(ITEM.c.item == _WHICH))
KNOWN = Prepared(select(ITEM.c.seq).where(ITEM.c.identity == _WHICH))
CAME_BACK = Prepared(select(ITEM.c.came_back).where(ITEM.c.item == _WHICH))
PRODUCED = Prepared(
    select(ITEM.c.item).where(ITEM.c.rebuilt_sha256 == _WHICH, ITEM.c.produced == 1).order_by(ITEM.c.seq).limit(2)
)
TOLD = Prepared(
    update(ITEM).where(ITEM.c.item == _WHICH, ITEM.c.told < bindparam("seen")).values(told=bindparam("seen"))
)


@cache
def swap_of(columns: frozenset[str], states: int) -> Prepared:
    """Sets these columns of the item `which`, if it is in one of the states `was_0`, `was_1` …; so many of them."""
    was: list[BindParameter[str]] = [bindparam(f"was_{number}") for number in range(states)]
    return Prepared(update(ITEM).where(ITEM.c.item == _WHICH, ITEM.c.state.in_(was)), columns=columns)

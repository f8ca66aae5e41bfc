"""Taking a release back: withdrawn by a person's signed decision, or expired by the policy.

    1  the row says that it is leaving, and whether it was there            after a crash here: the same steps again
    2  the guard is told, so that its absence is no news
    3  the name is removed                                                  after a crash here: found absent, by us
    4  the end is durable in the log, with whether it was still there

Without a live guard a release can still be taken back: nothing new goes out by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from transfer.errors import Misuse, NotSo, Unavailable
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import ItemId, PersonId
from transfer.model.states import State
from transfer.release.dispatch import Dispatch
from transfer.store.releases import ReleaseRow, ReleaseState

_ENDS = {
    State.WITHDRAWN: (ReleaseState.WITHDRAWN, EventName.FILE_WITHDRAWN),
    State.EXPIRED: (ReleaseState.EXPIRED, EventName.FILE_EXPIRED),
}
_FROM = frozenset({State.HELD, State.APPROVED, State.RELEASED})


def withdraw(
    item: ItemId,
    *,
    dispatch: Dispatch,
    to: State = State.WITHDRAWN,
    by: PersonId | None = None,
    facts: Mapping[str, Json] | None = None,
) -> bool:
    """Ends an item that is held, approved or released; whether its release was still there.

    `facts` go into the entry beside `still_there`: the statement that decided it, say. Raises NotSo if the item is
    in another state, Unavailable if the folder cannot be reached, Misuse for an end that is none.
    """
    if to not in _ENDS:
        raise Misuse(f"An item is withdrawn or expires; it cannot become {to.value} this way.")
    row = _leave(item, dispatch)
    still_there = False
    if row is not None and row.state is ReleaseState.LEAVING:
        dispatch.lookout.forget(row.name)
        removed = dispatch.recaller.recall(row.name)
        dispatch.recaller.recall(row.temporary)
        # A crash here: it is gone, and `was_there` remembers that we found it.
        still_there = removed or row.was_there
    _end(item, row, dispatch, to=to, by=by, facts={**(facts or {}), "still_there": still_there})
    return still_there


def _leave(item: ItemId, dispatch: Dispatch) -> ReleaseRow | None:
    with dispatch.database.read() as tx:
        row = dispatch.releases.find(tx, item)
    if row is None or row.state in {ReleaseState.LEAVING, ReleaseState.REMOVED}:
        return row
    if row.state in {ReleaseState.WITHDRAWN, ReleaseState.EXPIRED}:
        raise NotSo(f"The release of {item} is {row.state.value} already.")
    was_there = _is_there(row, dispatch)
    with dispatch.database.write() as tx:
        state = dispatch.register.row(tx, item).state
        if state not in _FROM:
            raise NotSo(f"Item {item} is {state.value}; it cannot be taken back.")
        dispatch.releases.leave(tx, item, was_there=was_there)
        left = dispatch.releases.find(tx, item)
    # The first time what the recall itself finds is the truth; `was_there` is for the case that we are resumed.
    return None if left is None else _fresh(left)


def _is_there(row: ReleaseRow, dispatch: Dispatch) -> bool:
    try:
        return dispatch.lookout.is_present(row.name) is not None
    except Unavailable:
        return False


def _fresh(row: ReleaseRow) -> ReleaseRow:
    return replace(row, was_there=False)


def _end(
    item: ItemId,
    row: ReleaseRow | None,
    dispatch: Dispatch,
    *,
    to: State,
    by: PersonId | None,
    facts: Mapping[str, Json],
) -> None:
    end, name = _ENDS[to]
    file = None if row is None else FileFact(sha256=row.sha256, size=row.size)
    if row is None:
        with dispatch.database.read() as tx:
            listed = dispatch.register.row(tx, item)
        if listed.rebuilt_sha256 is not None and listed.rebuilt_size is not None:
            file = FileFact(sha256=listed.rebuilt_sha256, size=listed.rebuilt_size)
    with dispatch.database.write() as tx:
        if row is not None:
            dispatch.releases.gone(tx, item, end)
        event = Event(name=name, item=item, by=by, file=file, facts=facts)
        dispatch.register.mark(tx, item, to, event, was=_FROM)

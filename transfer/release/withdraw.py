"""Taking a release back: withdrawn by a person's signed decision, or expired by the policy.

    1  the row says that it is leaving, and whether it was there            after a crash here: the same steps again
    2  the guard is told, so that its absence is no news
    3  the name is removed                                                  after a crash here: found absent, by us
    4  the end is durable in the log, with whether it was still there

Without a live guard a release can still be taken back: nothing new goes out by it.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    with dispatch.database.read() as tx:
        row = dispatch.releases.find(tx, item)
        state = dispatch.register.row(tx, item).state
    if state not in _FROM:
        raise NotSo(f"Item {item} is {state.value}; it cannot be taken back.")
    still_there = row is not None and _take_back(row, dispatch)
    _end(item, row, dispatch, to=to, by=by, facts={**(facts or {}), "still_there": still_there})
    return still_there


def recall_lapsed(*, dispatch: Dispatch) -> int:
    """Takes back what was begun and is not approved any more, so that it never counts as released; how many it was.

    An approval can lapse while the gateway is down, between the rename and the confirmation. Raises as `withdraw`.
    """
    with dispatch.database.read() as tx:
        rows = [
            row
            for row in dispatch.releases.current(tx, ReleaseState.INTENDED, ReleaseState.LEAVING)
            if (state := dispatch.register.row(tx, row.item).state) is not State.APPROVED
            and (row.state is ReleaseState.INTENDED or state is not State.RELEASED)  # that one is being withdrawn
        ]
    for row in rows:
        still_there = _take_back(row, dispatch)
        event = Event(
            name=EventName.RELEASE_RECALLED,
            item=row.item,
            file=FileFact(sha256=row.sha256, size=row.size),
            facts={"number": row.number, "still_there": still_there},
        )
        with dispatch.database.write() as tx:
            dispatch.releases.lapsed(tx, row.item, event)
    return len(rows)


def _take_back(row: ReleaseRow, dispatch: Dispatch) -> bool:
    """Steps 1 to 3 for a release that may be there; whether it was."""
    if row.state in {ReleaseState.REMOVED, ReleaseState.LAPSED, ReleaseState.WITHDRAWN, ReleaseState.EXPIRED}:
        return False
    remembered = row.state is ReleaseState.LEAVING and row.was_there
    if row.state is not ReleaseState.LEAVING:
        was_there = _is_there(row, dispatch)
        with dispatch.database.write() as tx:
            dispatch.releases.leave(tx, row.item, was_there=was_there)
    dispatch.lookout.forget(row.name)
    removed = dispatch.recaller.recall(row.name)
    dispatch.recaller.recall(row.temporary)
    # A crash here: it is gone, and the row remembers that we found it. Not resumed, the recall itself is the truth.
    return removed or remembered


def _is_there(row: ReleaseRow, dispatch: Dispatch) -> bool:
    try:
        return dispatch.lookout.is_present(row.name) is not None
    except Unavailable:
        return False


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

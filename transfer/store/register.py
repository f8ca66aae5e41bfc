"""The register of items: where each one stands, changed only together with the entry that records it.

Every change is a compare-and-swap on the state inside the caller's transaction: of two processes that want to move
the same item, the second learns it from NotSo. After a crash an item stands at its last recorded step, and what staff
read of it is derived again from `feedback_due`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, exists, func, or_, select, update

from transfer.errors import NotSo, Tampered
from transfer.model.clock import Clock, parse_time, render_time
from transfer.model.events import EntryRef, Event
from transfer.model.findings import Reason, WaitingFor
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256
from transfer.model.names import SafeName
from transfer.model.states import Arrival, Examined, Held, Rebuilt, Refused, Spooled, State
from transfer.store.database import ReadTx, Recorder, WriteTx
from transfer.store.item_statements import CAME_BACK, ENTER, KNOWN, LAST_CHANGE, PRODUCED, RECORD, TOLD, swap_of
from transfer.store.items import ITEM, Values, arrived_of, first_values, identity_digest, record_values, state_values
from transfer.store.notices_kept import all_again
from transfer.store.prepared import Taken
from transfer.store.records import Record, kind_of, parse_arrival, parse_reasons, parse_record

_ON_THE_WAY = [State.SPOOLED.value, State.EXAMINED.value, State.REBUILT.value]
_KEPT_RECORD = frozenset({State.APPROVED, State.RELEASED, State.WITHDRAWN, State.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One item as it is listed. Sizes are bytes; `sha256` is of the file as it came, None where nothing was read.

    `change` rises with every change of any item in the workspace; feedback and live displays go by it.
    """

    item: ItemId
    name: SafeName
    campaign: CampaignId | None
    post: SafeName | None
    submitter: PersonId
    state: State
    waiting_for: WaitingFor | None
    media_type: str | None
    size: int
    sha256: Sha256 | None
    rebuilt_sha256: Sha256 | None
    rebuilt_size: int | None
    released_as: str | None
    reasons: tuple[Reason, ...]
    arrived_at: datetime
    decided_at: datetime | None
    arrival: Arrival
    retired: bool
    change: int
    ever_told: bool  # whether a notice for staff was ever put up, as far as that was recorded


class Register:
    """The items of one workspace. Holds no state of its own; any number of processes may have one."""

    def __init__(self, recorder: Recorder, *, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def enter(self, tx: WriteTx, state: Spooled | Refused, event: Event) -> EntryRef:
        """A new item. Raises NotSo if this arrival, or an item of this identifier, is there already.

        Whether it comes back from the device's side is settled here, before any later item can look like its origin.
        """
        values = first_values(state, now=self._clock.now(), changed=_next_change(tx))
        sha256 = values["sha256"]
        if sha256 is not None and self.produced(tx, sha256) and not self.staged_before(tx, sha256, than=None):
            values["came_back"] = 1
        try:
            ENTER.run(tx, values)
        except Taken as error:
            raise NotSo(f"The file of item {state.arrived.item} is in the register already.") from error
        return self._recorder.append(tx, event)

    def advance(self, tx: WriteTx, state: Examined | Rebuilt | Held | Refused, *steps: Event, was: State) -> None:
        """The item's next record in place of its former, an entry for each step. Raises NotSo if it is not `was`."""
        item = arrived_of(state).item
        to = kind_of(state)
        self._swap(tx, item, frozenset({was}), to, record_values(state))
        for event in steps:
            self._recorder.append(tx, event)

    def mark(
        self,
        tx: WriteTx,
        item: ItemId,
        to: State,
        event: Event,
        *,
        was: frozenset[State],
        released_as: str | None = None,
    ) -> EntryRef:
        """Another state with the same record (approved, released, withdrawn, expired; or held again after approval).

        Raises NotSo if the item is in none of the states `was`.
        """
        values: Values = {"waiting_for": None}
        if to is State.HELD:
            record = self.load(tx, item)
            values["waiting_for"] = record.verdict.waiting_for if isinstance(record, Held) else None
        elif to not in _KEPT_RECORD:
            raise NotSo(f"Item {item} needs a record of its own to become {to}.")
        if released_as is not None:
            values["released_as"] = released_as
        self._swap(tx, item, was, to, values)
        return self._recorder.append(tx, event)

    def set_retired(self, tx: WriteTx, item: ItemId, event: Event) -> EntryRef:
        """The staged original was removed. Raises NotSo if that is recorded already or the item is unknown."""
        change = (
            update(ITEM).where(ITEM.c.item == item, ITEM.c.retired == 0).values(retired=1, changed=_next_change(tx))
        )
        if tx.connection.execute(change).rowcount != 1:
            raise NotSo(f"The original of item {item} is not there to be retired.")
        return self._recorder.append(tx, event)

    def load(self, tx: ReadTx, item: ItemId) -> Record:
        """The item's record; of an approved, released or withdrawn item it is its Held. Raises NotSo if unknown."""
        return self.load_with_state(tx, item)[0]

    def load_with_state(self, tx: ReadTx, item: ItemId) -> tuple[Record, State]:
        """As `load`, with the state the item is in."""
        found = RECORD.first(tx, {"which": item})
        if found is None:
            raise _unknown(item)
        kind, stored, state = found
        record = parse_record(kind, stored)
        if arrived_of(record).item != item:
            raise Tampered(f"The record of item {item} is another item's.", advice="Restore the last backup.")
        return record, State(state)

    def row(self, tx: ReadTx, item: ItemId) -> ItemRow:
        """The item as it is listed. Raises NotSo if unknown."""
        found = _listed(tx, select(ITEM).where(ITEM.c.item == item))
        if not found:
            raise _unknown(item)
        return found[0]

    def rows(
        self, tx: ReadTx, *, state: State | None = None, since: datetime | None = None, limit: int = 1000
    ) -> list[ItemRow]:
        """Items that arrived at or after `since` and are in `state`, newest first."""
        query = select(ITEM).order_by(ITEM.c.seq.desc()).limit(limit)
        if state is not None:
            query = query.where(ITEM.c.state == state)
        if since is not None:
            query = query.where(ITEM.c.arrived_at >= render_time(since))
        return _listed(tx, query)

    def in_states(self, tx: ReadTx, states: Iterable[State], *, limit: int) -> list[ItemId]:
        """Items in any of these states, oldest first."""
        found: list[tuple[int, ItemId]] = []
        for state in states:  # one walk along the index for each: an OR would sort all that match
            query = select(ITEM.c.seq, ITEM.c.item).where(ITEM.c.state == state).order_by(ITEM.c.seq).limit(limit)
            found += [(row.seq, ItemId(row.item)) for row in tx.connection.execute(query)]
        return [item for _, item in sorted(found)[:limit]]

    def decided_before(self, tx: ReadTx, state: State, moment: datetime, *, limit: int) -> list[ItemId]:
        """Items in this state whose last decision is older than `moment`, longest ago first: for the retention."""
        query = select(ITEM.c.item).where(ITEM.c.state == state, ITEM.c.decided_at < render_time(moment))
        return [ItemId(found) for found in tx.connection.scalars(query.order_by(ITEM.c.decided_at).limit(limit))]

    def counts(self, tx: ReadTx) -> dict[State, int]:
        """How many items are in each state; reads one index from end to end."""
        query = select(ITEM.c.state, func.count()).group_by(ITEM.c.state)
        return {State(state): number for state, number in tx.connection.execute(query)}

    def known(self, tx: ReadTx, arrival: Arrival) -> bool:
        """Whether this very arrival is an item already."""
        return KNOWN.first(tx, {"which": identity_digest(arrival)}) is not None

    def same_post(self, tx: ReadTx, campaign: CampaignId, post: SafeName) -> list[ItemRow]:
        """The items that were dropped together in one post's folder, oldest first."""
        query = select(ITEM).where(ITEM.c.campaign == campaign, ITEM.c.post == post.text)
        return _listed(tx, query.order_by(ITEM.c.seq))

    def produced(self, tx: ReadTx, sha256: Sha256, *, but: ItemId | None = None) -> ItemId | None:
        """The first item (other than `but`) whose rebuilt bytes are these and that was held at least once."""
        makers = [ItemId(item) for (item,) in PRODUCED.rows(tx, {"which": sha256}) if item != but]
        return makers[0] if makers else None

    def returning(self, tx: ReadTx, item: ItemId) -> bool:
        """Whether its bytes were ours when it was entered, and no original of theirs had been staged before."""
        return CAME_BACK.first(tx, {"which": item}) == (1,)

    def staged_before(self, tx: ReadTx, sha256: Sha256, *, than: ItemId | None) -> bool:
        """Whether staff staged these very bytes before this item (or ever), other than as something that came back."""
        query = select(ITEM.c.seq).where(ITEM.c.sha256 == sha256, ITEM.c.came_back == 0)
        if than is not None:
            query = query.where(ITEM.c.seq < select(ITEM.c.seq).where(ITEM.c.item == than).scalar_subquery())
        return bool(tx.connection.scalar(select(exists(query))))

    def needed(self, tx: ReadTx, sha256: Sha256, *, but: ItemId | None, gone: frozenset[State]) -> bool:
        """Whether another item, in a state not among `gone`, has these bytes as its original or its rebuilt file."""
        query = select(ITEM.c.seq).where(
            or_(ITEM.c.sha256 == sha256, ITEM.c.rebuilt_sha256 == sha256), ITEM.c.state.not_in(sorted(gone))
        )
        if but is not None:
            query = query.where(ITEM.c.item != but)
        return bool(tx.connection.scalar(select(exists(query))))

    def feedback_due(self, tx: ReadTx, limit: int, *, patience: datetime | None = None) -> list[ItemRow]:
        """Items that changed since staff were last told, longest due first.

        With `patience`, what arrived after that moment and is still on its way to a verdict is left out.
        """
        query = select(ITEM).where(ITEM.c.told < ITEM.c.changed)
        if patience is not None:
            query = query.where(or_(ITEM.c.state.not_in(_ON_THE_WAY), ITEM.c.arrived_at < render_time(patience)))
        return _listed(tx, query.order_by(ITEM.c.changed).limit(limit))

    def feedback_done(self, tx: WriteTx, item: ItemId, seen_change: int) -> None:
        """Staff were told of this item as it was at `seen_change` (`ItemRow.change`); a later change stays due."""
        TOLD.run(tx, {"which": item, "seen": seen_change})

    def never_told(self, tx: ReadTx) -> set[ItemId]:
        """Items whose first notice is due."""
        query = select(ITEM.c.item).where(ITEM.c.told < ITEM.c.changed, ITEM.c.told == 0)
        return {ItemId(found) for found in tx.connection.scalars(query)}

    def feedback_again(self, tx: WriteTx) -> None:
        """All feedback that is still kept is due again: after a restore, into a folder that has none."""
        all_again(tx)

    def changed_since(self, tx: ReadTx, change: int, limit: int) -> list[tuple[int, ItemRow]]:
        """Items that changed after this change number, in the order of their last change, each with its number."""
        query = select(ITEM).where(ITEM.c.changed > change).order_by(ITEM.c.changed).limit(limit)
        return [(row.change, row) for row in _listed(tx, query)]

    def last_change(self, tx: ReadTx) -> int:
        """The number of the last change of any item, 0 before the first."""
        return _next_change(tx) - 1

    def _swap(self, tx: WriteTx, item: ItemId, was: frozenset[State], to: State, values: Values) -> None:
        values = {**values, **state_values(to, now=self._clock.now(), changed=_next_change(tx))}
        states = {f"was_{number}": state for number, state in enumerate(sorted(was))}
        if swap_of(frozenset(values), len(was)).run(tx, {**values, **states, "which": item}) == 1:
            return
        now = tx.connection.execute(select(ITEM.c.state).where(ITEM.c.item == item)).scalar_one_or_none()
        if now is None:
            raise _unknown(item)
        raise NotSo(
            f"Item {item} is {now}, so it cannot become {to}: for that it must be {' or '.join(sorted(was))}.",
            advice=f"See what happened to it: `transfer show {item}`.",
        )


def _next_change(tx: ReadTx) -> int:
    # The largest number is found at the end of its index; writers exclude each other, so no number is given twice.
    newest = LAST_CHANGE.first(tx)
    return 1 + (newest[0] if newest else 0)


def _unknown(item: ItemId) -> NotSo:
    return NotSo(f"There is no item {item}.", advice="`transfer status --all` lists all items.")


def _listed(tx: ReadTx, query: Select[Any]) -> list[ItemRow]:
    return [_item_row(found) for found in tx.connection.execute(query)]


def _item_row(found: Row[Any]) -> ItemRow:
    try:
        return ItemRow(
            item=ItemId(found.item),
            name=SafeName(found.name),
            campaign=None if found.campaign is None else CampaignId(found.campaign),
            post=None if found.post is None else SafeName(found.post),
            submitter=PersonId(found.submitter),
            state=State(found.state),
            waiting_for=None if found.waiting_for is None else WaitingFor(found.waiting_for),
            media_type=found.media_type,
            size=found.size,
            sha256=None if found.sha256 is None else Sha256(found.sha256),
            rebuilt_sha256=None if found.rebuilt_sha256 is None else Sha256(found.rebuilt_sha256),
            rebuilt_size=found.rebuilt_size,
            released_as=found.released_as,
            reasons=parse_reasons(found.reasons),
            arrived_at=parse_time(found.arrived_at),
            decided_at=None if found.decided_at is None else parse_time(found.decided_at),
            arrival=parse_arrival(found.arrival),
            retired=bool(found.retired),
            change=found.changed,
            ever_told=found.told > 0,
        )
    except ValueError as error:
        raise Tampered(f"The row of item {found.item!a} cannot be read.", advice="Restore the last backup.") from error

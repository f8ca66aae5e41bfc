"""From approval to the device's side and back: sends what is approved, takes back what was withdrawn or has expired,
restores what was altered there, removes originals whose copy has gone, and keeps the manifest in step.

What enters: items that signed statements speak of. What leaves: parcels, by the sink alone. One thread runs this; it
reads nothing on the device's side, and every check of an approval is made again just before the bytes go.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from transfer.approvals.approve import confirm, confirm_released, lapse
from transfer.approvals.decisions import close_withdrawal, open_withdrawals
from transfer.approvals.desk import Desk
from transfer.approvals.devices import usable_device
from transfer.approvals.pausing import pause_in_force
from transfer.errors import NotSo, Unavailable
from transfer.model.ends import Retirer
from transfer.model.events import Event, EventName
from transfer.model.identifiers import DeviceId, ItemId, SourceId
from transfer.model.states import Approved, Held, State
from transfer.policy.rules import Policy
from transfer.release.dispatch import Dispatch
from transfer.release.renew import ManifestKeeper
from transfer.release.send import restore, send
from transfer.release.withdraw import recall_lapsed, withdraw
from transfer.store.database import ReadTx
from transfer.store.queues import raw_kept, to_retire
from transfer.store.releases import ReleaseState

_BATCH = 50


def stands_now(tx: ReadTx, approved: Approved, *, desk: Desk, policy: Policy, device: DeviceId) -> None:
    """The last question before anything goes, in the transaction that records it.

    Raises NotSo if the approval stands no longer; Unavailable while releasing is paused or the device is not one that
    things may go to (G2): the item then stays approved and waits.
    """
    try:
        usable_device(tx, device, desk=desk)
    except NotSo as why:
        raise Unavailable(why.sentence, advice=why.advice, clauses=why.clauses) from why
    confirm(tx, approved.held, desk=desk, policy=policy)


@dataclass(frozen=True, kw_only=True)
class Departures:
    """The device's end of the line. `lapsed` is told of an item whose approval stands no longer, to judge it again."""

    dispatch: Dispatch
    manifest: ManifestKeeper
    desk: Desk
    policy: Policy
    device: DeviceId
    retirers: Mapping[SourceId, Retirer]
    lapsed: Callable[[ItemId], None]
    recheck: Callable[[], bool] = lambda: False  # what stands on the device's side is looked at again, by its facts

    def round(self) -> bool:
        """Everything that is due; whether there may be more at once. Raises Unavailable, Tampered."""
        more = False
        held_back: list[Unavailable] = []
        for step in (self._recall, self._take_back, self._put, self._retire, self.recheck, self._list):
            try:
                more = step() or more
            except Unavailable as error:  # the other steps do not wait for this one
                held_back.append(error)
        if held_back:
            raise held_back[0]
        return more

    def _recall(self) -> bool:
        recall_lapsed(dispatch=self.dispatch)
        return False

    def _put(self) -> bool:
        if self.paused():
            return False
        restored = self._restore()
        return self._send() or restored

    def _list(self) -> bool:
        self.manifest.renew()
        return False

    def paused(self) -> bool:
        """Whether somebody stopped releasing (G10). Taking back goes on."""
        with self.dispatch.database.read() as tx:
            return pause_in_force(tx, desk=self.desk) is not None

    def _send(self) -> bool:
        database, register = self.dispatch.database, self.dispatch.register
        with database.read() as tx:
            waiting = register.in_states(tx, [State.APPROVED], limit=_BATCH)
        for item in waiting:
            approved = self._confirmed(item)
            if approved is not None:
                self._send_one(approved, item)
        return len(waiting) == _BATCH

    def _send_one(self, approved: Approved, item: ItemId) -> None:
        try:
            send(approved, dispatch=self.dispatch, device=self.device)
        except NotSo:
            with self.dispatch.database.read() as tx:
                still = self.dispatch.register.row(tx, item).state is State.APPROVED
            # Somebody decided otherwise a moment ago: that decision stands.
            if still and self._confirmed(item) is not None:
                raise

    def _confirmed(self, item: ItemId) -> Approved | None:
        """The whole chain once more; an approval that stands no longer lapses, and the item waits for a new one."""
        database, register = self.dispatch.database, self.dispatch.register
        with database.write() as tx:
            held = register.load(tx, item)
            if not isinstance(held, Held):
                return None
            try:
                return confirm(tx, held, desk=self.desk, policy=self.policy)
            except NotSo as why:
                if register.row(tx, item).state is not State.APPROVED:
                    return None
                lapse(tx, held, why, desk=self.desk)
        self.lapsed(item)  # a crash before this line: the next start finds what was judged by another policy
        return None

    def _restore(self) -> bool:
        database, register = self.dispatch.database, self.dispatch.register
        with database.read() as tx:
            altered = self.dispatch.releases.current(tx, ReleaseState.ALTERED)
        for row in altered:
            with contextlib.suppress(NotSo):  # somebody took it back a moment ago: it is not put again
                with database.read() as tx:
                    held = register.load(tx, row.item)
                    approved = confirm_released(tx, held, desk=self.desk) if isinstance(held, Held) else None
                if approved is not None:
                    restore(approved, dispatch=self.dispatch)
        return False

    def _take_back(self) -> bool:
        database = self.dispatch.database
        with database.read() as tx:
            due = open_withdrawals(tx, desk=self.desk, limit=_BATCH)
        for request in due:
            # NotSo: it was carried out before a crash, or ended otherwise; the request is closed either way.
            with contextlib.suppress(NotSo):
                withdraw(
                    request.item,
                    dispatch=self.dispatch,
                    by=request.by,
                    facts={"statement_sha256": request.statement_sha256},
                )
            with database.write() as tx:
                close_withdrawal(tx, request.item, desk=self.desk)
        return len(due) == _BATCH

    def _retire(self) -> bool:
        """Originals whose copy has gone, if they are still the same arrival; whatever else stands there now stays."""
        database, register = self.dispatch.database, self.dispatch.register
        with database.read() as tx:
            due = [(item, register.row(tx, item)) for item in to_retire(tx, limit=_BATCH)]
        for item, row in due:
            retirer = self.retirers.get(row.arrival.source)
            removed = retirer is not None and retirer.retire(row.arrival)
            # A crash here: it is gone and not recorded; the next round finds it gone and records that.
            event = Event(name=EventName.ORIGINAL_RETIRED, item=item, facts={"removed": removed})
            with database.write() as tx:
                register.set_retired(tx, item, event)
                raw_kept(tx, item, self.dispatch.clock.now())
        return len(due) == _BATCH

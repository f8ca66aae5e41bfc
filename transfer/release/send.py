"""Approved ─▶ Released, and putting a release back that somebody altered.

    1  the intention, with names and digest, is durable in the log          after a crash here: sent again, same names
    2  the live guard has acknowledged that it will come
    3  all bytes are there, under a temporary name or in an upload that
       nobody sees; the approval is asked for once more; the commit         after a crash here: the guard vouches for it
    4  the release is durable in the log
    5  the guard is told that it stands                                     after a crash here: its next list says so

Start-up runs the same code: what was intended and stands there whole is confirmed, anything else is put again, always
under the same name. An item has one release for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from transfer.errors import NotSo
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import DeviceId, ItemId, Sha256
from transfer.model.media import Family
from transfer.model.names import SafeName
from transfer.model.states import Approved, Receipt, Released, State
from transfer.release.dispatch import Dispatch, expectation_of
from transfer.release.parcel import (
    MANIFEST_NAME,
    approved_clean,
    approved_item,
    make_parcel,
    temporary_name,
    wanted_name,
)
from transfer.store.database import ReadTx, WriteTx
from transfer.store.releases import ReleaseRow, ReleaseState


def send(approved: Approved, *, dispatch: Dispatch, device: DeviceId) -> Released:
    """Puts approved bytes on the device's side; returns once that is in the log.

    The approval is checked in the transaction that records the releasing, and by the sink once more before its commit.
    Raises Unavailable (paused, no live guard, disk full: try again later), NotSo (not approved any more, or released
    already), Tampered (the bytes are not the approved ones). The manifest is the caller's to renew.
    """
    still_stands = partial(_require_approved, approved, dispatch)
    row, resumed = _intend(approved, dispatch, device, quickxor=_hashed(approved, dispatch, may_go=still_stands))
    dispatch.lookout.expect(expectation_of(row, dispatch))
    receipt = _deliver(approved, row, dispatch, may_be_there=resumed, still_stands=still_stands)
    _confirm(approved, row, receipt, dispatch)
    dispatch.lookout.placed(expectation_of(row, dispatch))
    return Released(approved=approved, receipt=receipt, device=row.device, number=row.number)


def restore(approved: Approved, *, dispatch: Dispatch) -> None:
    """Puts the genuine file under its recorded name again, after somebody altered it there.

    Raises as `send` does; NotSo if the release is not one that was altered.
    """
    item = approved_item(approved)
    still_stands = partial(_require_altered, item, dispatch)
    still_stands()
    quickxor = _hashed(approved, dispatch, may_go=still_stands)
    with dispatch.database.write() as tx:
        dispatch.releases.require_open(tx)
        row = dispatch.releases.find(tx, item)
        if row is None or row.state is not ReleaseState.ALTERED:
            raise NotSo(f"The release of {item} is not one that has to be restored.")
        _note_hash(tx, row, quickxor, dispatch)
    dispatch.lookout.expect(expectation_of(row, dispatch))
    _deliver(approved, row, dispatch, may_be_there=True, still_stands=still_stands)
    # A crash here: it is there, and the same steps find it so.
    event = Event(
        name=EventName.RELEASE_RESTORED,
        item=item,
        file=FileFact(sha256=row.sha256, size=row.size),
        facts={"number": row.number},
    )
    with dispatch.database.write() as tx:
        dispatch.releases.restored(tx, item, event)
    dispatch.lookout.placed(expectation_of(row, dispatch))


def _hashed(approved: Approved, dispatch: Dispatch, *, may_go: Callable[[], None]) -> str | None:
    """What a drive will tell the bytes by: as it was recorded before, or read out of the file once.

    Raises what `may_go` raises: a large file is not read each second while nothing may go.
    """
    if dispatch.marks is None:
        return None
    with dispatch.database.read() as tx:
        row = dispatch.releases.find(tx, approved_item(approved))
    if row is not None and row.quickxor is not None:
        return row.quickxor
    may_go()
    return dispatch.hashed(approved_clean(approved))


def _note_hash(tx: WriteTx, row: ReleaseRow, quickxor: str | None, dispatch: Dispatch) -> None:
    """Of a release that was recorded when the device's side was a folder on a disk."""
    if row.quickxor is None and quickxor is not None:
        dispatch.releases.hashed(tx, row.item, quickxor)


def _intend(
    approved: Approved, dispatch: Dispatch, device: DeviceId, *, quickxor: str | None
) -> tuple[ReleaseRow, bool]:
    """The recorded release, and whether it was recorded before: then a crash may have come after the rename."""
    item = approved_item(approved)
    with dispatch.database.write() as tx:
        _require_still_approved(tx, approved, dispatch)
        found = dispatch.releases.find(tx, item)
        if found is None:
            _intend_first(tx, approved, dispatch, device, quickxor=quickxor)
        elif found.state is ReleaseState.LAPSED:
            event = _event(
                EventName.FILE_RELEASING, approved, number=found.number, device=found.device, name=found.name
            )
            dispatch.releases.intend_again(tx, item, event)
        elif found.state is not ReleaseState.INTENDED:
            raise NotSo(f"The release of {item} is {found.state.value}; it is not put a second time.")
        row = dispatch.releases.find(tx, item)
        if row is None:
            raise NotSo(f"The release of {item} was not recorded.")
        _note_hash(tx, row, quickxor, dispatch)
    return row, found is not None


def _intend_first(
    tx: WriteTx, approved: Approved, dispatch: Dispatch, device: DeviceId, *, quickxor: str | None
) -> None:
    number = dispatch.releases.next_number(tx)
    name = dispatch.releases.free_name(tx, dispatch.fitting(wanted_name(approved)), reserved=(MANIFEST_NAME,))
    dispatch.releases.intend(
        tx,
        item=approved_item(approved),
        number=number,
        clean=approved_clean(approved),
        name=name,
        temporary=temporary_name(dispatch.entropy(8)),
        campaign=approved.held.rebuilt.examined.spooled.arrived.campaign,
        device=device,
        event=_event(EventName.FILE_RELEASING, approved, number=number, device=device, name=name),
        quickxor=quickxor,
    )


def _deliver(
    approved: Approved, row: ReleaseRow, dispatch: Dispatch, *, may_be_there: bool, still_stands: Callable[[], None]
) -> Receipt:
    if may_be_there and not dispatch.sink_knows and dispatch.lookout.is_present(row.name) == row.sha256:
        # The rename was done before a crash. Where it was a link and an unlink, the temporary may still be there.
        dispatch.recaller.recall(row.temporary)
        return Receipt(name=row.name, sha256=row.sha256, size=row.size, at=dispatch.clock.now())
    with dispatch.blobs.open_clean(row.sha256) as content:
        return dispatch.sink.put(make_parcel(approved, row=row, content=content, still_stands=still_stands))


def _require_approved(approved: Approved, dispatch: Dispatch) -> None:
    """Asked by the sink when all that is left is to make the bytes visible. Raises NotSo, Unavailable."""
    with dispatch.database.read() as tx:
        _require_still_approved(tx, approved, dispatch)


def _require_still_approved(tx: ReadTx, approved: Approved, dispatch: Dispatch) -> None:
    item = approved_item(approved)
    dispatch.releases.require_open(tx)
    state = dispatch.register.row(tx, item).state
    if state is not State.APPROVED:
        raise NotSo(f"Item {item} is {state.value}; only an approved one can be released.")
    dispatch.enclosed()
    dispatch.stands(tx, approved)  # a withdrawal may have been handed in since it was confirmed


def _require_altered(item: ItemId, dispatch: Dispatch) -> None:
    """The same question for a file that is put again. Raises NotSo, Unavailable."""
    dispatch.enclosed()
    with dispatch.database.read() as tx:
        dispatch.releases.require_open(tx)
        row = dispatch.releases.find(tx, item)
    if row is None or row.state is not ReleaseState.ALTERED:
        raise NotSo(f"The release of {item} is not one that has to be restored.")


def _confirm(approved: Approved, row: ReleaseRow, receipt: Receipt, dispatch: Dispatch) -> None:
    event = _event(EventName.FILE_RELEASED, approved, number=row.number, device=row.device, name=row.name)
    try:
        with dispatch.database.write() as tx:
            dispatch.releases.confirm(tx, row.item, receipt)
            if approved_clean(approved).format.family is not Family.TEXT:
                dispatch.fingerprints.released(tx, row.item, approved.held.rebuilt.examined.fingerprints)
            dispatch.register.mark(
                tx, row.item, State.RELEASED, event, was=frozenset({State.APPROVED}), released_as=row.name.text
            )
    except NotSo:
        # Somebody decided otherwise while it was being written: it does not stay. The row still says intended; a
        # crash before this line leaves it to the withdrawal or to `recall_lapsed`.
        dispatch.lookout.forget(row.name)
        dispatch.recaller.recall(row.name)
        raise


def _event(step: EventName, approved: Approved, *, number: int, device: DeviceId, name: SafeName) -> Event:
    clean = approved_clean(approved)
    facts: dict[str, Json] = {
        "number": number,
        "device": device,
        "format": clean.format.value,
        "statement_sha256": approved.statement_sha256,
    }
    campaign = approved.held.rebuilt.examined.spooled.arrived.campaign
    if campaign is not None:
        facts["campaign"] = campaign
    return Event(
        name=step,
        item=approved_item(approved),
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(approved.held.verdict.policy_sha256),
        facts=facts,
        private={"name": name.text},
    )

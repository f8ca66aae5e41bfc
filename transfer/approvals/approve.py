"""Approval: a signed statement lets exactly these rebuilt bytes go. The only maker of `Approved`.

What enters: an untrusted note, then, before anything is released, the held item again. What leaves: an item marked
approved with its entry in the log, then an `Approved` that was derived from signatures a moment ago.

The checks, in order: the statement is well formed; it speaks of PUBLIC, one to 64 items, and a risk (G6, G7); its
signer has a chain to the first approver and is an approver now (G1); it was not handed in before; its time is sane;
the campaign is approved and current (G1); each item waits for approval, under the policy in force, with these bytes,
in this campaign, dropped by somebody else (four eyes), scanned not too long ago (G9), and whatever of it a person had
to look at was cleared by a review that stands (`reviews`). `confirm` makes all of them again from the stored notes.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.approvals.authority import Authority
from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.log_heads import recorded_terms
from transfer.approvals.quorum import check_campaign, check_time, missing
from transfer.approvals.reviews import check_cleared
from transfer.approvals.signing import Signed, read_unverified
from transfer.approvals.standing import (
    Approvals,
    arrived_of,
    check_approval,
    check_role,
    check_scans,
    item_of,
    opened_approval,
    standing_now,
    standing_once,
    valid_for,
)
from transfer.approvals.statement import ApprovalStatement, WithdrawalStatement
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.model.clock import render_time
from transfer.model.events import Event, EventName, FileFact
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import Approved, Held, State
from transfer.policy.rules import Policy
from transfer.store.database import ReadTx, WriteTx

KIND = ApprovalStatement.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedApproval:
    """What became of a statement: items approved now, and items that wait for so many more approvers."""

    statement_sha256: Sha256
    by: PersonId
    approved: tuple[ItemId, ...]
    waiting: tuple[tuple[ItemId, int], ...]


def accept(tx: WriteTx, note: str, *, desk: Desk, policy: Policy) -> AcceptedApproval:
    """Take in an approval and mark what it completes.

    Raises Misuse if the note is malformed, NotSo (one sentence for each reason) if it may not take effect, Tampered
    if our own records do not agree. Then nothing was changed: the caller's transaction ends with the error.
    """
    claimed = read_unverified(note)
    if not isinstance(claimed, ApprovalStatement):
        raise wrong_kind(claimed.kind, KIND)
    authority = desk.authority(tx, campaign=claimed.campaign)
    signed = authority.open(note)
    statement = opened_approval(signed)
    check_role(statement, authority, policy=policy)
    now = desk.clock.now()
    valid = valid_for(policy)
    check_time(statement.at, now=now, valid=valid)
    check_campaign(authority.campaign(statement.campaign), statement.campaign, now=now)
    held = {item: _waiting(tx, item, desk=desk) for item, _ in statement.items}
    for item in held.values():
        check_approval(statement, item, policy=policy)
        check_scans(item, policy=policy, now=now)
        check_cleared(tx, item, desk=desk, policy=policy)
    private = {} if statement.note is None else {"note": desk.words(tx, statement.note)}
    facts = {"valid_until": render_time(statement.at + valid)}
    desk.take_in(
        tx,
        signed,
        EventName.STATEMENT_ACCEPTED,
        items=tuple(held),
        policy=Sha256(policy.sha256),
        facts=facts,
        private=private,
    )
    approved: list[ItemId] = []
    waiting: list[tuple[ItemId, int]] = []
    for name, item in held.items():
        found = standing_now(tx, item, authority=authority, desk=desk, policy=policy)
        lacking = missing((one.statement.by for one in found.standing), quorum=policy.approval.quorum)
        if lacking:
            waiting.append((name, lacking))
        else:
            _mark_approved(tx, item, signed=signed, found=found, desk=desk, policy=policy)
            approved.append(name)
    return AcceptedApproval(
        statement_sha256=signed.sha256, by=statement.by, approved=tuple(approved), waiting=tuple(waiting)
    )


def confirm(tx: ReadTx, held: Held, *, desk: Desk, policy: Policy) -> Approved:
    """The whole chain once more, from the stored notes. Call it in the transaction that records the releasing.

    Raises Unavailable while releasing is paused (the item stays as it is), NotSo if the approval stands no longer
    (expired, signer disabled, campaign over, policy changed, malware scan too old, withdrawn: `lapse` the item),
    Tampered if the item is marked approved and no valid chain of signatures ever said so.
    """
    item = item_of(held)
    authority = _right_now(tx, held, State.APPROVED, desk=desk)
    campaign = arrived_of(held).campaign
    if campaign is None:
        raise Tampered(f"Item {item} is marked approved and belongs to no campaign.", clauses=("G1",))
    check_campaign(authority.campaign(campaign), campaign, now=desk.clock.now())
    check_cleared(tx, held, desk=desk, policy=policy)
    check_scans(held, policy=policy, now=desk.clock.now())
    found = standing_now(tx, held, authority=authority, desk=desk, policy=policy)
    return _derived(held, found, quorum=policy.approval.quorum)


def confirm_released(tx: ReadTx, held: Held, *, desk: Desk) -> Approved:
    """That what was released had been approved: to put the genuine file back where somebody altered it.

    What ended since (the campaign, the approval's time, a signer's rights, the policy) does not matter; what was signed
    does, under the demands that the log recorded, and that releasing is not paused and nobody has withdrawn it. Raises
    as `confirm` does.
    """
    authority = _right_now(tx, held, State.RELEASED, desk=desk)
    terms = recorded_terms(tx, item_of(held))
    found = standing_once(tx, held, authority=authority, desk=desk, four_eyes=terms.four_eyes)
    return _derived(held, found, quorum=terms.quorum)


def lapse(tx: WriteTx, held: Held, why: NotSo, *, desk: Desk) -> None:
    """An approval that stands no longer: the item waits for a new one. `why` is what `confirm` raised."""
    clean = held.rebuilt.clean
    event = Event(
        name=EventName.FILE_HELD,
        item=item_of(held),
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(held.verdict.policy_sha256),
        facts={"waiting_for": WaitingFor.APPROVAL.value, "lapsed": True, "clauses": list(why.clauses)},
    )
    desk.register.mark(tx, item_of(held), State.HELD, event, was=frozenset({State.APPROVED}))


def _waiting(tx: ReadTx, item: ItemId, *, desk: Desk) -> Held:
    """The item, if it waits for approval and for nothing else."""
    row = desk.register.row(tx, item)
    record = desk.register.load(tx, item)
    if row.state is not State.HELD or not isinstance(record, Held):
        raise NotSo(
            f"Item {item} is {row.state}; only one that is held and waits for approval can be approved.",
            advice=f"`transfer show {item}` tells what happened to it.",
        )
    if record.verdict.refused or record.verdict.waiting_for is not WaitingFor.APPROVAL:
        raise NotSo(
            f"Item {item} waits for {record.verdict.waiting_for or 'nothing'}, not for approval.",
            advice=f"`transfer show {item}` tells what it needs first.",
        )
    if row.rebuilt_sha256 != record.rebuilt.clean.sha256:
        raise Tampered(f"The row of item {item} and its record do not agree.", advice="`transfer audit verify`.")
    return record


def _right_now(tx: ReadTx, held: Held, state: State, *, desk: Desk) -> Authority:
    """Who may decide now, if the item is in this state, as recorded, not withdrawn, and releasing is not paused."""
    item, arrived = item_of(held), arrived_of(held)
    row = desk.register.row(tx, item)
    if row.state is not state:
        raise NotSo(f"Item {item} is {row.state}, not {state}.", advice=f"`transfer show {item}`.")
    recorded = (row.rebuilt_sha256, row.submitter, row.campaign)
    if recorded != (held.rebuilt.clean.sha256, arrived.submitter, arrived.campaign):
        raise Tampered(f"The row of item {item} and its record do not agree.", advice="`transfer audit verify`.")
    authority = desk.authority(tx, campaign=arrived.campaign)
    if authority.pause is not None:
        raise Unavailable(
            f"Releasing is paused by {authority.pause.by} since {render_time(authority.pause.at)}.",
            advice="It goes on after `transfer resume`.",
        )
    if desk.statements.about(tx, item, WithdrawalStatement.kind):
        raise NotSo(f"Item {item} was withdrawn after it was approved.", advice=f"`transfer show {item}`.")
    return authority


def _derived(held: Held, found: Approvals, *, quorum: int) -> Approved:
    """The only place where an Approved is made."""
    lacking = missing((one.statement.by for one in found.standing), quorum=quorum)
    if lacking:
        why = NotSo(
            f"Item {item_of(held)} needs the approval of {lacking} more.",
            advice="Ask another approver to sign.",
            clauses=("G6",),
        )
        raise next(iter(found.reasons), why)
    last = found.standing[-1]
    return Approved(
        held=held,
        statement_sha256=last.sha256,
        approvers=tuple(dict.fromkeys(one.statement.by for one in found.standing)),
        approved_at=last.statement.at,
    )


def _mark_approved(tx: WriteTx, held: Held, *, signed: Signed, found: Approvals, desk: Desk, policy: Policy) -> None:
    clean = held.rebuilt.clean
    last = found.standing[-1].statement
    event = Event(
        name=EventName.FILE_APPROVED,
        item=item_of(held),
        by=signed.statement.by,
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(policy.sha256),
        facts={
            "statement_sha256": signed.sha256,
            "statements": [one.sha256 for one in found.standing],
            "quorum": policy.approval.quorum,
            "four_eyes": policy.approval.four_eyes,
            "campaign": last.campaign,
            "public": last.public,
            "risk": last.risk.value,
        },
    )
    desk.register.mark(tx, item_of(held), State.APPROVED, event, was=frozenset({State.HELD}))

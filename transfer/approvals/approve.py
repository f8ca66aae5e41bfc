"""Approval: a signed statement lets exactly these rebuilt bytes go. The only maker of `Approved`.

What enters: an untrusted note, then, before anything is released, the held item again. What leaves: an item marked
approved with its entry in the log, then an `Approved` that was derived from signatures a moment ago.

The checks, in order: the statement is well formed; it speaks of PUBLIC, one to 64 items, and a risk (G6, G7); its
signer has a chain to the first approver and is an approver now (G1); it was not handed in before; its time is sane;
the campaign is approved and current (G1); each item waits for approval, under the policy in force, with these bytes,
in this campaign, dropped by somebody else (four eyes). `confirm` makes all of them again from the stored notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from transfer.approvals.authority import Authority
from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.quorum import check_campaign, check_item, check_policy, check_time, missing
from transfer.approvals.signing import Signed, Unvouched, read_unverified
from transfer.approvals.statement import ApprovalStatement
from transfer.errors import Misuse, NotSo, Tampered, Unavailable
from transfer.model.clock import render_time
from transfer.model.events import Event, EventName, FileFact
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import Approved, Arrived, Held, State
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
    signed, statement = _opened(authority, note, policy=policy)
    now = desk.clock.now()
    valid = timedelta(days=policy.approval.valid_days)
    check_time(statement.at, now=now, valid=valid)
    check_campaign(authority.campaign(statement.campaign), statement.campaign, now=now)
    held = {item: _waiting(tx, item, desk=desk) for item, _ in statement.items}
    for item in held.values():
        _check(statement, item, policy=policy)
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
        standing, _ = _standing(tx, item, authority=authority, desk=desk, policy=policy)
        lacking = missing((one.statement.by for one in standing), quorum=policy.approval.quorum)
        if lacking:
            waiting.append((name, lacking))
            continue
        _mark_approved(tx, item, signed=signed, standing=standing, desk=desk, policy=policy)
        approved.append(name)
    return AcceptedApproval(
        statement_sha256=signed.sha256, by=statement.by, approved=tuple(approved), waiting=tuple(waiting)
    )


def confirm(tx: ReadTx, held: Held, *, desk: Desk, policy: Policy) -> Approved:
    """The whole chain once more, from the stored notes. Call it in the transaction that records the releasing.

    Raises Unavailable while releasing is paused (the item stays as it is), NotSo if the approval stands no longer
    (expired, signer disabled, campaign over, policy changed, withdrawn: `lapse` the item), Tampered if the item is
    marked approved and no valid chain of signatures ever said so.
    """
    item, campaign = _item(held), _arrived(held).campaign
    row = desk.register.row(tx, item)
    if row.state is not State.APPROVED:
        raise NotSo(f"Item {item} is {row.state}, not approved.", advice=f"`transfer show {item}`.")
    if (row.rebuilt_sha256, row.submitter, row.campaign) != (
        held.rebuilt.clean.sha256,
        _arrived(held).submitter,
        campaign,
    ):
        raise Tampered(f"The row of item {item} and its record do not agree.", advice="`transfer audit verify`.")
    authority = desk.authority(tx, campaign=campaign)
    if authority.pause is not None:
        raise Unavailable(
            f"Releasing is paused by {authority.pause.by} since {render_time(authority.pause.at)}.",
            advice="It goes on after `transfer resume`.",
        )
    if campaign is None:
        raise Tampered(f"Item {item} is marked approved and belongs to no campaign.", clauses=("G1",))
    check_campaign(authority.campaign(campaign), campaign, now=desk.clock.now())
    if desk.statements.about(tx, item, "withdrawal"):
        raise NotSo(f"Item {item} was withdrawn after it was approved.", advice=f"`transfer show {item}`.")
    standing, reasons = _standing(tx, held, authority=authority, desk=desk, policy=policy)
    lacking = missing((one.statement.by for one in standing), quorum=policy.approval.quorum)
    if lacking:
        raise (
            reasons[0]
            if reasons
            else NotSo(
                f"Item {item} needs the approval of {lacking} more.",
                advice="Ask another approver to sign.",
                clauses=("G6",),
            )
        )
    last = standing[-1]
    return Approved(
        held=held,
        statement_sha256=last.sha256,
        approvers=tuple(dict.fromkeys(one.statement.by for one in standing)),
        approved_at=last.statement.at,
    )


def lapse(tx: WriteTx, held: Held, why: NotSo, *, desk: Desk) -> None:
    """An approval that stands no longer: the item waits for a new one. `why` is what `confirm` raised."""
    clean = held.rebuilt.clean
    event = Event(
        name=EventName.FILE_HELD,
        item=_item(held),
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(held.verdict.policy_sha256),
        facts={"waiting_for": WaitingFor.APPROVAL.value, "lapsed": True, "clauses": list(why.clauses)},
    )
    desk.register.mark(tx, _item(held), State.HELD, event, was=frozenset({State.APPROVED}))


def _opened(authority: Authority, note: str, *, policy: Policy) -> tuple[Signed, ApprovalStatement]:
    signed = authority.open(note)
    if not isinstance(signed.statement, ApprovalStatement):
        raise wrong_kind(signed.statement.kind, KIND)
    if not {role.value for role in authority.members[signed.statement.by].roles} & set(policy.approval.roles):
        raise NotSo(
            f"{signed.statement.by} is not {' or '.join(policy.approval.roles)}, whom the policy asks to approve.",
            advice="Ask somebody in that role.",
            clauses=("G1",),
        )
    return signed, signed.statement


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


def _check(statement: ApprovalStatement, held: Held, *, policy: Policy) -> None:
    """Everything about one item that needs no table."""
    check_policy(statement.policy, judged=held.verdict.policy_sha256, in_force=policy.sha256)
    check_item(
        statement,
        item=_item(held),
        sha256=held.rebuilt.clean.sha256,
        campaign=_arrived(held).campaign,
        submitter=_arrived(held).submitter,
        four_eyes=policy.approval.four_eyes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    statement: ApprovalStatement
    sha256: Sha256


def _standing(
    tx: ReadTx, held: Held, *, authority: Authority, desk: Desk, policy: Policy
) -> tuple[list[_Standing], list[NotSo]]:
    """The approvals of this item that count now, oldest first, and why others do not. Raises Tampered."""
    rows = desk.statements.about(tx, _item(held), KIND)
    if not rows:
        raise Tampered(
            f"Item {_item(held)} is marked approved, and nobody signed that.",
            advice="Stop the gateway and run `transfer audit verify`.",
            clauses=("G6",),
        )
    standing: list[_Standing] = []
    reasons: list[NotSo] = []
    valid = timedelta(days=policy.approval.valid_days)
    for row in rows:
        try:
            signed, statement = _opened(authority, row.note, policy=policy)
            _check(statement, held, policy=policy)
            check_time(statement.at, now=desk.clock.now(), valid=valid)
        except (Unvouched, Misuse) as error:
            raise Tampered(
                f"A stored approval of item {_item(held)} was never signed by an approver: {error.sentence}",
                advice="Stop the gateway and run `transfer audit verify`.",
                clauses=error.clauses,
            ) from error
        except NotSo as error:
            reasons.append(error)
            continue
        if signed.sha256 != row.sha256:
            raise Tampered(f"A stored approval of item {_item(held)} stands under another digest than its own.")
        standing.append(_Standing(statement=statement, sha256=signed.sha256))
    return standing, reasons


def _mark_approved(
    tx: WriteTx, held: Held, *, signed: Signed, standing: list[_Standing], desk: Desk, policy: Policy
) -> None:
    clean = held.rebuilt.clean
    last = standing[-1].statement
    event = Event(
        name=EventName.FILE_APPROVED,
        item=_item(held),
        by=signed.statement.by,
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(policy.sha256),
        facts={
            "statement_sha256": signed.sha256,
            "statements": [one.sha256 for one in standing],
            "quorum": policy.approval.quorum,
            "campaign": last.campaign,
            "public": last.public,
            "risk": last.risk.value,
        },
    )
    desk.register.mark(tx, _item(held), State.APPROVED, event, was=frozenset({State.HELD}))


def _arrived(held: Held) -> Arrived:
    return held.rebuilt.examined.spooled.arrived


def _item(held: Held) -> ItemId:
    return _arrived(held).item

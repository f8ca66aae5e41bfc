"""The approvals of one item that count at this moment, each opened and checked again from its stored note.

What enters: a held item and who may decide now (`authority`). What leaves: the statements that count, and why others do
not. A note that no key ever vouched for, or that speaks of something else than the row says, is tampering and not a no.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from transfer.approvals.authority import Authority
from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.quorum import check_item, check_policy, check_time
from transfer.approvals.signing import Signed, Unvouched
from transfer.approvals.statement import ApprovalStatement
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.states import Arrived, Held
from transfer.policy.rules import Policy
from transfer.store.database import ReadTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An approval that counts."""

    statement: ApprovalStatement
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """What counts for one item, oldest first, and the reasons why other approvals of it do not."""

    standing: tuple[Standing, ...]
    reasons: tuple[NotSo, ...]


def arrived_of(held: Held) -> Arrived:
    """Where the item came from."""
    return held.rebuilt.examined.spooled.arrived


def item_of(held: Held) -> ItemId:
    """Which item it is."""
    return arrived_of(held).item


def opened_approval(signed: Signed) -> ApprovalStatement:
    """The statement, if it is an approval. Raises Misuse."""
    if not isinstance(signed.statement, ApprovalStatement):
        raise wrong_kind(signed.statement.kind, ApprovalStatement.kind)
    return signed.statement


def valid_for(policy: Policy) -> timedelta:
    """How long an approval releases anything."""
    return timedelta(days=policy.approval.valid_days)


def check_role(statement: ApprovalStatement, authority: Authority, *, policy: Policy) -> None:
    """The signer has one of the roles that the policy asks for. Raises NotSo."""
    member = authority.members.get(statement.by)
    if member is None or not {role.value for role in member.roles} & set(policy.approval.roles):
        raise NotSo(
            f"{statement.by} is not {' or '.join(policy.approval.roles)}, whom the policy asks to approve.",
            advice="Ask somebody in that role.",
            clauses=("G1",),
        )


def check_approval(statement: ApprovalStatement, held: Held, *, policy: Policy) -> None:
    """Everything about one item that needs no table. Raises NotSo."""
    check_policy(statement.policy, judged=held.verdict.policy_sha256, in_force=policy.sha256)
    _check_bytes_and_people(statement, held, four_eyes=policy.approval.four_eyes)


def check_scans(held: Held, *, policy: Policy, now: datetime) -> None:
    """The malware scans are not older than the policy lets signatures be (G9). Raises NotSo.

    An answer without a time, of a scanner that goes by its rules and not by their age, is judged elsewhere.
    """
    scans = held.rebuilt.examined.scans + held.rebuilt.scans
    age = now - min((scan.at for scan in scans if scan.at is not None), default=now)
    allowed = policy.malware.max_signature_age_days
    if age > timedelta(days=allowed):
        raise NotSo(
            f"Item {item_of(held)} was scanned for malware {age.days} days ago; {allowed} are allowed.",
            advice="The running gateway scans it again by itself within a quarter of an hour; approve it then.",
            clauses=("G9",),
        )


def standing_now(tx: ReadTx, held: Held, *, authority: Authority, desk: Desk, policy: Policy) -> Approvals:
    """With the rights, keys, policy and time of now. Raises Tampered."""

    def check(statement: ApprovalStatement) -> None:
        check_role(statement, authority, policy=policy)
        check_approval(statement, held, policy=policy)
        check_time(statement.at, now=desk.clock.now(), valid=valid_for(policy))

    return _collect(tx, held, open_=authority.open, check=check, desk=desk)


def standing_once(tx: ReadTx, held: Held, *, authority: Authority, desk: Desk, four_eyes: bool) -> Approvals:
    """As signed at the time, whoever has been disabled or has changed keys since. Raises Tampered."""

    def check(statement: ApprovalStatement) -> None:
        _check_bytes_and_people(statement, held, four_eyes=four_eyes)

    return _collect(tx, held, open_=authority.open_past, check=check, desk=desk)


def _check_bytes_and_people(statement: ApprovalStatement, held: Held, *, four_eyes: bool) -> None:
    check_item(
        statement,
        item=item_of(held),
        sha256=held.rebuilt.clean.sha256,
        campaign=arrived_of(held).campaign,
        submitter=arrived_of(held).submitter,
        four_eyes=four_eyes,
    )


def _collect(
    tx: ReadTx,
    held: Held,
    *,
    open_: Callable[[str], Signed],
    check: Callable[[ApprovalStatement], None],
    desk: Desk,
) -> Approvals:
    item = item_of(held)
    standing: list[Standing] = []
    reasons: list[NotSo] = []
    rows = desk.statements.about(tx, item, ApprovalStatement.kind)
    if not rows:
        raise _tampered(f"Item {item} is marked approved, and nobody signed that.")
    for row in rows:
        try:
            signed = open_(row.note)
            statement = opened_approval(signed)
            if signed.sha256 != row.sha256 or (item, held.rebuilt.clean.sha256) not in statement.items:
                raise _tampered(f"A stored approval of item {item} is about something else.")
            check(statement)
        except (Unvouched, Misuse) as error:
            raise _tampered(
                f"A stored approval of item {item} was never signed by an approver: {error.sentence}"
            ) from error
        except NotSo as error:
            reasons.append(error)
        else:
            standing.append(Standing(statement=statement, sha256=signed.sha256))
    return Approvals(standing=tuple(standing), reasons=tuple(reasons))


def _tampered(sentence: str) -> Tampered:
    return Tampered(sentence, advice="Stop the gateway and run `transfer audit verify`.", clauses=("G6",))

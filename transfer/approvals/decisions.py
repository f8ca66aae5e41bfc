"""The other two decisions: an approver (or operator) refuses a held item, or withdraws one that was let go.

What enters: untrusted signed notes. What leaves: the refusal, complete; or the withdrawal, recorded at once and carried
out by whoever runs the gateway, because only it may touch the device's side. From the moment a withdrawal is recorded
the item is not released any more (`approve.confirm`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from transfer.approvals.desk import HAND_IN_WITHIN, Desk, wrong_kind
from transfer.approvals.quorum import check_bytes, check_time
from transfer.approvals.signing import Signed, read_unverified
from transfer.approvals.statement import Item, RefusalStatement, WithdrawalStatement
from transfer.errors import NotSo
from transfer.model.chronicle import refused_event
from transfer.model.events import Event, EventName, FileFact
from transfer.model.findings import Code, Finding, Reason, Severity
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import Held, Refused, State
from transfer.policy.rules import Policy
from transfer.store.database import ReadTx, WriteTx

_REFUSED = "An approver refused it"
_WITHDRAWABLE = frozenset({State.HELD, State.APPROVED, State.RELEASED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a refusal or withdrawal did: `done` now, `pending` until the gateway carries it out."""

    statement_sha256: Sha256
    by: PersonId
    done: tuple[ItemId, ...]
    pending: tuple[ItemId, ...] = ()


def refuse(tx: WriteTx, note: str, *, desk: Desk, policy: Policy) -> Decided:
    """Refuse held items for a reason that staff will read. Raises Misuse, NotSo, Tampered; then nothing was changed."""
    signed = desk.authority(tx).open(note)
    statement = signed.statement
    if not isinstance(statement, RefusalStatement):
        raise wrong_kind(statement.kind, RefusalStatement.kind)
    check_time(statement.at, now=desk.clock.now(), valid=HAND_IN_WITHIN)
    reason = desk.words(tx, statement.reason)
    held = [_held(tx, item, desk=desk, allowed=frozenset({State.HELD})) for item in statement.items]
    _record(tx, signed, statement.items, reason, desk=desk)
    for item in held:
        refused = refused_by_person(item, reason, policy=policy)
        event = refused_event(refused, by=statement.by)
        event = replace(event, facts={**event.facts, "statement_sha256": signed.sha256})
        desk.register.advance(tx, refused, event, was=State.HELD)
    return Decided(statement_sha256=signed.sha256, by=statement.by, done=tuple(item for item, _ in statement.items))


def withdraw(tx: WriteTx, note: str, *, desk: Desk) -> Decided:
    """Withdraw items: those still held at once, the others as soon as the gateway comes to it (`open_withdrawals`).

    Raises Misuse, NotSo, Tampered; then nothing was changed.
    """
    signed = desk.authority(tx).open(note)
    statement = signed.statement
    if not isinstance(statement, WithdrawalStatement):
        raise wrong_kind(statement.kind, WithdrawalStatement.kind)
    check_time(statement.at, now=desk.clock.now(), valid=HAND_IN_WITHIN)
    reason = desk.words(tx, statement.reason)
    held = [_held(tx, item, desk=desk, allowed=_WITHDRAWABLE) for item in statement.items]
    _record(tx, signed, statement.items, reason, desk=desk)
    done: list[ItemId] = []
    pending: list[ItemId] = []
    for item, _ in statement.items:
        if desk.register.row(tx, item).state is State.HELD:
            event = _withdrawn_event(held[len(done) + len(pending)], by=statement.by, statement=signed.sha256)
            desk.register.mark(tx, item, State.WITHDRAWN, event, was=frozenset({State.HELD}))
            done.append(item)
        else:
            desk.statements.leave_open(tx, item, signed.sha256)
            pending.append(item)
    return Decided(statement_sha256=signed.sha256, by=statement.by, done=tuple(done), pending=tuple(pending))


def _withdrawn_event(held: Held, *, by: PersonId, statement: Sha256) -> Event:
    clean = held.rebuilt.clean
    return Event(
        name=EventName.FILE_WITHDRAWN,
        item=held.rebuilt.examined.spooled.arrived.item,
        by=by,
        file=FileFact(sha256=clean.sha256, size=clean.size),
        facts={"statement_sha256": statement},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWithdrawal:
    """A withdrawal that the gateway still has to carry out."""

    item: ItemId
    by: PersonId
    statement_sha256: Sha256


def open_withdrawals(tx: ReadTx, *, desk: Desk, limit: int = 100) -> list[OpenWithdrawal]:
    """What the gateway has to take back. A forged row could only take something back, so it is not checked again.

    An item that has ended meanwhile is left out, so a crash between carrying one out and closing it does no harm.
    """
    found: list[OpenWithdrawal] = []
    for item in desk.statements.open_items(tx, limit=limit):
        rows = desk.statements.about(tx, item, WithdrawalStatement.kind)
        if rows and desk.register.row(tx, item).state in _WITHDRAWABLE:
            by = read_unverified(rows[-1].note).by
            found.append(OpenWithdrawal(item=item, by=by, statement_sha256=rows[-1].sha256))
    return found


def close_withdrawal(tx: WriteTx, item: ItemId, *, desk: Desk) -> None:
    """The gateway has carried it out."""
    desk.statements.close(tx, item)


def _held(tx: ReadTx, stated: Item, *, desk: Desk, allowed: Iterable[State]) -> Held:
    item, _ = stated
    row = desk.register.row(tx, item)
    record = desk.register.load(tx, item)
    if row.state not in allowed or not isinstance(record, Held):
        advice = "Withdraw it instead: `transfer withdraw`." if row.state in _WITHDRAWABLE else ""
        raise NotSo(f"Item {item} is {row.state}, so this cannot be decided about it.", advice=advice)
    check_bytes([stated], item=item, sha256=record.rebuilt.clean.sha256)
    return record


def _record(tx: WriteTx, signed: Signed, items: tuple[Item, ...], reason: str, *, desk: Desk) -> None:
    desk.take_in(
        tx,
        signed,
        EventName.STATEMENT_ACCEPTED,
        items=tuple(item for item, _ in items),
        private={"reason": reason} if reason else {},
    )


def without_words(reason: Reason) -> Reason:
    """The same reason without what an approver wrote, if it is one with such words."""
    return replace(reason, message=f"{_REFUSED}.") if reason.message.startswith(f"{_REFUSED}: ") else reason


def refused_by_person(held: Held, text: str, *, policy: Policy) -> Refused:
    """The end of an item that somebody refused; `text` is why, empty where the words are not there."""
    spooled = held.rebuilt.examined.spooled
    rule = policy.rule_for(Code.REFUSED_BY_APPROVER)
    reason = Reason(
        rule=rule.id if rule else Code.REFUSED_BY_APPROVER.value,
        clauses=rule.clauses if rule else ("G6",),
        severity=Severity.REFUSE,
        message=f"{_REFUSED}: {text}" if text else f"{_REFUSED}.",
        advice="Change what they ask for and drop the changed file; it is looked at anew.",
    )
    return Refused(
        arrived=spooled.arrived,
        reached=State.HELD,
        sha256=spooled.raw.sha256,
        size=spooled.raw.size,
        media=held.rebuilt.examined.media,
        reasons=(*held.verdict.reasons, reason),
        policy_sha256=Sha256(policy.sha256),
        findings=(Finding(code=Code.REFUSED_BY_APPROVER),),
    )

"""Reviews: a person has looked at what holds an item and signs that it is no obstacle. Approval still has to follow.

What enters: untrusted signed notes. What leaves: a review, recorded; and, each time an item is judged or about to be
released, which findings about these bytes are cleared: by an approver of this moment who is not the submitter (four
eyes), under the policy in force (G5, G6). The tables are not trusted: every stored note is opened and checked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.approvals.desk import HAND_IN_WITHIN, Desk, wrong_kind
from transfer.approvals.quorum import check_bytes, check_time
from transfer.approvals.signing import Unvouched
from transfer.approvals.statement import ReviewStatement
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.events import EventName
from transfer.model.findings import Code
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import Arrived, Held, State
from transfer.policy.decide import to_be_cleared
from transfer.policy.rules import Policy
from transfer.store.database import ReadTx, WriteTx

KIND = ReviewStatement.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedReview:
    """What a review cleared. The gateway judges the items again within a second."""

    statement_sha256: Sha256
    by: PersonId
    items: tuple[ItemId, ...]
    codes: tuple[Code, ...]


def accept_review(tx: WriteTx, note: str, *, desk: Desk, policy: Policy) -> AcceptedReview:
    """Take in a review. Raises Misuse, NotSo (one sentence for each reason), Tampered; then nothing was changed."""
    signed = desk.authority(tx).open(note)
    statement = signed.statement
    if not isinstance(statement, ReviewStatement):
        raise wrong_kind(statement.kind, KIND)
    check_time(statement.at, now=desk.clock.now(), valid=HAND_IN_WITHIN)
    _check_policy(statement, policy)
    reason = desk.words(tx, statement.reason)
    for item, _ in statement.items:
        held = _waiting(tx, item, desk=desk)
        arrived = held.rebuilt.examined.spooled.arrived
        check_review(statement, item=item, sha256=held.rebuilt.clean.sha256, arrived=arrived, policy=policy)
        if set(statement.codes) != set(held.verdict.reviews):
            raise NotSo(
                f"Item {item} waits for {_list(held.verdict.reviews)} to be looked at, not {_list(statement.codes)}.",
                advice="Look at it again, and make the statement anew.",
            )
    items = tuple(item for item, _ in statement.items)
    desk.take_in(
        tx,
        signed,
        EventName.STATEMENT_ACCEPTED,
        items=items,
        policy=Sha256(policy.sha256),
        private={"reason": reason},
    )
    return AcceptedReview(statement_sha256=signed.sha256, by=statement.by, items=items, codes=statement.codes)


def to_review(tx: ReadTx, item: ItemId, *, desk: Desk) -> tuple[Code, ...]:
    """What a person has to clear about an item that waits for that. Raises NotSo."""
    return tuple(sorted(_waiting(tx, item, desk=desk).verdict.reviews, key=lambda code: code.value))


def cleared(tx: ReadTx, arrived: Arrived, sha256: Sha256, *, desk: Desk, policy: Policy) -> frozenset[Code]:
    """The findings about these bytes that standing reviews clear now. Raises Tampered if a note was never signed."""
    rows = desk.statements.about(tx, arrived.item, KIND)
    if not rows:
        return frozenset()
    authority = desk.authority(tx)
    found: set[Code] = set()
    for row in rows:
        try:
            signed = authority.open(row.note)
            statement = signed.statement
            if not isinstance(statement, ReviewStatement) or signed.sha256 != row.sha256:
                raise _tampered(arrived.item, "it is another statement than its row says")
            _check_policy(statement, policy)
            check_review(statement, item=arrived.item, sha256=sha256, arrived=arrived, policy=policy)
        except (Unvouched, Misuse) as error:
            raise _tampered(arrived.item, error.sentence) from error
        except NotSo:
            continue
        found.update(statement.codes)
    return frozenset(found)


def check_cleared(tx: ReadTx, held: Held, *, desk: Desk, policy: Policy) -> None:
    """That whatever the policy puts before a person about this item was cleared, whatever its stored verdict says.

    Raises NotSo.
    """
    examined = held.rebuilt.examined
    arrived = examined.spooled.arrived
    wanted = to_be_cleared((*arrived.findings, *examined.findings, *held.rebuilt.findings), policy)
    if not wanted:
        return
    lacking = wanted - cleared(tx, arrived, held.rebuilt.clean.sha256, desk=desk, policy=policy)
    if lacking:
        raise NotSo(
            f"Nobody whose signature stands has looked at {_list(tuple(lacking))} of item {arrived.item}.",
            advice=f"Look at it: `transfer preview {arrived.item} DIR`; then `transfer review {arrived.item}`.",
            clauses=("G5", "G6"),
        )


def check_review(statement: ReviewStatement, *, item: ItemId, sha256: Sha256, arrived: Arrived, policy: Policy) -> None:
    """It speaks of these bytes, and somebody else dropped them. Raises NotSo."""
    check_bytes(statement.items, item=item, sha256=sha256)
    if policy.approval.four_eyes and statement.by == arrived.submitter:
        raise NotSo(
            f"Item {item} was handed in by the person who reviewed it.",
            advice="Another approver has to look at it and sign.",
            clauses=("G6",),
        )


def _check_policy(statement: ReviewStatement, policy: Policy) -> None:
    if statement.policy != policy.sha256:
        raise NotSo(
            "The review was made under another policy than the one in force.",
            advice="Look at it again, make the statement anew and sign it.",
        )


def _waiting(tx: ReadTx, item: ItemId, *, desk: Desk) -> Held:
    row = desk.register.row(tx, item)
    record = desk.register.load(tx, item)
    if row.state is not State.HELD or not isinstance(record, Held) or not record.verdict.reviews:
        waits = f"waits for {row.waiting_for}" if row.state is State.HELD and row.waiting_for else f"is {row.state}"
        raise NotSo(
            f"Item {item} {waits}; there is nothing about it that a person has to clear first.",
            advice=f"`transfer show {item}` tells what it needs.",
        )
    return record


def _list(codes: tuple[Code, ...]) -> str:
    return ", ".join(f"«{code.value}»" for code in sorted(codes, key=lambda code: code.value)) or "nothing"


def _tampered(item: ItemId, why: str) -> Tampered:
    return Tampered(
        f"A stored review of item {item} was never signed by an approver: {why}",
        advice="Stop the gateway and run `transfer audit verify`.",
        clauses=("G6",),
    )

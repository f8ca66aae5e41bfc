"""Reviews: what holds an item is cleared by an approver who looked at it, and by nobody and nothing else."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.approvals.office import Office, Signatory
from tests.policy.evidence import found
from transfer.approvals import drafts, trail
from transfer.approvals.reviews import AcceptedReview, accept_review, cleared
from transfer.approvals.statement import ReviewStatement, Role
from transfer.approvals.statement_text import parse_statement, render_statement
from transfer.approvals.trail import Trail, check_trail
from transfer.approvals.trail_items import parse_told
from transfer.errors import Misuse, NotSo, Tampered, TransferError
from transfer.model import chronicle
from transfer.model.events import EventName
from transfer.model.findings import Code, WaitingFor
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import Held, State

VERIFIER = Path(trail.__file__).parents[1] / "audit" / "static" / "verify.py"
NEAR = found(Code.NEAR_COPY, item="i-00000000", distance=3)


def hold(office: Office, number: int, *, submitter: PersonId | None = None) -> ItemId:
    """One that looks like something released before, and waits for a person to look at it."""
    item = office.hold(number, submitter=submitter)
    held = office.items[item]
    rebuilt = replace(held.rebuilt, examined=replace(held.rebuilt.examined, findings=(NEAR,)))
    verdict = replace(held.verdict, waiting_for=WaitingFor.REVIEW, reviews=(Code.NEAR_COPY,))
    _judged(office, Held(rebuilt=rebuilt, verdict=verdict))
    return item


def _judged(office: Office, held: Held) -> None:
    with office.db.write() as tx:
        office.desk.register.advance(tx, held, chronicle.held_event(held), was=State.HELD)
    office.items[held.rebuilt.examined.spooled.arrived.item] = held


def judge_again(office: Office, item: ItemId) -> None:
    """As the line does: what standing reviews clear is no obstacle."""
    held = office.items[item]
    left = tuple(sorted({Code.NEAR_COPY} - standing(office, item)))
    waiting_for = WaitingFor.REVIEW if left else WaitingFor.APPROVAL
    _judged(office, replace(held, verdict=replace(held.verdict, waiting_for=waiting_for, reviews=left)))


def draft(office: Office, *items: ItemId, by: Signatory, reason: str = "our own picture, cropped") -> str:
    with office.db.write() as tx:
        return drafts.draft_review(tx, items, by=by.person, reason=reason, desk=office.desk, policy=office.policy)


def hand_in(office: Office, note: str) -> AcceptedReview:
    with office.db.write() as tx:
        return accept_review(tx, note, desk=office.desk, policy=office.policy)


def review(office: Office, *items: ItemId, by: Signatory | None = None) -> AcceptedReview:
    signer = by or office.helen
    return hand_in(office, signer.sign(draft(office, *items, by=signer)))


def standing(office: Office, item: ItemId) -> frozenset[Code]:
    held = office.items[item]
    arrived, sha256 = held.rebuilt.examined.spooled.arrived, held.rebuilt.clean.sha256
    with office.db.read() as tx:
        return cleared(tx, arrived, sha256, desk=office.desk, policy=office.policy)


def changed(text: str, **values: Any) -> str:
    statement = parse_statement(text)
    return render_statement(replace(statement, **values))  # type: ignore[type-var] # one of the kinds


def problems(office: Office, *, four_eyes: bool = True) -> list[str]:
    """What our own verifier finds; the one that auditors may use instead finds the same or nothing too."""
    found_ = check_trail(office.leaves(), root=office.desk.root, four_eyes=four_eyes)
    other = ""
    verifier = runpy.run_path(str(VERIFIER))
    approvals = verifier["Approvals"](None, not four_eyes)
    try:
        for index, leaf in office.leaves():
            approvals.feed(index, leaf)
    except verifier["Refused"] as refused:
        other = str(refused)
    assert bool(found_) == bool(other), (found_, other)
    if found_:
        assert "review" in other
    return found_


def test_reviewed_then_approved_then_released(office: Office) -> None:
    item = hold(office, 1)
    with pytest.raises(NotSo, match="waits for review, not for approval"):
        office.approve(item)
    done = review(office, item)
    assert (done.items, done.codes, done.by) == ((item,), (Code.NEAR_COPY,), office.helen.person)
    judge_again(office, item)
    office.approve(item)
    office.release(item)
    assert problems(office) == []


def test_the_words_are_committed_and_not_told(office: Office) -> None:
    review(office, hold(office, 1))
    accepted = [leaf for _, leaf in office.leaves() if leaf["event"] == "statement.accepted"][-1]
    assert "cropped" not in str(accepted)
    assert accepted["_sd"]


def test_without_a_reason_there_is_no_review(office: Office) -> None:
    with pytest.raises(Misuse, match="needs a reason"):
        draft(office, hold(office, 1), by=office.helen, reason=" ")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"policy": Sha256("d" * 64)}, "another policy"),
        ({"codes": (Code.PERSONAL_DATA,)}, "waits for «near-copy» to be looked at, not «personal-data»"),
        ({"codes": (Code.NEAR_COPY, Code.PERSONAL_DATA)}, "not «near-copy», «personal-data»"),
        ({"items": ((ItemId("i-00000001"), Sha256("d" * 64)),)}, "other bytes"),
    ],
)
def test_it_clears_what_it_speaks_of_and_nothing_else(office: Office, values: dict[str, Any], sentence: str) -> None:
    item = hold(office, 1)
    values = {**values, **({"items": ((item, values["items"][0][1]),)} if "items" in values else {})}
    text = changed(draft(office, item, by=office.helen), **values)
    with pytest.raises(NotSo, match=sentence):
        hand_in(office, office.helen.sign(text))
    assert standing(office, item) == frozenset()


def test_nobody_reviews_what_they_dropped_themselves(office: Office) -> None:
    item = hold(office, 1, submitter=office.helen.person)
    with pytest.raises(NotSo, match="handed in by the person who reviewed it"):
        review(office, item)
    review(office, item, by=office.enrol("paul"))
    assert standing(office, item) == {Code.NEAR_COPY}


def test_only_an_approver_reviews(office: Office) -> None:
    with pytest.raises(NotSo, match="operator"):
        review(office, hold(office, 1), by=office.enrol("olga", Role.OPERATOR))


def test_it_counts_once_and_only_for_what_waits(office: Office) -> None:
    item = hold(office, 1)
    note = office.helen.sign(draft(office, item, by=office.helen))
    hand_in(office, note)
    with pytest.raises(NotSo, match="handed in before"):
        hand_in(office, note)
    with pytest.raises(NotSo, match="nothing about it that a person has to clear"):
        draft(office, office.hold(2), by=office.helen)


def test_it_stands_as_long_as_its_signer_does(office: Office) -> None:
    paul, item = office.enrol("paul"), hold(office, 1)
    review(office, item, by=paul)
    judge_again(office, item)
    office.approve(item)
    office.confirm(item)
    office.disable(paul, by=office.helen)
    assert standing(office, item) == frozenset()
    with pytest.raises(NotSo, match="Nobody whose signature stands has looked at «near-copy»"):
        office.confirm(item)


def test_a_verdict_that_forgets_the_review_releases_nothing(office: Office) -> None:
    """As if somebody had written «waits for approval» into the database."""
    item = hold(office, 1)
    held = office.items[item]
    _judged(office, replace(held, verdict=replace(held.verdict, waiting_for=WaitingFor.APPROVAL, reviews=())))
    with pytest.raises(NotSo, match="Nobody whose signature stands has looked at"):
        office.approve(item)


def test_a_review_that_nobody_signed_is_tampering(office: Office) -> None:
    item = hold(office, 1)
    review(office, item)
    with office.db.write() as tx:
        tx.driver.execute("UPDATE statement SET note = replace(note, 'near-copy', 'far-copies') WHERE kind = 'review'")
    with pytest.raises((Tampered, TransferError), match="never signed by an approver"):
        standing(office, item)


# what an auditor sees


def statement_of(office: Office) -> Sha256:
    found_ = [leaf for _, leaf in office.leaves() if leaf["event"] == "statement.accepted"]
    return Sha256(found_[-1]["facts"]["statement_sha256"])


def forced(office: Office, item: ItemId) -> None:
    """Approved and released as if the gateway had asked for no review."""
    held = office.items[item]
    plain = replace(held.rebuilt, examined=replace(held.rebuilt.examined, findings=()))
    _judged(office, Held(rebuilt=plain, verdict=replace(held.verdict, waiting_for=WaitingFor.APPROVAL, reviews=())))
    office.approve(item)
    office.release(item, statement=statement_of(office))


def test_released_without_the_review_it_was_held_for(office: Office) -> None:
    forced(office, hold(office, 1))
    assert "nobody had reviewed near-copy" in problems(office)[0]


def test_a_review_under_another_policy_clears_nothing_under_this_one(office: Office) -> None:
    item = hold(office, 1)
    text = changed(draft(office, item, by=office.helen), policy=Sha256("d" * 64))
    with office.db.write() as tx:
        signed = office.desk.authority(tx).open(office.helen.sign(text))
        office.desk.take_in(tx, signed, EventName.STATEMENT_ACCEPTED, items=(item,))
    forced(office, item)
    assert "nobody had reviewed near-copy" in problems(office)[0]


def test_a_review_by_the_submitter_is_a_problem(office: Office) -> None:
    item = hold(office, 1, submitter=office.helen.person)
    text = draft(office, item, by=office.helen)
    with office.db.write() as tx:
        signed = office.desk.authority(tx).open(office.helen.sign(text))
        office.desk.take_in(tx, signed, EventName.STATEMENT_ACCEPTED, items=(item,))
    assert "reviewed by the person who handed the file in" in problems(office)[0]
    assert problems(office, four_eyes=False) == []


def test_what_is_not_cleared_is_carried_into_the_next_shard(office: Office) -> None:
    item = hold(office, 1)
    reader = Trail(root=None)
    for index, leaf in office.leaves():
        reader.feed(index, leaf)
    there = reader.item(item)
    assert there is not None
    told = there.told()
    sha256 = office.items[item].rebuilt.clean.sha256
    assert told["reviews"] == [[sha256, office.policy.sha256, ["near-copy"]]]
    assert parse_told({"by": there.submitter, "facts": told}).told() == told


def test_it_has_one_spelling(office: Office) -> None:
    text = draft(office, hold(office, 1), by=office.helen)
    statement = parse_statement(text)
    assert isinstance(statement, ReviewStatement)
    assert render_statement(statement) == text
    for wrong in ('"codes":[]', '"codes":["near-copy","near-copy"]', '"codes":["no-such"]', '"codes":"near-copy"'):
        with pytest.raises(Misuse, match="codes"):
            parse_statement(text.replace('"codes":["near-copy"]', wrong))

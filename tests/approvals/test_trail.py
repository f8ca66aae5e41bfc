"""An auditor with nothing but the log's leaves finds every release that was not approved as it should be."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.approvals.office import CAMPAIGN, Office, Signatory
from transfer.approvals import approve, decisions, drafts, pausing
from transfer.approvals.authority import Authority, Root
from transfer.approvals.statement import EnrolmentStatement, Role
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import render_statement, statement_sha256
from transfer.approvals.trail import MAX_PROBLEMS, Trail, check_trail
from transfer.errors import NotSo
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, PersonId, Sha256

MALLORY = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))


def problems(office: Office) -> list[str]:
    return check_trail(office.leaves(), root=office.desk.root)


@pytest.fixture
def item(office: Office) -> ItemId:
    item = office.hold(1)
    office.approve(item)
    return item


def last_statement(office: Office) -> Sha256:
    found = [leaf for _, leaf in office.leaves() if leaf["event"] == "statement.accepted"]
    return Sha256(found[-1]["facts"]["statement_sha256"])


def record(office: Office, name: EventName, **values: Any) -> None:
    with office.db.write() as tx:
        office.desk.recorder.append(tx, Event(name=name, **values))


def test_a_proper_life_has_no_problem(office: Office, item: ItemId) -> None:
    paul = office.enrol("paul")
    office.release(item)
    second = office.hold(2, submitter=office.helen.person)
    office.approve(second, by=paul)
    office.release(second)
    office.disable(paul, by=office.helen)
    office.close_campaign()
    assert problems(office) == []
    trail = Trail(root=None)
    for index, leaf in office.leaves():
        trail.feed(index, leaf)
    assert trail.problems == []
    assert trail.first == office.desk.root


def test_another_first_approver_than_the_readers(office: Office, item: ItemId) -> None:
    office.release(item)
    found = check_trail(office.leaves(), root=Root(person=MALLORY.person, public_key=MALLORY.key.public_key))
    assert "is that of" in found[0]
    assert any("file.released" in problem for problem in found)


def test_released_without_any_statement(office: Office) -> None:
    office.release(office.hold(1), statement=Sha256("d" * 64))
    first, second = problems(office)
    assert "a statement that nobody handed in" in first
    assert "no valid approval of these bytes came before" in second


def test_other_bytes_released(office: Office, item: ItemId) -> None:
    office.release(item, statement=last_statement(office), sha256=Sha256("d" * 64))
    assert "other bytes" in problems(office)[0]


def test_released_though_the_statement_is_anothers_items(office: Office, item: ItemId) -> None:
    office.release(office.hold(2), statement=last_statement(office))
    assert "nobody handed in for it" in problems(office)[0]


def test_released_without_having_said_so_before(office: Office, item: ItemId) -> None:
    clean = office.items[item].rebuilt.clean
    record(office, EventName.FILE_RELEASED, item=item, file=FileFact(sha256=clean.sha256, size=clean.size))
    assert "came before" in problems(office)[0]


def test_released_while_paused(office: Office, item: ItemId) -> None:
    with office.db.write() as tx:
        text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="doubt", desk=office.desk)
        pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
    office.release(item, statement=last_statement(office))
    assert "while releasing was paused" in problems(office)[0]


def test_released_after_its_campaign_was_closed(office: Office, item: ItemId) -> None:
    office.close_campaign()
    office.release(item, statement=last_statement(office))
    assert "closed" in problems(office)[0]


def test_released_after_its_approver_was_disabled(office: Office) -> None:
    paul, item = office.enrol("paul"), office.hold(1)
    office.approve(item, by=paul)
    office.disable(paul, by=office.helen)
    office.release(item, statement=last_statement(office))
    assert "has been disabled" in problems(office)[0]


def test_released_after_its_approvers_key_was_replaced(office: Office, item: ItemId) -> None:
    office.enrol_key("helen", Signatory(office.helen.person, SigningKey(b"n" * 32)))
    office.release(item, statement=last_statement(office))
    assert "has replaced since" in problems(office)[0]


def test_released_too_late(office: Office, item: ItemId) -> None:
    office.clock.pass_(days=office.policy.approval.valid_days, seconds=1)
    office.release(item, statement=last_statement(office))
    assert problems(office)


def test_released_on_one_of_two_signatures(office: Office, item: ItemId) -> None:
    clean = office.items[item].rebuilt.clean
    record(
        office,
        EventName.FILE_APPROVED,
        item=item,
        file=FileFact(sha256=clean.sha256, size=clean.size),
        policy=Sha256(office.policy.sha256),
        facts={"quorum": 2},
    )
    assert "lacks the approval of 1 more" in problems(office)[0]


def test_an_own_file_approved_by_a_gateway_that_looked_away(office: Office) -> None:
    """The statement is good and the gateway recorded it; the submitter's entry shows that it was one pair of eyes."""
    paul = office.enrol("paul")
    item = office.hold(1, submitter=paul.person)
    note = paul.sign(office.statement(item, by=paul))
    facts = {"statement": note, "statement_sha256": statement_sha256(note), "valid_until": "2026-03-09T09:00:00.000Z"}
    record(office, EventName.STATEMENT_ACCEPTED, by=paul.person, facts=facts)
    office.release(item, statement=statement_sha256(note))
    assert "handed in by the person who would approve it" in problems(office)[0]
    assert check_trail(office.leaves(), root=office.desk.root, four_eyes=False) == []


def test_an_approver_out_of_thin_air(office: Office) -> None:
    record(office, EventName.PERSON_ENROLLED, facts={"person": MALLORY.person, "role": "approver"})
    assert "enrolled without a signature" in problems(office)[0]


def test_a_disabling_out_of_thin_air(office: Office) -> None:
    record(office, EventName.PERSON_DISABLED, facts={"person": office.helen.person})
    assert "disabled without one" in problems(office)[0]


def test_a_statement_of_a_stranger_in_the_log(office: Office) -> None:
    item = office.hold(1)
    note = MALLORY.sign(office.statement(item, by=MALLORY))
    facts = {"statement": note, "statement_sha256": statement_sha256(note), "valid_until": "2027-01-01T00:00:00.000Z"}
    record(office, EventName.STATEMENT_ACCEPTED, by=MALLORY.person, facts=facts)
    office.release(item, statement=statement_sha256(note))
    assert "not enrolled by a signature" in problems(office)[0]
    assert len(problems(office)) == 3


def test_a_lapsed_approval_does_not_come_back(office: Office, item: ItemId) -> None:
    with office.db.write() as tx:
        approve.lapse(tx, office.items[item], NotSo("gone"), desk=office.desk)
    with pytest.raises(NotSo, match="is held"):
        office.release(item)
    assert problems(office) == []


@pytest.mark.parametrize("event", ["file.spooled", "person.enrolled", "statement.accepted", "campaign.approved"])
def test_any_missing_entry_of_the_chain_is_noticed(office: Office, item: ItemId, event: str) -> None:
    office.release(item)
    leaves = list(office.leaves())
    first = next(index for index, leaf in leaves if leaf["event"] == event)
    assert check_trail([pair for pair in leaves if pair[0] != first], root=office.desk.root)


def _strings(node: Any, found: list[tuple[Any, Any]]) -> None:
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(pairs):
        if isinstance(value, dict | list):
            _strings(value, found)
        elif isinstance(value, str):
            found.append((node, key))


def test_changed_leaves_never_stop_the_check(office: Office, item: ItemId) -> None:
    """Whatever a log says, the check ends, and with sentences only."""
    office.release(item)
    leaves = list(office.leaves())
    chance = random.Random(7)
    wrecks: tuple[Callable[[str], Any], ...] = (
        lambda _: None, lambda _: 5, lambda _: [], lambda _: {}, lambda text: text[:-1], lambda text: text + "x",
    )  # fmt: skip
    for _ in range(300):
        changed = copy.deepcopy(leaves)
        places: list[tuple[Any, Any]] = []
        _strings([leaf for _, leaf in changed], places)
        node, key = chance.choice(places)
        node[key] = chance.choice(wrecks)(node[key])
        assert all(isinstance(problem, str) for problem in check_trail(changed, root=office.desk.root))


def test_problems_are_bounded() -> None:
    leaf = {"event": "file.released", "item": "i-00000001", "file": {"sha256": "a" * 64}}
    assert len(check_trail((index, leaf) for index in range(MAX_PROBLEMS * 2))) == MAX_PROBLEMS


def test_the_campaign_is_the_one_of_the_arrival(office: Office, item: ItemId) -> None:
    office.release(item)
    leaves = [(index, dict(leaf)) for index, leaf in office.leaves()]
    for _, leaf in leaves:
        if leaf["event"] == "file.spooled":
            assert leaf["facts"]["campaign"] == CAMPAIGN
            leaf["facts"] = {**leaf["facts"], "campaign": "summer"}
    assert "belongs to the campaign summer" in check_trail(leaves, root=office.desk.root)[0]


def test_released_after_the_approval_expired(office: Office) -> None:
    office.policy = replace(office.policy, approval=replace(office.policy.approval, valid_days=2))
    item, late = office.hold(1), office.hold(2)
    office.approve(item, late)
    office.clock.pass_(days=2)
    office.release(item)
    assert problems(office) == []
    office.clock.pass_(seconds=1)
    office.release(late, statement=last_statement(office))
    assert "had expired" in problems(office)[0]


def test_an_approval_covers_one_release(office: Office, item: ItemId) -> None:
    """Neither a second one, nor putting back other bytes than those that went."""
    office.release(item)
    body = next(leaf for _, leaf in office.leaves() if leaf["event"] == "file.released")
    file = FileFact(sha256=Sha256(body["file"]["sha256"]), size=1)
    record(office, EventName.RELEASE_RESTORED, item=item, file=file)
    assert problems(office) == []
    record(office, EventName.FILE_RELEASED, item=item, file=file)
    assert "no valid approval of these bytes came before" in problems(office)[0]
    record(office, EventName.RELEASE_RESTORED, item=item, file=FileFact(sha256=Sha256("d" * 64), size=1))
    assert "put back with bytes that were not released" in problems(office)[1]


def test_released_after_it_was_withdrawn(office: Office, item: ItemId) -> None:
    approval = last_statement(office)
    with office.db.write() as tx:
        text = drafts.draft_withdrawal(tx, [item], by=office.helen.person, reason="logo", desk=office.desk)
        decisions.withdraw(tx, office.helen.sign(text), desk=office.desk)
    office.release(item, statement=approval)
    assert "after its withdrawal" in problems(office)[0]


def test_released_under_another_policy(office: Office, item: ItemId) -> None:
    office.policy = replace(office.policy, sha256="e" * 64)
    office.release(item, statement=last_statement(office))
    assert "under another policy" in problems(office)[0]


@pytest.mark.parametrize("wreck", [{"by": MALLORY.person}, {"facts": {"statement_sha256": "d" * 64}}])
@pytest.mark.parametrize("event", ["statement.accepted", "campaign.approved"])
def test_an_entry_that_says_something_else_than_its_statement(
    office: Office, item: ItemId, wreck: dict[str, Any], event: str
) -> None:
    leaves = copy.deepcopy(list(office.leaves()))
    leaf = next(leaf for _, leaf in leaves if leaf["event"] == event)
    leaf["facts"].update(wreck.get("facts", {}))
    leaf["by"] = wreck.get("by", leaf["by"])
    found = check_trail(leaves, root=office.desk.root)
    assert "The entry names" in found[0]


@pytest.mark.parametrize("change", [{"by": MALLORY.person}, {"role": Role.OPERATOR}])
def test_a_log_begins_with_an_approver_who_signs_for_themself(change: dict[str, Any]) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values = {"by": MALLORY.person, "role": Role.APPROVER} | change
    statement = EnrolmentStatement(
        person=PersonId("u_" + "b" * 32) if "by" in change else MALLORY.person,
        public_key=MALLORY.key.public_key,
        after=None,
        at=at,
        **values,
    )
    with pytest.raises(NotSo, match="not an approver's own"):
        Authority(None).apply(MALLORY.sign(render_statement(statement)))

"""Packs of a later shard: what was carried counts by its own signature, and no lie about it passes either verifier."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.approvals.office import Office, Signatory, open_office
from tests.audit.packs import (
    SIGNER,
    Files,
    Verdict,
    described,
    entries_of,
    judge,
    pack_of,
    run_verifier,
    with_entries,
    zipped,
)
from tests.audit.test_verify_py import MALLORY, accepted, last_statement, places, record, refused
from transfer.approvals import decisions, drafts
from transfer.approvals.authority import render_root
from transfer.approvals.carrying import OpenItem, carry
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import statement_sha256
from transfer.approvals.trail import check_trail
from transfer.audit import pack
from transfer.audit.export_select import Selection
from transfer.audit.notes import Ed25519Signer
from transfer.audit.signing import sign_newest
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, Sha256
from transfer.store import journal, shards

SECOND = Ed25519Signer("gateway.example/audit/2026.2", bytes(range(1, 33)))

Spoil = Callable[[list[Event]], list[Event]]


def as_it_is(events: list[Event]) -> list[Event]:
    return events


def turn(office: Office, spoil: Spoil = as_it_is) -> None:
    """The next shard of an office's log, begun as a rotation begins it; `spoil` is what a lying operator changes."""
    record(office, EventName.SHARD_SEALED, facts={"next": {"origin": SECOND.name, "vkey": SECOND.verifier.vkey}})
    sign_newest(office.db, SIGNER, SIGNER.name)
    items = [OpenItem(item=item, state="held", file=None) for item in office.items]
    carried = carry(list(office.leaves()), items, root=office.desk.root)
    with office.db.write() as tx:
        head = journal.head(tx)
        shards.begin_anew(tx, at=head.at)
        previous = {
            "origin": SIGNER.name,
            "vkey": SIGNER.verifier.vkey,
            "size": head.size,
            "root": head.signed_note.split("\n")[2],
            "checkpoint": head.signed_note,
        }
        facts = {"origin": SECOND.name, "vkey": SECOND.verifier.vkey, "previous": previous}
        facts |= {"statements": carried.statements, "carried": len(carried.events)}
        events = spoil([Event(name=EventName.SHARD_OPENED, facts=facts), *carried.events])
        moved = {}
        for event in events:
            index = office.desk.recorder.append(tx, event).index
            if "statement_sha256" in event.facts:
                moved[Sha256(str(event.facts["statement_sha256"]))] = index
        shards.statements_moved(tx, moved, sealed=head.size)


def judged(files: Files, office: Office, folder: Path) -> Verdict:
    path = folder / "pack.zip"
    path.write_bytes(zipped(files))
    return judge(path, SECOND.verifier.vkey, render_root(office.desk.root).strip())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Two items: one approved by paul and helen, one only held."""
    opened = open_office(tmp_path)
    first, _ = opened.hold(1), opened.hold(2)
    opened.approve(first)
    yield opened
    opened.db.close()


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One item released before, and put back after; one approved before and released after; one approved after.

    Paul enrolled, approved and was disabled before; helen has another key than at first.
    """
    opened = open_office(tmp_path_factory.mktemp("honest"))
    before, across, after = (opened.hold(number) for number in (1, 2, 3))
    paul = opened.enrol("paul")
    opened.approve(before, by=paul)
    opened.release(before)
    late = opened.statement(after)
    opened.approve(after, by=paul)
    opened.disable(paul, by=opened.helen)
    renewed = Signatory(opened.helen.person, SigningKey(b"n" * 32))
    opened.enrol_key("helen", renewed)
    opened.helen = renewed
    opened.approve(across)
    turn(opened)
    opened.release(across)
    fact = FileFact(sha256=opened.items[before].rebuilt.clean.sha256, size=1)
    record(opened, EventName.RELEASE_RESTORED, item=before, file=fact)
    note = renewed.sign(late)
    opened.release(after, statement=accepted(opened, note, renewed.person))
    yield opened
    opened.db.close()


def test_packs_of_a_later_shard_verify(honest: Office, tmp_path: Path) -> None:
    before, across, after = honest.items
    everything = [Selection(), Selection(campaign="open-day"), Selection(since="2026-01-01T00:00:00.000Z")]
    for selection in (*everything, *(Selection(item=item) for item in (before, across, after))):
        files = pack_of(honest, selection, signer=SECOND)
        verdict = judged(files, honest, tmp_path)
        assert (verdict.ours, verdict.theirs) == (0, 0), (selection, verdict)
        assert entries_of(files)[0]["event"] == "shard.opened"
    one = pack_of(honest, Selection(item=across), signer=SECOND)
    items = {entry.get("item") for entry in entries_of(one)} - {None}
    assert items == {across}
    events = [entry["event"] for entry in entries_of(one)]
    assert events.count("statement.carried") == 6  # two enrolments, a campaign, a disabling, a new key; its approval
    assert events[-2:] == ["file.releasing", "file.released"]


def test_a_pack_says_which_shard_was_before(honest: Office, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(zipped(pack_of(honest, signer=SECOND)))
    said = run_verifier(path, "--vkey", SECOND.verifier.vkey).stdout.splitlines()
    assert SECOND.name in said[0]
    with honest.db.read() as tx:
        size = str(entries_of(pack_of(honest, signer=SECOND))[0]["facts"]["previous"]["size"])
        assert journal.head(tx).size > 0
    assert said[1] == f"  shard before   {SIGNER.name}, {size} entries, with the key {SIGNER.verifier.vkey}"


# Operators who lie about what was before, and sign it with the new shard's key. `office` has one item approved.


def events_of(events: list[Event], name: EventName) -> list[int]:
    return [number for number, event in enumerate(events) if event.name is name]


def with_facts(event: Event, **facts: Any) -> Event:
    return replace(event, facts={**event.facts, **facts})


def text_of(event: Event) -> str:
    """What was signed."""
    return str(event.facts["statement"]).partition("\n\n")[0] + "\n"


def counted(events: list[Event], *, carried: int = 0, statements: int = 0) -> list[Event]:
    opened = events[0]
    said = {"carried": opened.facts["carried"] + carried, "statements": opened.facts["statements"] + statements}
    return [with_facts(opened, **said), *events[1:]]


def other_bytes_in_a_statement(events: list[Event]) -> list[Event]:
    note = str(events[2].facts["statement"]).replace("open-day", "open-dax")
    events[2] = with_facts(events[2], statement=note, statement_sha256=statement_sha256(note))
    return events


def carried_by_nobody(events: list[Event]) -> list[Event]:
    note = MALLORY.sign(
        str(events[2].facts["statement"]).partition("\n\n")[0].replace(str(events[2].by), MALLORY.person) + "\n"
    )
    events[2] = replace(events[2], by=MALLORY.person)
    events[2] = with_facts(events[2], statement=note, statement_sha256=statement_sha256(note))
    return events


def in_another_order(events: list[Event]) -> list[Event]:
    return [events[0], events[2], events[1], *events[3:]]


def one_left_out(events: list[Event]) -> list[Event]:
    return counted([*events[:1], *events[2:]], carried=-1, statements=-1)


def one_doubled(events: list[Event]) -> list[Event]:
    return counted([*events[:3], *events[2:]], carried=1, statements=1)


def more_than_there_is(events: list[Event]) -> list[Event]:
    return counted(events, carried=5)


def a_decision_among_the_items(events: list[Event]) -> list[Event]:
    return counted(events, statements=-1)


def an_approval_among_the_decisions(events: list[Event]) -> list[Event]:
    return counted([*events[:3], events[-1], *events[3:-1]], statements=1)


def an_item_twice(events: list[Event]) -> list[Event]:
    which = events_of(events, EventName.FILE_CARRIED)[0]
    return counted([*events[: which + 1], *events[which:]], carried=1)


def another_first_approver(events: list[Event]) -> list[Event]:
    text = text_of(events[1]).replace(str(events[1].by), MALLORY.person)
    key = text.partition('"public_key":"')[2][:64]
    note = MALLORY.sign(text.replace(key, MALLORY.key.public_key))
    events[1] = replace(events[1], by=MALLORY.person)
    events[1] = with_facts(events[1], statement=note, statement_sha256=statement_sha256(note))
    return events


def an_approval_by_a_stranger(events: list[Event]) -> list[Event]:
    old = events[-1]
    note = MALLORY.sign(text_of(old).replace(str(old.by), MALLORY.person))
    facts = {"statement": note, "statement_sha256": statement_sha256(note)}
    return [*events[:-1], with_facts(replace(old, by=MALLORY.person), **facts)]


def a_decision_as_an_approval(events: list[Event]) -> list[Event]:
    """The campaign's statement with a time until which it is valid."""
    return counted([*events, with_facts(events[2], valid_until="2027-01-01T00:00:00.000Z")], carried=1)


def another_signer_named(events: list[Event]) -> list[Event]:
    return [*events[:-1], replace(events[-1], by=MALLORY.person)]


def an_approval_without_its_time(events: list[Event]) -> list[Event]:
    facts = {key: value for key, value in events[-1].facts.items() if key != "valid_until"}
    return [*events[:-1], replace(events[-1], facts=facts)]


def opened_later(events: list[Event]) -> list[Event]:
    return [*events, events[0]]


def carried_later(events: list[Event]) -> list[Event]:
    return [*events, replace(events[2])]


def carried_and_nothing_opened(events: list[Event]) -> list[Event]:
    return events[1:]


SPOILED = [
    (other_bytes_in_a_statement, "is not good"),
    (carried_by_nobody, "not enrolled by a signature"),
    (in_another_order, "first approver's own enrolment"),
    (one_left_out, "first approver's own enrolment"),
    (one_doubled, "missing or doubled"),
    (more_than_there_is, "carries more than it does"),
    (a_decision_among_the_items, "does not stand where a shard begins"),
    (an_approval_among_the_decisions, "does not stand where a shard begins"),
    (an_item_twice, "takes its item in twice"),
    (another_first_approver, "not the one you named"),
    (an_approval_by_a_stranger, "never had that key"),
    (a_decision_as_an_approval, "no approval"),
    (another_signer_named, "another statement or signer"),
    (an_approval_without_its_time, "does not stand where a shard begins"),
    (opened_later, "opened by its first entry"),
    (carried_later, "does not stand where a shard begins"),
    (carried_and_nothing_opened, "does not stand where a shard begins"),
]


@pytest.mark.parametrize(("spoil", "word"), SPOILED, ids=[spoil.__name__ for spoil, _ in SPOILED])
def test_a_lie_about_what_was_carried_is_found_by_both(office: Office, tmp_path: Path, spoil: Spoil, word: str) -> None:
    turn(office, spoil)
    record(office, EventName.GATEWAY_STARTED, facts={"version": "1"})
    verdict = judged(pack_of(office, signer=SECOND), office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert verdict.sentence.startswith("Entry "), verdict
    assert word in verdict.said, verdict


def carried_without(name: EventName, *, kind: str = "") -> Spoil:
    def spoil(events: list[Event]) -> list[Event]:
        gone = [event for event in events if event.name is name and event.facts.get("kind", "") == kind]
        return counted([event for event in events if event not in gone], carried=-len(gone))

    return spoil


def approval_before_its_item(events: list[Event]) -> list[Event]:
    decided = int(str(events[0].facts["statements"])) + 1
    return [*events[:decided], events[-1], *events[decided:-1]]


def stopped(events: list[Event]) -> list[Event]:
    which = events_of(events, EventName.FILE_CARRIED)[0]
    events[which] = with_facts(events[which], stopped="withdrawal")
    return events


def of_another_campaign(events: list[Event]) -> list[Event]:
    which = events_of(events, EventName.FILE_CARRIED)[0]
    events[which] = with_facts(events[which], campaign="another")
    return events


def wanting_two(events: list[Event]) -> list[Event]:
    which = events_of(events, EventName.FILE_CARRIED)[0]
    events[which] = with_facts(events[which], quorum=2)
    return events


RELEASED = [
    (carried_without(EventName.STATEMENT_CARRIED, kind="approval"), "nobody handed in for it"),
    (carried_without(EventName.FILE_CARRIED), "never taken in"),
    (approval_before_its_item, "nobody handed in for it"),
    (stopped, "after its withdrawal"),
    (of_another_campaign, "another campaign"),
    (wanting_two, "too few"),
]


@pytest.mark.parametrize(("spoil", "word"), RELEASED, ids=[word for _, word in RELEASED])
def test_a_release_on_what_was_not_carried_is_found_by_both(
    office: Office, tmp_path: Path, spoil: Spoil, word: str
) -> None:
    approval = last_statement(office)
    turn(office, spoil)
    office.release(next(iter(office.items)), statement=approval)
    verdict = judged(pack_of(office, signer=SECOND), office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert word in verdict.said, verdict


def other_bytes(office: Office, item: ItemId) -> None:
    office.release(item, statement=carried_approval(office), sha256=Sha256("d" * 64))


def other_item(office: Office, item: ItemId) -> None:
    office.release(list(office.items)[1], statement=carried_approval(office))


def too_late(office: Office, item: ItemId) -> None:
    office.clock.pass_(days=20)
    office.policy = replace(office.policy, approval=replace(office.policy.approval, valid_days=60))
    with office.db.write() as tx:
        office.desk.recorder.append(tx, Event(name=EventName.GATEWAY_STARTED))
    office.clock.pass_(days=40)
    office.release(item, statement=carried_approval(office))


def after_a_new_key(office: Office, item: ItemId) -> None:
    office.enrol_key("helen", Signatory(office.helen.person, SigningKey(b"n" * 32)))
    office.release(item, statement=carried_approval(office))


def after_the_campaign(office: Office, item: ItemId) -> None:
    office.close_campaign()
    office.release(item, statement=carried_approval(office))


def after_its_withdrawal(office: Office, item: ItemId) -> None:
    with office.db.write() as tx:
        text = drafts.draft_withdrawal(tx, [item], by=office.helen.person, reason="logo", desk=office.desk)
        decisions.withdraw(tx, office.helen.sign(text), desk=office.desk)
    office.release(item, statement=carried_approval(office))


def put_back_what_was_not_released(office: Office, item: ItemId) -> None:
    record(office, EventName.RELEASE_RESTORED, item=item, file=FileFact(sha256=Sha256("d" * 64), size=1))


def taken_in_again(office: Office, item: ItemId) -> None:
    record(office, EventName.FILE_SPOOLED, item=item, by=office.sam, facts={"campaign": "open-day"})


def by_a_stranger(office: Office, item: ItemId) -> None:
    note = MALLORY.sign(office.statement(list(office.items)[1], by=MALLORY))
    office.release(list(office.items)[1], statement=accepted(office, note, MALLORY.person))


def carried_approval(office: Office) -> Sha256:
    found = [leaf for _, leaf in office.leaves() if leaf["event"] == "statement.carried"]
    return Sha256(found[-1]["facts"]["statement_sha256"])


AFTER = [
    (other_bytes, "other bytes"),
    (other_item, "nobody handed in for it"),
    (too_late, "not covered by an approval"),
    (after_a_new_key, "another key"),
    (after_the_campaign, "campaign"),
    (after_its_withdrawal, "after its withdrawal"),
    (put_back_what_was_not_released, "not released before"),
    (taken_in_again, "twice"),
    (by_a_stranger, "not enrolled by a signature"),
]


@pytest.mark.parametrize(("lie", "word"), AFTER, ids=[lie.__name__ for lie, _ in AFTER])
def test_what_was_carried_covers_no_more_than_it_did(
    office: Office, tmp_path: Path, lie: Callable[[Office, ItemId], None], word: str
) -> None:
    turn(office)
    lie(office, next(iter(office.items)))
    verdict = judged(pack_of(office, signer=SECOND), office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert word in verdict.said, verdict


# What the first entry says of the shard before.


def said_before(**changes: Any) -> Spoil:
    def spoil(events: list[Event]) -> list[Event]:
        return [with_facts(events[0], previous={**events[0].facts["previous"], **changes}), *events[1:]]

    return spoil


def said_of_itself(**changes: Any) -> Spoil:
    return lambda events: [with_facts(events[0], **changes), *events[1:]]


STRANGER = Ed25519Signer(SIGNER.name, b"s" * 32)
BEFORE = {
    "another size": (said_before(size=3), "otherwise|something else"),
    "another root": (said_before(root="A" * 43 + "="), "something else"),
    "another name": (said_before(origin="gateway.example/audit/2025"), "something else"),
    "another key": (said_before(vkey=STRANGER.verifier.vkey), "is not signed by|is not one that"),
    "no key": (said_before(vkey="none"), "does not say which shard|is not an Ed25519"),
    "no checkpoint": (said_before(checkpoint=""), "is not a signed note|is not one that"),
    "a number for a checkpoint": (said_before(checkpoint=7), "does not say which shard"),
    "itself another name": (said_of_itself(origin="gateway.example/audit/2027"), "another name or key"),
    "itself another key": (said_of_itself(vkey=SIGNER.verifier.vkey), "another name or key"),
    "nothing before": (said_of_itself(previous=None), "does not say which shard"),
}


@pytest.mark.parametrize(("spoil", "words"), BEFORE.values(), ids=BEFORE.keys())
def test_what_is_said_of_the_shard_before_has_to_be_signed_there(
    office: Office, tmp_path: Path, spoil: Spoil, words: str
) -> None:
    turn(office, spoil)
    verdict = judged(pack_of(office, signer=SECOND), office, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert any(word in verdict.sentence for word in words.split("|")), verdict
    assert any(word in verdict.said for word in words.split("|")), verdict


def test_a_statement_that_was_carried_cannot_be_left_out(honest: Office, tmp_path: Path) -> None:
    """The last one, which no other names: here it is the one that gave helen her new key."""
    files = pack_of(honest, Selection(item=next(iter(honest.items))), signer=SECOND)
    entries = entries_of(files)
    gone = entries[entries[0]["facts"]["statements"]]
    left = with_entries(files, [entry for entry in entries if entry != gone])
    del left[pack.proof_name(gone["i"])], left[pack.statement_name(gone["facts"]["statement_sha256"])]
    governing = pack.parse_manifest(files[pack.MANIFEST]).governing
    left = described(left, governing=tuple(index for index in governing if index != gone["i"]))
    verdict = judged(left, honest, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert "was carried over" in verdict.sentence
    assert "was carried over" in verdict.said


def test_the_opening_entry_cannot_be_left_out(honest: Office, tmp_path: Path) -> None:
    files = pack_of(honest, Selection(item=list(honest.items)[1]), signer=SECOND)
    left = with_entries(files, entries_of(files)[1:])
    del left[pack.proof_name(0)]
    governing = pack.parse_manifest(files[pack.MANIFEST]).governing
    verdict = judged(described(left, governing=governing[1:]), honest, tmp_path)
    assert (verdict.ours, verdict.theirs) == (4, 4), verdict
    assert "does not stand where a shard begins" in verdict.said


@pytest.mark.slow
def test_both_agree_about_changed_leaves_of_a_later_shard(honest: Office) -> None:
    """Every value in every carried leaf made another, or of another kind: what ours finds, it finds."""
    leaves = list(honest.leaves())
    wrecks: tuple[Callable[[Any], Any], ...] = (
        lambda _: None, lambda _: 5, lambda _: [], lambda _: {}, lambda value: f"{value}x",
        lambda value: str(value)[:-1],
    )  # fmt: skip
    assert not refused(leaves, honest)
    count = leaves[0][1]["facts"]["carried"]
    found = sterner = 0
    for index, leaf in leaves[: count + 1]:
        for path in places(leaf):
            for wreck in wrecks:
                changed = copy.deepcopy(leaves)
                node: Any = changed[index][1]
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = wreck(node[path[-1]])
                if not isinstance(changed[index][1]["event"], str) or changed[index][1]["i"] != index:
                    continue  # the parsers in front refuse it
                ours = bool(check_trail(changed, root=honest.desk.root))
                theirs = refused(changed, honest)
                assert theirs or not ours, (index, path, node[path[-1]])
                found += ours
                sterner += theirs and not ours
    assert found > 100
    assert sterner <= 20  # where a leaf is nonsense, not where it lies

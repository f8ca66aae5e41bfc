"""An approval counts only if everything about it is as it should be; each thing that is not has its own sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.approvals.office import Office, Signatory
from transfer.approvals import approve, drafts, pausing, people
from transfer.approvals.statement import ApprovalStatement, Risk, Role
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import parse_statement, render_statement
from transfer.approvals.trail import check_trail
from transfer.errors import Misuse, NotSo, Tampered, Unavailable
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256, item_id_from_entropy
from transfer.model.states import State
from transfer.policy.rules import Policy


def with_quorum(policy: Policy, quorum: int) -> Policy:
    return replace(policy, approval=replace(policy.approval, quorum=quorum))


def changed(text: str, **changes: object) -> str:
    statement = parse_statement(text)
    assert isinstance(statement, ApprovalStatement)
    return render_statement(replace(statement, **changes))  # type: ignore[arg-type]  # rendering checks the values


def refused(office: Office, note: str, sentence: str, error: type[Exception] = NotSo) -> None:
    """The note is refused with this sentence, and refusing it leaves no trace."""
    before = [leaf for _, leaf in office.leaves()]
    with pytest.raises(error, match=sentence):
        office.hand_in(note)
    assert [leaf for _, leaf in office.leaves()] == before
    assert all(office.state(item) is not State.APPROVED for item in office.items)


def test_in_three_steps_the_key_never_comes_near_the_gateway(office: Office) -> None:
    item = office.hold(1)
    text = office.statement(item, note="seen on the big screen")  # transfer statement ITEM
    note = office.helen.sign(text)  # transfer sign STATEMENT --key FILE, anywhere
    done = office.hand_in(note)  # transfer approve --signature FILE
    assert done.approved == (item,)
    assert done.by == office.helen.person
    approved = office.confirm(item)
    assert approved.approvers == (office.helen.person,)
    assert approved.statement_sha256 == done.statement_sha256
    assert approved.approved_at == office.clock.at
    leaf = next(leaf for _, leaf in office.leaves() if leaf["event"] == "statement.accepted")
    assert leaf["facts"]["statement"] == note
    assert "big screen" not in str(list(office.leaves())), "free text is in the log only as a commitment"
    assert "helen" not in str(list(office.leaves()))


def test_several_items_in_one_statement(office: Office) -> None:
    items = [office.hold(number) for number in range(1, 65)]
    assert set(office.approve(*items).approved) == set(items)
    assert office.confirm(items[-1]).held == office.items[items[-1]]


def test_sixty_five_items_are_too_many(office: Office) -> None:
    items = [office.hold(number) for number in range(1, 66)]
    with pytest.raises(Misuse, match="1 to 64 items; these are 65"):
        office.statement(*items)
    with pytest.raises(Misuse, match="1 to 64"):
        office.statement()


def test_a_forged_signature(office: Office) -> None:
    text = office.statement(office.hold(1))
    thief = Signatory(office.helen.person, SigningKey(b"t" * 32))
    refused(office, thief.sign(text), "signed with another key than the one enrolled")


def test_bytes_changed_after_signing(office: Office) -> None:
    note = office.helen.sign(office.statement(office.hold(1)))
    refused(office, note.replace('"risk":"low"', '"risk":"high"'), "changed or forged")


def test_a_person_nobody_enrolled(office: Office) -> None:
    mallory = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))
    item = office.hold(1)
    refused(office, mallory.sign(office.statement(item, by=mallory)), "not enrolled by a signature")


def test_a_key_that_no_chain_leads_to(office: Office) -> None:
    """Somebody with the database in their hands writes themselves in as an approver."""
    mallory = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))
    at = "2026-01-01T00:00:00.000Z"
    office.sql("INSERT INTO person VALUES (?, 'mallory', ?, NULL)", mallory.person, at)
    office.sql("INSERT INTO person_role VALUES (?, 'approver')", mallory.person)
    item = office.hold(1)
    refused(office, mallory.sign(office.statement(item, by=mallory)), "not enrolled by a signature")
    with office.db.read() as tx:
        assert people.find(tx, "mallory", desk=office.desk).roles == ("approver",)
        assert next(one for one in people.listing(tx, desk=office.desk) if one.name == "mallory").signs == ()


def test_a_submitter_or_operator_is_no_approver(office: Office) -> None:
    item = office.hold(1)
    for name, role in (("oona", Role.OPERATOR), ("aud", Role.AUDITOR), ("sub", Role.SUBMITTER)):
        who = office.enrol(name, role)
        refused(office, who.sign(office.statement(item, by=who)), f"is enrolled as {role}, and this takes approver")


def test_a_disabled_approver(office: Office) -> None:
    paul = office.enrol("paul")
    note = paul.sign(office.statement(office.hold(1), by=paul))
    office.disable(paul, by=office.helen)
    refused(office, note, "has been disabled")


def test_four_eyes(office: Office) -> None:
    paul = office.enrol("paul")
    item = office.hold(1, submitter=paul.person)
    refused(office, paul.sign(office.statement(item, by=paul)), "handed in by the person who would approve it")
    assert office.approve(item).approved == (item,)


def test_other_bytes(office: Office) -> None:
    item = office.hold(1)
    text = changed(office.statement(item), items=((item, Sha256("d" * 64)),))
    refused(office, office.helen.sign(text), "other bytes")


def test_an_item_that_is_not_there(office: Office) -> None:
    stranger = item_id_from_entropy(b"12345")
    text = changed(office.statement(office.hold(1)), items=((stranger, Sha256("d" * 64)),))
    refused(office, office.helen.sign(text), f"There is no item {stranger}")


def test_another_policy(office: Office) -> None:
    item = office.hold(1)
    text = changed(office.statement(item), policy=Sha256("d" * 64))
    refused(office, office.helen.sign(text), "under another policy than the one in force")


def test_judged_under_an_earlier_policy(office: Office) -> None:
    item = office.hold(1, policy="d" * 64)
    refused(office, office.helen.sign(office.statement(item)), "judged by an earlier policy")


def test_another_campaign(office: Office) -> None:
    office.propose(CampaignId("summer"))
    office.approve_campaign(CampaignId("summer"))
    text = changed(office.statement(office.hold(1)), campaign=CampaignId("summer"))
    refused(office, office.helen.sign(text), "belongs to the campaign open-day; the statement is for summer")


def test_items_of_two_campaigns(office: Office) -> None:
    one, two = office.hold(1), office.hold(2, campaign=CampaignId("summer"))
    with pytest.raises(Misuse, match="several campaigns"):
        office.statement(one, two)


def test_a_campaign_nobody_approved(office: Office) -> None:
    office.propose(CampaignId("summer"))
    item = office.hold(1, campaign=CampaignId("summer"))
    refused(office, office.helen.sign(office.statement(item)), "summer is not approved, or it has been closed")


def test_a_closed_campaign(office: Office) -> None:
    note = office.helen.sign(office.statement(office.hold(1)))
    office.close_campaign()
    refused(office, note, "open-day is not approved, or it has been closed")


def test_a_campaign_that_is_over(office: Office) -> None:
    item = office.hold(1)
    office.clock.pass_(days=40)
    refused(office, office.helen.sign(office.statement(item)), "from 2026-03-01 to 2026-03-29; today is 2026-04-11")


@pytest.mark.parametrize("waiting_for", [one for one in WaitingFor if one is not WaitingFor.APPROVAL])
def test_an_item_that_waits_for_something_else(office: Office, waiting_for: WaitingFor) -> None:
    item = office.hold(1, waiting_for=waiting_for)
    refused(office, office.helen.sign(office.statement(item)), f"waits for {waiting_for}, not for approval")


def test_one_bad_item_spoils_the_statement(office: Office) -> None:
    good, bad = office.hold(1), office.hold(2, waiting_for=WaitingFor.SCANNER)
    refused(office, office.helen.sign(office.statement(good, bad)), "waits for scanner")
    assert office.state(good) is State.HELD


def test_not_from_the_future_and_not_too_old(office: Office) -> None:
    text = office.statement(office.hold(1))
    soon, late = office.clock.at + timedelta(minutes=5), office.clock.at + timedelta(minutes=5, seconds=1)
    refused(office, office.helen.sign(changed(text, at=late)), "in the future")
    old = office.clock.at - timedelta(days=office.policy.approval.valid_days, seconds=1)
    refused(office, office.helen.sign(changed(text, at=old)), "has expired")
    assert office.hand_in(office.helen.sign(changed(text, at=soon))).approved


def test_a_statement_counts_once(office: Office) -> None:
    item = office.hold(1)
    note = office.helen.sign(office.statement(item))
    office.hand_in(note)
    with pytest.raises(NotSo, match="is approved; only one that is held"):
        office.hand_in(note)
    with office.db.write() as tx:
        approve.lapse(tx, office.items[item], NotSo("it stands no longer"), desk=office.desk)
    refused(office, note, "handed in before; it counts once")


def test_words_that_were_never_here(office: Office) -> None:
    text = changed(office.statement(office.hold(1)), note=Sha256("d" * 64))
    refused(office, office.helen.sign(text), "words behind this statement's digest are not here")


def test_another_kind_of_statement(office: Office) -> None:
    with office.db.write() as tx:
        text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="?", desk=office.desk)
    refused(office, office.helen.sign(text), "kind «pause»; here one of the kind «approval»", Misuse)


@pytest.mark.parametrize("rubbish", ["", "\n\n", "hello", "oneway-transfer/statement/v1\n{}\n", "x\n\n— a AAAAAAAA\n"])
def test_rubbish(office: Office, rubbish: str) -> None:
    office.hold(1)
    refused(office, rubbish, "not a", Misuse)


def test_a_role_the_policy_asks_for(office: Office) -> None:
    office.policy = replace(office.policy, approval=replace(office.policy.approval, roles=("dean",)))
    refused(office, office.helen.sign(office.statement(office.hold(1))), "is not dean")


class TestQuorumOfTwo:
    @pytest.fixture
    def two(self, office: Office) -> Office:
        office.policy = with_quorum(office.policy, 2)
        return office

    def test_one_is_not_enough_and_two_are(self, two: Office) -> None:
        paul, item = two.enrol("paul"), two.hold(1)
        assert two.approve(item).waiting == ((item, 1),)
        assert two.state(item) is State.HELD
        two.clock.pass_(minutes=1)
        assert two.approve(item, by=paul).approved == (item,)
        assert two.confirm(item).approvers == (two.helen.person, paul.person)

    def test_the_same_person_twice_is_one(self, two: Office) -> None:
        item = two.hold(1)
        two.approve(item)
        two.clock.pass_(minutes=1)
        assert two.approve(item).waiting == ((item, 1),)
        assert two.state(item) is State.HELD

    def test_if_one_of_two_is_disabled_it_does_not_release(self, two: Office) -> None:
        paul, item = two.enrol("paul"), two.hold(1)
        two.approve(item)
        two.approve(item, by=paul)
        two.disable(paul, by=two.helen)
        with pytest.raises(NotSo, match="disabled"):
            two.confirm(item)

    def test_nobody_at_all_is_no_quorum(self, two: Office) -> None:
        two.policy = with_quorum(two.policy, 0)
        with pytest.raises(Misuse, match="no approver at all"):
            two.approve(two.hold(1))


class TestConfirm:
    """Everything once more before anything leaves."""

    @pytest.fixture
    def item(self, office: Office) -> ItemId:
        item = office.hold(1)
        office.approve(item)
        return item

    def test_a_held_item_is_not_approved(self, office: Office) -> None:
        item = office.hold(1)
        with pytest.raises(NotSo, match="is held, not approved"):
            office.confirm(item)

    def test_time_passing_approves_nothing_and_ends_what_was(self, office: Office, item: ItemId) -> None:
        waiting = office.hold(2)
        office.policy = replace(office.policy, approval=replace(office.policy.approval, valid_days=2))
        office.clock.pass_(days=2)
        office.confirm(item)
        office.clock.pass_(seconds=1)
        with pytest.raises(NotSo, match="has expired") as why:
            office.confirm(item)
        with office.db.write() as tx:
            approve.lapse(tx, office.items[item], why.value, desk=office.desk)
        assert office.state(item) is State.HELD
        assert office.state(waiting) is State.HELD
        assert office.approve(item).approved == (item,)
        assert office.confirm(item)

    def test_a_campaign_that_ended_meanwhile(self, office: Office, item: ItemId) -> None:
        office.close_campaign()
        with pytest.raises(NotSo, match="closed"):
            office.confirm(item)

    def test_a_campaign_whose_days_are_over(self, office: Office, item: ItemId) -> None:
        office.policy = replace(office.policy, approval=replace(office.policy.approval, valid_days=100))
        office.clock.pass_(days=28)
        with pytest.raises(NotSo, match="today is 2026-03-30"):
            office.confirm(item)

    def test_a_policy_that_changed_meanwhile(self, office: Office, item: ItemId) -> None:
        office.policy = replace(office.policy, sha256="e" * 64)
        with pytest.raises(NotSo, match="judged by an earlier policy"):
            office.confirm(item)

    def test_a_role_that_the_policy_asks_for_now(self, office: Office, item: ItemId) -> None:
        office.policy = replace(office.policy, approval=replace(office.policy.approval, roles=("dean",)))
        with pytest.raises(NotSo, match="is not dean"):
            office.confirm(item)

    def test_a_key_that_was_replaced_meanwhile(self, office: Office, item: ItemId) -> None:
        fresh = Signatory(office.helen.person, SigningKey(b"n" * 32))
        office.enrol_key("helen", fresh)
        with pytest.raises(NotSo, match="another key"):
            office.confirm(item)

    def test_paused_is_not_now_and_not_never(self, office: Office, item: ItemId) -> None:
        for paused in (True, False):
            with office.db.write() as tx:
                text = drafts.draft_pause(tx, paused=paused, by=office.helen.person, reason="a doubt", desk=office.desk)
                pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
            if paused:
                with pytest.raises(Unavailable, match="paused by"):
                    office.confirm(item)
        assert office.confirm(item)

    def test_another_item_of_the_same_statement_is_not_enough(self, office: Office, item: ItemId) -> None:
        other = office.hold(2)
        office.sql("UPDATE item SET state = 'approved' WHERE item = ?", other)
        with pytest.raises(Tampered, match="nobody signed that"):
            office.confirm(other)
        office.sql("INSERT INTO decision SELECT ?, statement, kind, 0 FROM decision", other)
        with pytest.raises(Tampered, match="is about something else"):
            office.confirm(other)


def test_what_was_done_here_is_what_an_auditor_accepts(office: Office) -> None:
    office.policy = with_quorum(office.policy, 2)
    paul, item = office.enrol("paul"), office.hold(1)
    office.approve(item)
    office.approve(item, by=paul)
    office.release(item)
    assert check_trail(office.leaves(), root=office.desk.root) == []


def test_risk_is_stated_in_the_log(office: Office) -> None:
    office.approve(office.hold(1))
    leaf = next(leaf for _, leaf in office.leaves() if leaf["event"] == "file.approved")
    assert leaf["facts"]["risk"] == Risk.LOW
    assert leaf["facts"]["public"] is True


class TestConfirmReleased:
    """To put a genuine file back, what was signed counts, not what has ended since."""

    @pytest.fixture
    def item(self, office: Office) -> ItemId:
        paul, item = office.enrol("paul"), office.hold(1)
        office.approve(item, by=paul)
        office.sql("UPDATE item SET state = 'released' WHERE item = ?", item)
        office.disable(paul, by=office.helen)
        office.close_campaign()
        office.clock.pass_(days=400)
        return item

    def test_what_ended_since_does_not_matter(self, office: Office, item: ItemId) -> None:
        with office.db.read() as tx:
            held = office.items[item]
            found = approve.confirm_released(tx, held, desk=office.desk)
            assert found.held == held
            with pytest.raises(NotSo, match="is released, not approved"):
                approve.confirm(tx, held, desk=office.desk, policy=office.policy)

    def test_what_was_signed_does(self, office: Office, item: ItemId) -> None:
        mallory = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))
        forged = mallory.sign(office.statement(item, by=mallory))
        office.sql("UPDATE statement SET note = ? WHERE kind = 'approval'", forged)
        with office.db.read() as tx, pytest.raises(Tampered, match="never had a key"):
            approve.confirm_released(tx, office.items[item], desk=office.desk)

    def test_not_while_paused(self, office: Office, item: ItemId) -> None:
        with office.db.write() as tx:
            text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="a doubt", desk=office.desk)
            pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
            with pytest.raises(Unavailable):
                approve.confirm_released(tx, office.items[item], desk=office.desk)

    def test_as_many_signatures_as_the_log_says_were_asked_for(self, office: Office) -> None:
        office.policy = with_quorum(office.policy, 2)
        paul, item = office.enrol("paul"), office.hold(1)
        office.approve(item)
        office.approve(item, by=paul)
        office.sql("UPDATE item SET state = 'released' WHERE item = ?", item)
        office.policy = with_quorum(office.policy, 1)
        with office.db.read() as tx:
            found = approve.confirm_released(tx, office.items[item], desk=office.desk)
        assert found.approvers == (office.helen.person, paul.person)
        office.sql("DELETE FROM decision WHERE statement = ?", found.statement_sha256)
        with office.db.read() as tx, pytest.raises(NotSo, match="needs the approval of 1 more"):
            approve.confirm_released(tx, office.items[item], desk=office.desk)

    def test_an_item_marked_released_by_hand(self, office: Office) -> None:
        item = office.hold(1)
        office.sql("UPDATE item SET state = 'released' WHERE item = ?", item)
        with office.db.read() as tx, pytest.raises(Tampered, match="does not say that item"):
            approve.confirm_released(tx, office.items[item], desk=office.desk)


def test_a_scan_that_is_too_old_is_none(office: Office) -> None:
    """Neither for who approves, nor for what was approved and has not gone yet (G9)."""
    days = office.policy.malware.max_signature_age_days
    old, young = (
        office.hold(n, scanned_at=office.clock.at - timedelta(days=days, hours=h)) for n, h in ((1, 1), (2, -1))
    )
    refused(office, office.helen.sign(office.statement(old)), f"scanned for malware {days} days ago")
    office.approve(young)
    assert office.confirm(young)
    office.clock.pass_(hours=2)
    with pytest.raises(NotSo, match="scanned for malware"):
        office.confirm(young)

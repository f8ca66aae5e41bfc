"""Refusing, withdrawing, pausing; people, campaigns and devices: what is recorded and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.approvals.office import CAMPAIGN, Office, Signatory
from transfer.approvals import campaigns, decisions, devices, drafts, pausing, people
from transfer.approvals.authority import Root, parse_root, render_root
from transfer.approvals.statement import CampaignStatement, PauseStatement, RefusalStatement, Risk, Role
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import parse_statement, render_statement
from transfer.errors import Misuse, NotSo, TransferError
from transfer.model.events import Event, EventName
from transfer.model.identifiers import CampaignId, DeviceId, ItemId, PersonId, Sha256
from transfer.model.states import Refused, State
from transfer.policy.rules import CampaignStanding


def refuse(office: Office, who: Signatory, *items: ItemId, reason: str = "A child can be recognised.") -> None:
    with office.db.write() as tx:
        text = drafts.draft_refusal(tx, items, by=who.person, reason=reason, desk=office.desk)
        decisions.refuse(tx, who.sign(text), desk=office.desk, policy=office.policy)


def withdraw(office: Office, who: Signatory, *items: ItemId) -> decisions.Decided:
    with office.db.write() as tx:
        text = drafts.draft_withdrawal(tx, items, by=who.person, reason="wrong logo", desk=office.desk)
        return decisions.withdraw(tx, who.sign(text), desk=office.desk)


def pause(office: Office, who: Signatory, *, paused: bool) -> None:
    with office.db.write() as tx:
        text = drafts.draft_pause(tx, paused=paused, by=who.person, reason="a doubt", desk=office.desk)
        pausing.set_pause(tx, who.sign(text), desk=office.desk)


class TestRefuse:
    def test_staff_read_why(self, office: Office) -> None:
        item = office.hold(1)
        refuse(office, office.helen, item)
        with office.db.read() as tx:
            record = office.desk.register.load(tx, item)
        assert isinstance(record, Refused)
        assert "A child can be recognised." in record.reasons[-1].message
        assert record.reasons[-1].clauses
        assert office.state(item) is State.REFUSED
        assert "recognised" not in str(list(office.leaves()))
        leaf = list(office.leaves())[-1][1]
        assert (leaf["event"], leaf["by"]) == ("file.refused", office.helen.person)

    def test_an_operator_may_and_a_submitter_may_not(self, office: Office) -> None:
        oona, sub = office.enrol("oona", Role.OPERATOR), office.enrol("sub", Role.SUBMITTER)
        item = office.hold(1)
        with pytest.raises(NotSo, match="this takes approver or operator"):
            refuse(office, sub, item)
        refuse(office, oona, item)
        assert office.state(item) is State.REFUSED

    def test_what_is_let_go_is_withdrawn_not_refused(self, office: Office) -> None:
        item = office.hold(1)
        office.approve(item)
        with pytest.raises(NotSo, match="is approved") as caught:
            refuse(office, office.helen, item)
        assert "transfer withdraw" in caught.value.advice

    def test_other_bytes(self, office: Office) -> None:
        item = office.hold(1)
        with office.db.write() as tx:
            text = drafts.draft_refusal(tx, [item], by=office.helen.person, reason="no", desk=office.desk)
            statement = parse_statement(text)
            assert isinstance(statement, RefusalStatement)
            other = render_statement(replace(statement, items=((item, Sha256("d" * 64)),)))
            with pytest.raises(NotSo, match="other bytes"):
                decisions.refuse(tx, office.helen.sign(other), desk=office.desk, policy=office.policy)

    def test_a_reason_is_needed(self, office: Office) -> None:
        with pytest.raises(Misuse, match="needs a reason"):
            refuse(office, office.helen, office.hold(1), reason="\u202e \n")


class TestWithdraw:
    def test_a_held_item_goes_at_once(self, office: Office) -> None:
        item = office.hold(1)
        assert withdraw(office, office.helen, item).done == (item,)
        assert office.state(item) is State.WITHDRAWN

    def test_an_approved_one_is_left_to_the_gateway_and_never_released(self, office: Office) -> None:
        held, approved = office.hold(1), office.hold(2)
        office.approve(approved)
        done = withdraw(office, office.helen, held, approved)
        assert (done.done, done.pending) == ((held,), (approved,))
        with pytest.raises(NotSo, match="was withdrawn"):
            office.confirm(approved)
        with office.db.write() as tx:
            (found,) = decisions.open_withdrawals(tx, desk=office.desk)
            assert (found.item, found.by) == (approved, office.helen.person)
            event = Event(name=EventName.FILE_WITHDRAWN, item=approved, by=found.by)
            office.desk.register.mark(tx, approved, State.WITHDRAWN, event, was=frozenset({State.APPROVED}))
            assert decisions.open_withdrawals(tx, desk=office.desk) == []
            decisions.close_withdrawal(tx, approved, desk=office.desk)
            assert office.desk.statements.open_items(tx) == []

    def test_not_twice(self, office: Office) -> None:
        item = office.hold(1)
        withdraw(office, office.helen, item)
        with pytest.raises(NotSo, match="is withdrawn"):
            withdraw(office, office.helen, item)

    def test_an_old_withdrawal_is_not_handed_in_later(self, office: Office) -> None:
        item = office.hold(1)
        with office.db.write() as tx:
            text = drafts.draft_withdrawal(tx, [item], by=office.helen.person, reason="x", desk=office.desk)
        office.clock.pass_(days=8)
        with office.db.write() as tx, pytest.raises(NotSo, match="expired"):
            decisions.withdraw(tx, office.helen.sign(text), desk=office.desk)


class TestPause:
    def test_once_on_once_off(self, office: Office) -> None:
        oona = office.enrol("oona", Role.OPERATOR)
        pause(office, oona, paused=True)
        with office.db.read() as tx:
            found = pausing.pause_in_force(tx, desk=office.desk)
            assert isinstance(found, PauseStatement)
            assert found.by == oona.person
            assert tx.connection.exec_driver_sql("SELECT paused_by FROM control").scalar_one() == oona.person
        with pytest.raises(NotSo, match="paused already"):
            pause(office, office.helen, paused=True)
        pause(office, office.helen, paused=False)
        with pytest.raises(NotSo, match="not paused"):
            pause(office, office.helen, paused=False)
        with office.db.read() as tx:
            assert pausing.pause_in_force(tx, desk=office.desk) is None

    def test_a_resume_cannot_be_used_again(self, office: Office) -> None:
        pause(office, office.helen, paused=True)
        with office.db.write() as tx:
            text = drafts.draft_pause(tx, paused=False, by=office.helen.person, reason="fine", desk=office.desk)
            note = office.helen.sign(text)
            pausing.set_pause(tx, note, desk=office.desk)
        pause(office, office.helen, paused=True)
        with office.db.write() as tx, pytest.raises(NotSo, match="used before"):
            pausing.set_pause(tx, note, desk=office.desk)

    def test_not_from_the_future(self, office: Office) -> None:
        with office.db.write() as tx:
            text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="x", desk=office.desk)
            office.clock.pass_(minutes=-6)
            with pytest.raises(NotSo, match="in the future"):
                pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)

    def test_somebody_without_a_key_cannot(self, office: Office) -> None:
        with office.db.write() as tx:
            ben = people.add(tx, name="ben", role=Role.OPERATOR, desk=office.desk)
        with pytest.raises(NotSo, match="not enrolled by a signature"):
            pause(office, Signatory(ben.person, SigningKey(b"b" * 32)), paused=True)


class TestPeople:
    def test_no_approver_without_a_signature(self, office: Office) -> None:
        with office.db.write() as tx, pytest.raises(NotSo, match="signature of an approver"):
            people.add(tx, name="eve", role=Role.APPROVER, desk=office.desk)

    def test_an_operator_enrols_nobody(self, office: Office) -> None:
        oona = office.enrol("oona", Role.OPERATOR)
        with pytest.raises(NotSo, match="this takes approver"):
            office.enrol("eve", by=oona)

    def test_who_was_enrolled_by_who_was_disabled_stays(self, office: Office) -> None:
        paul = office.enrol("paul")
        vera = office.enrol("vera", by=paul)
        office.disable(paul, by=vera)
        office.disable(office.helen, by=vera)
        item = office.hold(1)
        # The campaign was approved by helen when she was an approver, so it goes on.
        assert office.approve(item, by=vera).approved == (item,)
        with pytest.raises(NotSo, match="has been disabled"):
            office.enrol("eve", by=paul)

    def test_the_last_approver_cannot_be_disabled(self, office: Office) -> None:
        with pytest.raises(NotSo, match="last approver"):
            office.disable(office.helen, by=office.helen)

    def test_an_enrolment_cannot_be_used_again_after_a_disabling(self, office: Office) -> None:
        paul = Signatory(PersonId("u_" + "b" * 32), SigningKey(b"p" * 32))
        with office.db.write() as tx:
            text = drafts.draft_enrolment(
                tx,
                paul.person,
                role=Role.APPROVER,
                public_key=paul.key.public_key,
                by=office.helen.person,
                desk=office.desk,
            )
            note = office.helen.sign(text)
            people.enrol(tx, note, name="paul", desk=office.desk)
        office.disable(paul, by=office.helen)
        with office.db.write() as tx, pytest.raises(NotSo, match="used before"):
            people.enrol(tx, note, name="paul", desk=office.desk)

    def test_one_key_serves_one_person(self, office: Office) -> None:
        twin = Signatory(PersonId("u_" + "c" * 32), office.helen.key)
        with pytest.raises(NotSo, match="no key serves two persons"):
            office.enrol_key("twin", twin)

    def test_a_weak_key_is_not_enrolled(self, office: Office) -> None:
        with office.db.write() as tx:
            text = drafts.draft_enrolment(
                tx,
                PersonId("u_" + "c" * 32),
                role=Role.APPROVER,
                public_key="01" + "00" * 31,
                by=office.helen.person,
                desk=office.desk,
            )
            with pytest.raises(NotSo, match="weak"):
                people.enrol(tx, office.helen.sign(text), name="weak", desk=office.desk)

    def test_a_new_key_takes_the_old_ones_signature(self, office: Office) -> None:
        fresh = Signatory(office.helen.person, SigningKey(b"n" * 32))
        with pytest.raises(NotSo, match="another key"):
            office.enrol_key("helen", fresh, by=fresh)
        office.enrol_key("helen", fresh, by=office.helen)
        item = office.hold(1)
        with pytest.raises(NotSo, match="another key"):
            office.approve(item)
        assert office.approve(item, by=fresh).approved == (item,)

    def test_two_people_do_not_share_a_name(self, office: Office) -> None:
        for name in ("helen", "  helen\u200b "):
            with pytest.raises(NotSo, match="another helen"):
                office.enrol(name)
        with office.db.write() as tx, pytest.raises(Misuse, match="u_"):
            people.add(tx, name="u_x", role=Role.AUDITOR, desk=office.desk)

    def test_several_roles(self, office: Office) -> None:
        with office.db.write() as tx:
            row = people.add(tx, name="sam", role=Role.OPERATOR, desk=office.desk)
            assert row.person == office.sam
            with pytest.raises(NotSo, match="is operator already"):
                people.add(tx, name="sam", role=Role.OPERATOR, desk=office.desk)
            found = people.find(tx, "sam", desk=office.desk)
        assert found.roles == ("operator", "submitter")

    def test_disabling_without_a_signature_is_for_those_who_sign_nothing(self, office: Office) -> None:
        with office.db.write() as tx:
            with pytest.raises(NotSo, match="takes an approver's signature"):
                people.remove(tx, office.helen.person, desk=office.desk)
            people.remove(tx, office.sam, desk=office.desk)
            with pytest.raises(NotSo, match="sam has been disabled"):
                people.find(tx, "sam", desk=office.desk)
            with pytest.raises(NotSo, match="Nobody here is called nobody"):
                people.find(tx, "nobody", desk=office.desk)

    def test_names_can_be_erased_and_everything_goes_on(self, office: Office) -> None:
        paul = office.enrol("paul")
        with office.db.write() as tx:
            entry = office.desk.recorder.append(tx, Event(name=EventName.SETTINGS_ADOPTED))
            office.desk.directory.erase_name(tx, paul.person, entry=entry)
        item = office.hold(1)
        assert office.approve(item, by=paul).approved == (item,)
        with office.db.read() as tx:
            assert {one.name for one in people.listing(tx, desk=office.desk)} == {"helen", "sam", None}

    def test_the_root_has_one_spelling(self, office: Office) -> None:
        root = Root(person=office.helen.person, public_key=office.helen.key.public_key)
        assert parse_root(render_root(root)) == root
        for wrong in ("", "x", render_root(root)[:-3], render_root(root) + "\n"):
            with pytest.raises(TransferError):
                parse_root(wrong)


class TestCampaigns:
    def test_standing(self, office: Office) -> None:
        def standing(campaign: CampaignId | None) -> CampaignStanding:
            with office.db.read() as tx:
                return campaigns.standing(tx, campaign, desk=office.desk)

        summer = CampaignId("summer")
        assert standing(None) is standing(summer) is CampaignStanding.UNKNOWN
        office.propose(summer, days=1)
        assert standing(summer) is CampaignStanding.NOT_APPROVED
        office.approve_campaign(summer)
        assert standing(summer) is CampaignStanding.APPROVED
        office.clock.pass_(days=1)
        assert standing(summer) is CampaignStanding.NOT_CURRENT
        assert standing(CAMPAIGN) is CampaignStanding.APPROVED
        office.close_campaign()
        assert standing(CAMPAIGN) is CampaignStanding.NOT_APPROVED
        with office.db.read() as tx:
            listed = campaigns.listing(tx, desk=office.desk)
        assert [one.standing for one in listed] == [CampaignStanding.NOT_APPROVED, CampaignStanding.NOT_CURRENT]
        assert listed[1].words["purpose"].startswith("Show the open day")
        assert listed[1].approved_by == office.helen.person

    def test_a_closed_campaign_is_not_opened_by_its_old_approval(self, office: Office) -> None:
        summer = CampaignId("summer")
        office.propose(summer)
        note = office.approve_campaign(summer)
        office.close_campaign(summer)
        with office.db.write() as tx, pytest.raises(NotSo, match="used before"):
            campaigns.approve(tx, note, desk=office.desk)
        office.approve_campaign(summer)

    def test_only_what_was_proposed_is_approved(self, office: Office) -> None:
        with office.db.write() as tx:
            statement = parse_statement(drafts.draft_campaign(tx, CAMPAIGN, by=office.helen.person, desk=office.desk))
            assert isinstance(statement, CampaignStatement)
            longer = render_statement(replace(statement, ends=date(2030, 1, 1)))
            with pytest.raises(NotSo, match="another proposal"):
                campaigns.approve(tx, office.helen.sign(longer), desk=office.desk)

    def test_a_new_proposal_does_not_change_what_was_approved(self, office: Office) -> None:
        office.propose(days=1)
        office.clock.pass_(days=5)
        with office.db.read() as tx:
            assert campaigns.standing(tx, CAMPAIGN, desk=office.desk) is CampaignStanding.APPROVED

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"purpose": " "}, "needs a purpose"),
            ({"account": "not an account"}, "name of an account"),
            ({"ends": date(2020, 1, 1)}, "end before it starts"),
            ({"justification": "x" * 2001}, "2001 characters"),
        ],
    )
    def test_a_proposal_says_everything(self, office: Office, change: dict[str, object], sentence: str) -> None:
        proposal = campaigns.Proposal(
            campaign=CampaignId("c"),
            account="@u.n_i",
            starts=date(2026, 1, 1),
            ends=date(2026, 1, 2),
            risk=Risk.HIGH,
            purpose="p",
            justification="j",
            assessment="a",
        )
        with office.db.write() as tx, pytest.raises(Misuse, match=sentence):
            campaigns.propose(tx, replace(proposal, **change), by=office.sam, desk=office.desk)  # type: ignore[arg-type]

    def test_only_an_approver_approves(self, office: Office) -> None:
        oona = office.enrol("oona", Role.OPERATOR)
        with pytest.raises(NotSo, match="this takes approver"):
            office.approve_campaign(by=oona)
        with office.db.read() as tx, pytest.raises(NotSo, match="ever proposed"):
            drafts.draft_campaign(tx, CampaignId("none"), by=office.helen.person, desk=office.desk)


def test_devices(office: Office) -> None:
    ipad = DeviceId("ipad")
    with office.db.write() as tx:
        with pytest.raises(NotSo, match="is not enrolled"):
            devices.usable_device(tx, ipad, desk=office.desk)
        devices.add_device(tx, ipad, label="iPad of the press office", by=None, desk=office.desk)
        assert devices.usable_device(tx, ipad, desk=office.desk).label == "iPad of the press office"
        with pytest.raises(NotSo, match="already"):
            devices.add_device(tx, ipad, label="another", by=None, desk=office.desk)
        devices.disable_device(tx, ipad, by=None, desk=office.desk)
        with pytest.raises(NotSo, match="has been disabled"):
            devices.usable_device(tx, ipad, desk=office.desk)
    assert "press office" not in str(list(office.leaves()))

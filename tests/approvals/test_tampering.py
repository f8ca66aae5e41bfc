"""Somebody who can write the database, and even has the key of a disabled approver, still approves nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.approvals.office import CAMPAIGN, Office, Signatory, open_office
from transfer.approvals import approve, campaigns, drafts, pausing, people
from transfer.approvals.authority import Authority
from transfer.approvals.desk import Desk
from transfer.approvals.statement import EnrolmentStatement, Role
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import render_statement, statement_sha256
from transfer.errors import NotSo, Tampered
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.states import State

MALLORY = Signatory(PersonId("u_" + "a" * 32), SigningKey(b"m" * 32))


def add_statement(office: Office, note: str, *, kind: str, series: str | None, after: str | None, entry: int) -> None:
    office.sql(
        "INSERT INTO statement (sha256, entry, kind, series, after, note) VALUES (?, ?, ?, ?, ?, ?)",
        statement_sha256(note), entry, kind, series, after, note,
    )  # fmt: skip


def own_enrolment(office: Office, *, by: Signatory, after: str | None) -> str:
    return by.sign(
        render_statement(
            EnrolmentStatement(
                person=MALLORY.person,
                role=Role.APPROVER,
                public_key=MALLORY.key.public_key,
                after=Sha256(after) if after else None,
                at=office.clock.at,
                by=by.person,
            )
        )
    )


@pytest.fixture
def item(office: Office) -> ItemId:
    item = office.hold(1)
    office.approve(item)
    return item


def test_a_self_signed_enrolment_put_into_the_table(office: Office) -> None:
    with office.db.read() as tx:
        head = office.desk.authority(tx).head("people")
    assert head
    add_statement(
        office,
        own_enrolment(office, by=MALLORY, after=head),
        kind="enrolment",
        series="people",
        after=head,
        entry=10_000,
    )
    with pytest.raises(Tampered, match="not enrolled by a signature"):
        office.approve(office.hold(1), by=MALLORY)


def test_the_first_enrolment_replaced_by_ones_own(office: Office) -> None:
    office.sql("DELETE FROM statement WHERE series = 'people'")
    note = own_enrolment(office, by=MALLORY, after=None)
    add_statement(office, note, kind="enrolment", series="people", after="", entry=0)
    with pytest.raises(Tampered, match=f"is that of {MALLORY.person} and not of {office.helen.person}"):
        office.approve(office.hold(1), by=MALLORY)


def test_all_statements_gone(office: Office, item: ItemId) -> None:
    office.sql("DELETE FROM statement")
    with pytest.raises(Tampered, match="the log has another last one"):
        office.confirm(item)


def test_a_whole_other_workspace_under_this_ones_root(office: Office, tmp_path: Path) -> None:
    """Every signature in the other database is good; only its first approver is not ours."""
    (tmp_path / "other").mkdir()
    other = open_office(tmp_path / "other")
    ours = Desk(
        register=other.desk.register,
        recorder=other.desk.recorder,
        clock=other.clock,
        entropy=other.entropy,
        root=type(office.desk.root)(person=office.helen.person, public_key="ab" * 32),
    )
    with other.db.read() as tx, pytest.raises(Tampered, match="or has another key"):
        ours.authority(tx)
    other.db.close()


def test_a_disabling_deleted_from_its_table(office: Office) -> None:
    """The stolen key of a disabled approver and the database together are not enough: the log remembers."""
    paul = office.enrol("paul")
    office.disable(paul, by=office.helen)
    office.sql("DELETE FROM statement WHERE kind = 'disabling'")
    with pytest.raises(Tampered, match="the log has another last one"):
        office.approve(office.hold(1), by=paul)


def test_a_disabling_deleted_from_the_middle(office: Office) -> None:
    paul = office.enrol("paul")
    office.disable(paul, by=office.helen)
    office.enrol("vera")
    office.sql("DELETE FROM statement WHERE kind = 'disabling'")
    with pytest.raises(Tampered, match="used before"):
        office.approve(office.hold(1), by=paul)


def test_a_pause_deleted_from_its_table(office: Office, item: ItemId) -> None:
    with office.db.write() as tx:
        text = drafts.draft_pause(tx, paused=True, by=office.helen.person, reason="doubt", desk=office.desk)
        pausing.set_pause(tx, office.helen.sign(text), desk=office.desk)
    office.sql("UPDATE control SET paused_by = NULL, paused_statement = NULL")
    with pytest.raises(Exception, match="Releasing is paused"):
        office.confirm(item)
    office.sql("DELETE FROM statement WHERE series = 'line'")
    with pytest.raises(Tampered, match="the log has another last one"):
        office.confirm(item)


def test_a_closing_deleted_from_its_table(office: Office, item: ItemId) -> None:
    office.close_campaign()
    office.sql("DELETE FROM statement WHERE kind = 'closing'")
    with pytest.raises(Tampered, match="the log has another last one"):
        office.confirm(item)


def test_a_campaign_made_longer_in_its_row(office: Office) -> None:
    item = office.hold(1)
    office.clock.pass_(days=40)
    office.sql("UPDATE campaign SET ends = '2030-01-01'")
    with pytest.raises(NotSo, match="from 2026-03-01 to 2026-03-29"):
        office.approve(item)


def test_statements_in_another_order(office: Office) -> None:
    office.enrol("paul")
    office.sql("UPDATE statement SET entry = 1000 - entry WHERE series = 'people'")
    with pytest.raises(Tampered):
        office.approve(office.hold(1))


def test_an_item_marked_approved_by_hand(office: Office) -> None:
    item = office.hold(1)
    office.sql("UPDATE item SET state = 'approved' WHERE item = ?", item)
    with pytest.raises(Tampered, match="nobody signed that"):
        office.confirm(item)


def test_an_approval_signed_by_oneself_put_into_the_table(office: Office) -> None:
    item = office.hold(1)
    note = MALLORY.sign(office.statement(item, by=MALLORY))
    office.sql("UPDATE item SET state = 'approved' WHERE item = ?", item)
    add_statement(office, note, kind="approval", series=None, after=None, entry=10_000)
    office.sql("INSERT INTO decision VALUES (?, ?, 'approval', 0)", item, statement_sha256(note))
    with pytest.raises(Tampered, match="never signed by an approver"):
        office.confirm(item)


def test_other_bytes_in_the_row_and_in_the_record(office: Office, item: ItemId) -> None:
    old, new = office.items[item].rebuilt.clean.sha256, hashlib.sha256(b"other").hexdigest()
    office.sql("UPDATE item SET rebuilt_sha256 = ? WHERE item = ?", new, item)
    with pytest.raises(Tampered, match="do not agree"):
        office.confirm(item)
    office.sql("UPDATE item SET record = replace(record, ?, ?) WHERE item = ?", old, new, item)
    with office.db.read() as tx:
        office.items[item] = office.desk.register.load(tx, item)  # type: ignore[assignment]
    with pytest.raises(Tampered, match="about something else"):
        office.confirm(item)


def test_another_submitter_in_the_row(office: Office) -> None:
    """Four eyes rest on who handed the file in; the row and the record must say the same."""
    item = office.hold(1)
    office.approve(item)
    office.sql("UPDATE item SET submitter = ? WHERE item = ?", MALLORY.person, item)
    with pytest.raises(Tampered, match="do not agree"):
        office.confirm(item)


def test_the_words_of_a_statement_exchanged(office: Office) -> None:
    note = office.helen.sign(office.statement(office.hold(1), note="as it was"))
    office.sql("UPDATE wording SET text = 'as it never was' WHERE text = 'as it was'")
    with pytest.raises(Tampered, match="not those that were signed"):
        office.hand_in(note)


def test_nothing_is_decided_by_an_empty_authority(office: Office) -> None:
    with pytest.raises(NotSo, match="not enrolled"):
        Authority(office.desk.root).open(office.helen.sign(office.statement(office.hold(1))))


def test_a_crash_leaves_the_statement_and_its_entry_or_neither(office: Office) -> None:
    item = office.hold(1)
    note = office.helen.sign(office.statement(item))

    class PowerCutError(Exception):
        pass

    def accept_and_die() -> None:
        with office.db.write() as tx:
            approve.accept(tx, note, desk=office.desk, policy=office.policy)
            raise PowerCutError

    with pytest.raises(PowerCutError):
        accept_and_die()
    assert office.state(item) is State.HELD
    assert not any(leaf["event"] == "statement.accepted" for _, leaf in office.leaves())
    assert office.hand_in(note).approved == (item,)


def test_a_submitters_row_gives_no_right_and_listing_shows_it(office: Office) -> None:
    office.sql("INSERT INTO person_role VALUES (?, 'approver')", office.sam)
    with office.db.read() as tx:
        sam = next(one for one in people.listing(tx, desk=office.desk) if one.name == "sam")
        assert (sam.roles, sam.signs) == (("approver", "submitter"), ())
        assert campaigns.standing(tx, CAMPAIGN, desk=office.desk)


def test_a_statement_under_another_digest(office: Office) -> None:
    office.sql("UPDATE statement SET sha256 = ? WHERE kind = 'campaign'", "d" * 64)
    with pytest.raises(Tampered, match="another digest than its own"):
        office.approve(office.hold(1))

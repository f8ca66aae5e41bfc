"""A whole workspace's people, campaign and items on a real database with a real log, for the tests of approvals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.store import pieces
from transfer.approvals import approve, campaigns, drafts, people
from transfer.approvals.authority import Root
from transfer.approvals.desk import Desk
from transfer.approvals.signing import sign_statement
from transfer.approvals.statement import Risk, Role
from transfer.approvals.statement_keys import SigningKey
from transfer.audit.entries import decode_leaf
from transfer.audit.log import Log
from transfer.model import chronicle
from transfer.model.events import Event, EventName, FileFact
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256, person_id_from_entropy
from transfer.model.states import Approved, Held, State
from transfer.policy.rulebook import load_shipped
from transfer.policy.rules import Policy
from transfer.store import journal
from transfer.store.database import Database, WriteTx
from transfer.store.register import Register

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CAMPAIGN = CampaignId("open-day")


@dataclass
class SetClock:
    """Stands still until told."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def pass_(self, **how_long: float) -> None:
        self.at += timedelta(**how_long)


@dataclass
class Counter:
    """Bytes that never repeat and are the same in every run."""

    count: int = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(b"%d" % self.count).digest(size)


@dataclass
class Signatory:
    person: PersonId
    key: SigningKey

    def sign(self, text: str) -> str:
        return sign_statement(text, self.key.seed)


@dataclass
class Office:
    db: Database
    clock: SetClock
    entropy: Counter
    helen: Signatory
    sam: PersonId
    desk: Desk
    policy: Policy
    items: dict[ItemId, Held] = field(default_factory=dict)

    # people

    def enrol(self, name: str, role: Role = Role.APPROVER, *, by: Signatory | None = None) -> Signatory:
        other = Signatory(person_id_from_entropy(self.entropy(16)), SigningKey(self.entropy(32)))
        self.enrol_key(name, other, role, by=by)
        return other

    def enrol_key(self, name: str, who: Signatory, role: Role = Role.APPROVER, *, by: Signatory | None = None) -> None:
        signer = by or self.helen
        with self.db.write() as tx:
            text = drafts.draft_enrolment(
                tx, who.person, role=role, public_key=who.key.public_key, by=signer.person, desk=self.desk
            )
            people.enrol(tx, signer.sign(text), name=name, desk=self.desk)

    def disable(self, who: Signatory, *, by: Signatory) -> None:
        with self.db.write() as tx:
            people.disable(
                tx, by.sign(drafts.draft_disabling(tx, who.person, by=by.person, desk=self.desk)), desk=self.desk
            )

    # campaigns

    def propose(self, campaign: CampaignId = CAMPAIGN, *, days: int = 28) -> None:
        proposal = campaigns.Proposal(
            campaign=campaign,
            account="@university",
            starts=date(2026, 3, 1),
            ends=date(2026, 3, 1) + timedelta(days=days),
            risk=Risk.LOW,
            purpose="Show the open day to those who cannot come.",
            justification="Applicants are on this platform and nowhere else.",
            assessment="Pictures of buildings; little to gain by changing them.",
        )
        with self.db.write() as tx:
            campaigns.propose(tx, proposal, by=self.sam, desk=self.desk)

    def approve_campaign(self, campaign: CampaignId = CAMPAIGN, *, by: Signatory | None = None) -> str:
        signer = by or self.helen
        with self.db.write() as tx:
            note = signer.sign(drafts.draft_campaign(tx, campaign, by=signer.person, desk=self.desk))
            campaigns.approve(tx, note, desk=self.desk)
        return note

    def close_campaign(self, campaign: CampaignId = CAMPAIGN, *, by: Signatory | None = None) -> None:
        signer = by or self.helen
        with self.db.write() as tx:
            text = drafts.draft_closing(tx, campaign, by=signer.person, reason="over", desk=self.desk)
            campaigns.close(tx, signer.sign(text), desk=self.desk)

    # items

    def hold(
        self,
        number: int,
        *,
        submitter: PersonId | None = None,
        campaign: CampaignId = CAMPAIGN,
        waiting_for: WaitingFor = WaitingFor.APPROVAL,
        policy: str | None = None,
        scanned_at: datetime | None = None,
    ) -> ItemId:
        held = pieces.held(number, waiting_for=waiting_for)
        examined = held.rebuilt.examined
        examined = replace(examined, scans=tuple(replace(scan, at=scanned_at) for scan in examined.scans))
        arrived = replace(
            examined.spooled.arrived, submitter=submitter or self.sam, campaign=campaign, at=self.clock.at
        )
        spooled = replace(examined.spooled, arrived=arrived)
        examined = replace(examined, spooled=spooled)
        rebuilt = replace(held.rebuilt, examined=examined)
        verdict = replace(held.verdict, policy_sha256=policy or self.policy.sha256)
        held = Held(rebuilt=rebuilt, verdict=verdict)
        with self.db.write() as tx:
            register = self.desk.register
            register.enter(tx, spooled, chronicle.spooled_event(spooled))
            register.advance(tx, examined, chronicle.examined_event(examined), was=State.SPOOLED)
            register.advance(tx, rebuilt, chronicle.rebuilt_event(rebuilt), was=State.EXAMINED)
            register.advance(tx, held, chronicle.held_event(held), was=State.REBUILT)
        self.items[arrived.item] = held
        return arrived.item

    def statement(self, *items: ItemId, by: Signatory | None = None, note: str = "") -> str:
        with self.db.write() as tx:
            return drafts.draft_approval(
                tx,
                items,
                by=(by or self.helen).person,
                risk=Risk.LOW,
                note=note,
                desk=self.desk,
                policy=self.policy,
            )

    def hand_in(self, note: str) -> approve.AcceptedApproval:
        with self.db.write() as tx:
            return approve.accept(tx, note, desk=self.desk, policy=self.policy)

    def approve(self, *items: ItemId, by: Signatory | None = None) -> approve.AcceptedApproval:
        signer = by or self.helen
        return self.hand_in(signer.sign(self.statement(*items, by=signer)))

    def confirm(self, item: ItemId) -> Approved:
        with self.db.read() as tx:
            return approve.confirm(tx, self.items[item], desk=self.desk, policy=self.policy)

    def release(self, item: ItemId, *, statement: Sha256 | None = None, sha256: Sha256 | None = None) -> None:
        """What the line records about a release; with `statement`, without asking `confirm`."""
        with self.db.write() as tx:
            if statement is None:
                approved = approve.confirm(tx, self.items[item], desk=self.desk, policy=self.policy)
                statement = approved.statement_sha256
            clean = self.items[item].rebuilt.clean
            fact = FileFact(sha256=sha256 or clean.sha256, size=clean.size)
            facts = {"statement_sha256": statement}
            policy = Sha256(self.policy.sha256)
            for name in (EventName.FILE_RELEASING, EventName.FILE_RELEASED):
                event = Event(name=name, item=item, file=fact, policy=policy, facts=facts)
                self.desk.recorder.append(tx, event)

    def state(self, item: ItemId) -> State:
        with self.db.read() as tx:
            return self.desk.register.row(tx, item).state

    # looking and tampering

    def leaves(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self.db.read() as tx:
            size = journal.head(tx).size
            yield from enumerate(decode_leaf(leaf) for leaf in journal.leaves(tx, 0, size))

    def sql(self, statement: str, *values: object) -> None:
        """What somebody with the database file in their hands can do."""
        with self.db.write() as tx:
            tx.connection.exec_driver_sql(statement, values)

    def rogue(self, tx: WriteTx, event: Event) -> None:
        """A well-formed entry that no decision stands behind."""
        self.desk.recorder.append(tx, event)


def open_office(folder: Path, *, policy: Policy | None = None) -> Office:
    """Helen is the first approver, sam hands files in, the campaign `open-day` is approved."""
    clock, entropy = SetClock(), Counter()
    db = Database.create(folder / "items.db")
    log = Log(origin="gateway.example/audit/2026", clock=clock, entropy=entropy)
    helen = Signatory(person_id_from_entropy(entropy(16)), SigningKey(entropy(32)))
    desk = Desk(
        register=Register(log, clock=clock),
        recorder=log,
        clock=clock,
        entropy=entropy,
        root=Root(person=helen.person, public_key=helen.key.public_key),
    )
    office = Office(
        db=db,
        clock=clock,
        entropy=entropy,
        helen=helen,
        sam=PersonId(""),
        desk=desk,
        policy=policy or load_shipped("university"),
    )
    office.enrol_key("helen", helen)
    with db.write() as tx:
        office.sam = people.add(tx, name="sam", role=Role.SUBMITTER, desk=desk).person
    office.propose()
    office.approve_campaign()
    return office

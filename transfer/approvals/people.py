"""People: who hands files in, approves, audits, operates.

Whoever can sign anything (every approver, and an operator with a key) is enrolled by an approver's signature; the first
approver signs for themself, once, when the workspace is made. A submitter, an auditor or an operator without a key may
be added by whoever runs the commands: that gives a name to a folder or an entry, and no right to decide.

Names are personal data: they stand in the directory, where they can be erased, and in the log only as commitments.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.approvals.authority import Authority, Member
from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.statement import DisableStatement, EnrolmentStatement, Role
from transfer.approvals.wording import clean_name
from transfer.errors import Misuse, NotSo
from transfer.model.events import Event, EventName
from transfer.model.identifiers import PersonId, person_id_from_entropy
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory import PersonRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One person as `people list` prints them. `signs` are the roles that a chain of signatures gives, sorted."""

    person: PersonId
    name: str | None
    roles: tuple[str, ...]
    signs: tuple[str, ...]
    public_key: str | None
    disabled: bool


def enrol(tx: WriteTx, note: str, *, name: str, desk: Desk) -> PersonRow:
    """Take in a signed enrolment: a new person, another role, another key, or somebody who was disabled.

    The first one ever is the first approver's own. Raises Misuse, NotSo, Tampered; then nothing was changed.
    """
    signed = desk.govern(tx, note, EnrolmentStatement)
    statement = signed.statement
    if not isinstance(statement, EnrolmentStatement):
        raise wrong_kind(statement.kind, EnrolmentStatement.kind)
    shown = _free_name(tx, name, statement.person, desk=desk)
    entry = desk.take_in(
        tx,
        signed,
        EventName.PERSON_ENROLLED,
        facts={"person": statement.person, "role": statement.role.value},
        private={"name": shown},
    )
    row = PersonRow(
        person=statement.person,
        name=shown,
        roles=(statement.role.value,),
        added_at=desk.clock.now(),
        disabled_at=None,
    )
    desk.directory.add_person(tx, row, entry=entry)
    return row


def add(
    tx: WriteTx, *, name: str, role: Role, by: PersonId | None = None, person: PersonId | None = None, desk: Desk
) -> PersonRow:
    """Add somebody who signs nothing, as `person` if the settings name that pseudonym already.

    Raises NotSo for an approver, or if the person has this role already.
    """
    if role is Role.APPROVER:
        raise NotSo(
            "An approver is enrolled by the signature of an approver.",
            advice="`transfer people add NAME --role approver --public-key FILE --as APPROVER --key FILE`.",
            clauses=("G1",),
        )
    known = desk.directory.named(tx, clean_name(name))
    person = known.person if known else person or person_id_from_entropy(desk.entropy(16))
    shown = _free_name(tx, name, person, desk=desk)
    if known and role.value in known.roles:
        raise NotSo(f"{shown} is {role} already.", advice="`transfer people list`.")
    event = Event(
        name=EventName.PERSON_ENROLLED, by=by, facts={"person": person, "role": role.value}, private={"name": shown}
    )
    row = PersonRow(person=person, name=shown, roles=(role.value,), added_at=desk.clock.now(), disabled_at=None)
    desk.directory.add_person(tx, row, entry=desk.recorder.append(tx, event))
    return row


def disable(tx: WriteTx, note: str, *, desk: Desk) -> PersonId:
    """Take in a signed disabling. Raises Misuse, NotSo (unknown, already, the last approver), Tampered."""
    signed = desk.govern(tx, note, DisableStatement)
    statement = signed.statement
    if not isinstance(statement, DisableStatement):
        raise wrong_kind(statement.kind, DisableStatement.kind)
    reason = desk.words(tx, statement.reason)
    entry = desk.take_in(
        tx,
        signed,
        EventName.PERSON_DISABLED,
        facts={"person": statement.person},
        private={"reason": reason} if reason else {},
    )
    desk.directory.disable_person(tx, statement.person, desk.clock.now(), entry=entry)
    return statement.person


def remove(tx: WriteTx, person: PersonId, *, by: PersonId | None = None, desk: Desk) -> None:
    """Disable somebody who signs nothing. Raises NotSo if unknown, disabled, or enrolled by a signature."""
    row = desk.directory.person(tx, person)
    if row is None or row.disabled_at is not None:
        raise NotSo(f"{person} is unknown or disabled already.", advice="`transfer people list`.")
    member = desk.authority(tx).members.get(person)
    if member is not None and member.roles:
        raise NotSo(
            f"{row.name or person} was enrolled by a signature, so it takes an approver's signature to disable them.",
            advice="`transfer people disable NAME --as APPROVER --key FILE`.",
            clauses=("G1",),
        )
    event = Event(name=EventName.PERSON_DISABLED, by=by, facts={"person": person})
    desk.directory.disable_person(tx, person, desk.clock.now(), entry=desk.recorder.append(tx, event))


def find(tx: ReadTx, name: str, *, desk: Desk) -> PersonRow:
    """Who `--as NAME` means: a name as it was added, or a pseudonym. Raises NotSo."""
    row = desk.directory.named(tx, clean_name(name)) or desk.directory.person(tx, PersonId(name))
    if row is None:
        raise NotSo(f"Nobody here is called {clean_name(name)}.", advice="`transfer people list`.")
    if row.disabled_at is not None:
        raise NotSo(f"{row.name or row.person} has been disabled.", advice="`transfer people list`.", clauses=("G1",))
    return row


def listing(tx: ReadTx, *, desk: Desk) -> list[Listed]:
    """Everybody, with what the directory says and what signatures say. Raises Tampered."""
    authority = desk.authority(tx)
    return [_listed(row, authority) for row in desk.directory.people(tx)]


def _listed(row: PersonRow, authority: Authority) -> Listed:
    member: Member | None = authority.members.get(row.person)
    return Listed(
        person=row.person,
        name=row.name,
        roles=row.roles,
        signs=tuple(sorted(role.value for role in member.roles)) if member else (),
        public_key=member.public_key if member and member.roles else None,
        disabled=row.disabled_at is not None,
    )


def _free_name(tx: ReadTx, name: str, person: PersonId, *, desk: Desk) -> str:
    shown = clean_name(name)
    if shown.startswith("u_"):
        raise Misuse("A name does not begin with u_; pseudonyms do.", advice="Choose another name.")
    other = desk.directory.named(tx, shown)
    if other is not None and other.person != person:
        raise NotSo(f"There is another {shown} here already.", advice="Choose a name that tells the two apart.")
    return shown

"""Who may decide, replayed from signed statements alone. Pure.

What enters: governing statements in the order of the log (enrolments, disablings, campaigns, pauses), each as the
signed note it came in. What leaves: who is an approver now, which campaigns are approved, whether releasing is paused;
and every other statement opened, if it was signed by somebody who may. What is trusted: the first approver's public
key, from outside the database, and nothing else. A row put into a table changes nothing here, because nothing here is
read from a table but notes whose signatures lead back to that key.

    first approver, self-signed ─▶ enrols ─▶ enrols ─▶ …      each `after` the one before, by an approver of that moment

The gateway before it releases (`desk`) and an auditor reading the log (`trail`) run this same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from transfer.approvals.signing import Signed, Unvouched, is_weak_key, open_statement, read_unverified
from transfer.approvals.statement import (
    CampaignStatement,
    ClosingStatement,
    DisableStatement,
    EnrolmentStatement,
    Governing,
    PauseStatement,
    Role,
    Statement,
    series_of,
)
from transfer.audit.notes import Ed25519Verifier, parse_vkey
from transfer.errors import Misuse, NotSo
from transfer.model.identifiers import CampaignId, PersonId, Sha256, parse_person_id

# Kinds that an operator may sign as well as an approver: those that only stop something, and going on after a pause.
_OPERATORS_TOO = frozenset({"refusal", "withdrawal", "closing", "pause"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The first approver, made by `init`: where every chain must end. Kept outside the database."""

    person: PersonId
    public_key: str


def render_root(root: Root) -> str:
    """The first approver as a verifier key and a line feed: what the composition root keeps in a file."""
    return Ed25519Verifier(root.person, bytes.fromhex(root.public_key)).vkey + "\n"


def parse_root(untrusted: str) -> Root:
    """The inverse of `render_root`. Raises Misuse."""
    verifier = parse_vkey(untrusted.removesuffix("\n"))
    return Root(person=parse_person_id(verifier.name), public_key=verifier.public_key.hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person whose key was vouched for. One who is disabled stays known, with no role."""

    person: PersonId
    public_key: str
    roles: frozenset[Role]


class Authority:
    """The state of who may decide, after the statements applied so far."""

    def __init__(self, root: Root | None) -> None:
        """`root` None means: take the first enrolment as it stands, for a reader who then compares it (`first`)."""
        self._root = root
        self._members: dict[PersonId, Member] = {}
        self._owners: dict[str, PersonId] = {}  # every key ever enrolled: no key ever serves two persons
        self._heads: dict[str, Sha256] = {}
        self._campaigns: dict[CampaignId, CampaignStatement] = {}
        self._pause: PauseStatement | None = None

    @property
    def first(self) -> Root | None:
        """The first approver as found in the statements; None before any."""
        return self._root if self._members else None

    @property
    def members(self) -> Mapping[PersonId, Member]:
        """Everybody whose key was ever vouched for."""
        return MappingProxyType(self._members)

    @property
    def pause(self) -> PauseStatement | None:
        """The pause in force, if there is one."""
        return self._pause

    def campaign(self, campaign: CampaignId) -> CampaignStatement | None:
        """What is approved of this campaign now; None if nothing is, or no longer."""
        return self._campaigns.get(campaign)

    def head(self, series: str) -> Sha256 | None:
        """What the next statement of this series has to name as `after`."""
        return self._heads.get(series)

    def open(self, note: str) -> Signed:
        """A statement with its signature checked, made by somebody who may make it now.

        Raises Misuse if it is malformed, NotSo if the signer is unknown, disabled, of another role, or did not sign it.
        """
        return open_statement(note, self._key_for)

    def open_past(self, note: str) -> Signed:
        """A statement made under a key that was vouched for at some time, whatever its signer may do now.

        Raises Misuse if it is malformed, NotSo if no such key signed it.
        """
        first: NotSo | None = None
        by = read_unverified(note).by
        for key in [key for key, owner in self._owners.items() if owner == by]:
            try:
                return open_statement(note, _always(key))
            except NotSo as error:
                first = first or error
        raise Unvouched(
            first.sentence if first else f"{by} never had a key that an approver vouched for.", clauses=("G1",)
        )

    def check_stands(self, signed: Signed) -> None:
        """A statement opened earlier still counts: same rights, same key. Raises NotSo."""
        if self._key_for(signed.statement) != signed.public_key:
            raise NotSo(
                f"The statement is signed with a key that {signed.statement.by} has replaced since.",
                advice="Sign it again with the present key.",
                clauses=("G1",),
            )

    def apply(self, note: str) -> Signed:
        """Open one governing statement and let it take effect. After Misuse or NotSo nothing has changed."""
        signed = self.open(note)
        statement = signed.statement
        series = series_of(statement)
        if series is None or not isinstance(statement, Governing):
            raise Misuse("A decision about files does not change who may decide.")
        if statement.after != self._heads.get(series):
            raise NotSo(
                "Something else was decided about the same thing since this was made, or it was used before.",
                advice="Look at how it stands now, and make the statement anew.",
                clauses=("G1",),
            )
        match statement:
            case EnrolmentStatement():
                self._enrol(statement)
            case DisableStatement():
                self._disable(statement)
            case CampaignStatement():
                self._approve_campaign(statement)
            case ClosingStatement():
                self._close_campaign(statement)
            case PauseStatement():
                self._set_pause(statement)
        self._heads[series] = signed.sha256
        return signed

    def _key_for(self, statement: Statement) -> str:
        """The key with which this statement has to be signed. Raises NotSo if its signer may not make it."""
        if not self._members and isinstance(statement, EnrolmentStatement):
            return self._root_key(statement)
        member = self._members.get(statement.by)
        if member is None:
            raise Unvouched(
                f"{statement.by} is not enrolled by a signature that leads back to the first approver.",
                advice="An approver has to enrol them first: `transfer people add`.",
                clauses=("G1",),
            )
        if not member.roles:
            raise NotSo(
                f"{statement.by} has been disabled; what they sign counts no longer.",
                advice="Ask another approver.",
                clauses=("G1",),
            )
        allowed = {Role.APPROVER, Role.OPERATOR} if statement.kind in _OPERATORS_TOO else {Role.APPROVER}
        if not member.roles & allowed:
            raise NotSo(
                f"{statement.by} is enrolled as {_list(member.roles)}, and this takes {_list(allowed)}.",
                advice="Ask an approver.",
                clauses=("G1",),
            )
        return member.public_key

    def _root_key(self, statement: EnrolmentStatement) -> str:
        said = Root(person=statement.person, public_key=statement.public_key)
        if statement.by != statement.person or statement.role is not Role.APPROVER:
            raise Unvouched(
                "The first enrolment is not an approver's own, so no chain can begin with it.", clauses=("G1",)
            )
        if self._root is not None and said != self._root:
            raise Unvouched(
                f"The first enrolment is that of {said.person} and not of {self._root.person}, or has another key.",
                advice="Compare the first approver's key with the one printed when the workspace was made.",
                clauses=("G1",),
            )
        return statement.public_key

    def _enrol(self, statement: EnrolmentStatement) -> None:
        person, key = statement.person, statement.public_key
        if is_weak_key(key):
            raise NotSo("That public key is a weak one, for which anybody can sign.", advice="Make a new key.")
        if self._owners.get(key, person) != person:
            raise NotSo(
                f"That key belongs to {self._owners[key]}; no key serves two persons.",
                advice="Every approver makes a key of their own.",
                clauses=("G1",),
            )
        before = self._members.get(person)
        member = Member(
            person=person, public_key=key, roles=(before.roles if before else frozenset()) | {statement.role}
        )
        if member == before:
            raise NotSo(f"{person} is enrolled as {statement.role} with this key already.")
        if not self._members:
            self._root = Root(person=person, public_key=key)
        self._members[person] = member
        self._owners[key] = person

    def _disable(self, statement: DisableStatement) -> None:
        member = self._members.get(statement.person)
        if member is None or not member.roles:
            raise NotSo(f"{statement.person} has no role that a signature gave.", advice="`transfer people list`.")
        others = [one for one in self._members.values() if Role.APPROVER in one.roles and one != member]
        if not others:
            raise NotSo(
                f"{statement.person} is the last approver; without one nobody could ever be enrolled again.",
                advice="Enrol another approver first.",
                clauses=("G1",),
            )
        self._members[statement.person] = Member(person=member.person, public_key=member.public_key, roles=frozenset())

    def _approve_campaign(self, statement: CampaignStatement) -> None:
        if statement.ends < statement.starts:
            raise NotSo(f"The campaign {statement.campaign} would end before it starts.", advice="Correct its dates.")
        self._campaigns[statement.campaign] = statement

    def _close_campaign(self, statement: ClosingStatement) -> None:
        if self._campaigns.pop(statement.campaign, None) is None:
            raise NotSo(f"The campaign {statement.campaign} is not open.", advice="`transfer campaign list`.")

    def _set_pause(self, statement: PauseStatement) -> None:
        if statement.paused == (self._pause is not None):
            raise NotSo("Releasing is paused already." if statement.paused else "Releasing is not paused.")
        self._pause = statement if statement.paused else None


def _always(key: str) -> Callable[[Statement], str]:
    return lambda _statement: key


def _list(roles: frozenset[Role] | set[Role]) -> str:
    return " or ".join(sorted(roles))

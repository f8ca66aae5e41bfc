"""Takes over what adopted entries of the log decided, into a database that was restored from before them.

What enters: leaves that the database has since its log adopted them, verified, in order. What leaves: the statements in
their tables (so that nobody who was disabled, and no pause that was declared, is forgotten), the directory as far as
the log has it (it holds no names), and items that go no further than what was decided allows:

    withdrawn after the backup   is taken back
    refused after the backup     is refused
    anything else happened       an approval from before counts no longer; somebody looks and signs again
    released after the backup    the same, and what it looks like is known as released: its copies are returns

Nothing here gives anybody a right: every signature is checked again whenever it matters (`approvals.authority`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from transfer.approvals.approve import lapse
from transfer.approvals.decisions import refused_by_person
from transfer.approvals.signing import read_unverified
from transfer.approvals.statement import (
    Decision,
    Governing,
    PauseStatement,
    RefusalStatement,
    Statement,
    WithdrawalStatement,
    series_of,
)
from transfer.approvals.statement_text import statement_sha256
from transfer.audit.entries import decode_leaf
from transfer.audit.merkle import leaf_hash
from transfer.errors import NotSo
from transfer.model.chronicle import refused_event
from transfer.model.clock import parse_time
from transfer.model.events import EntryRef, Event, EventName
from transfer.model.identifiers import CampaignId, DeviceId, ItemId, PersonId, Sha256
from transfer.model.media import Family
from transfer.model.states import Held, State
from transfer.store.adoption import POLICY, SETTINGS, was_adopted
from transfer.store.database import WriteTx
from transfer.store.directory import CampaignRow, DeviceRow, PersonRow
from transfer.store.fingerprints import Fingerprints
from transfer.wiring import Site

_REFUSED_LATER = "the log has a refusal of it that is newer than the backup."
_CHANGED_LATER = NotSo("Something happened to this item after the backup.", clauses=("G10",))

_ENDED = frozenset({State.REFUSED, State.WITHDRAWN, State.EXPIRED})

Leaf = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraced:
    """What became of the items that the adopted entries tell of.

    `unknown` are in the log and nowhere else, each with its last event; `changed` are those whose state was put right.
    `erased` are people whom the log erased since, and whose names are here again: each with that entry and its time.
    """

    unknown: tuple[tuple[ItemId, str], ...]
    changed: tuple[ItemId, ...]
    erased: tuple[tuple[PersonId, EntryRef, datetime], ...] = ()


@dataclass(kw_only=True)
class Retrace:
    """Fed with one leaf after the other, in the transaction that lets the workspace go on; then `finish`."""

    tx: WriteTx
    site: Site
    erased: dict[PersonId, tuple[EntryRef, datetime]] = field(default_factory=dict, init=False)
    _last: dict[ItemId, str] = field(default_factory=dict, init=False)
    _released: set[ItemId] = field(default_factory=set, init=False)
    _stopped: dict[ItemId, tuple[Statement, Sha256]] = field(default_factory=dict, init=False)

    def feed(self, index: int, data: bytes) -> None:
        """Takes in one entry."""
        leaf = decode_leaf(data)
        facts = leaf.get("facts", {})
        entry = EntryRef(index=index, leaf_hash=leaf_hash(data))
        if isinstance(facts.get("statement"), str):
            self._statement(facts["statement"], entry)
        taking: Callable[[Leaf, Leaf, EntryRef], None] | None = {
            EventName.PERSON_ENROLLED.value: self._person_enrolled,
            EventName.PERSON_DISABLED.value: self._person_disabled,
            EventName.PERSON_ERASED.value: self._person_erased,
            EventName.CAMPAIGN_PROPOSED.value: self._campaign_proposed,
            EventName.DEVICE_ADDED.value: self._device_added,
            EventName.DEVICE_DISABLED.value: self._device_disabled,
            EventName.POLICY_ADOPTED.value: self._policy_adopted,
            EventName.SETTINGS_ADOPTED.value: self._settings_adopted,
        }.get(leaf["event"])
        if taking is not None:
            taking(leaf, facts, entry)
        if leaf.get("item") is not None:
            self._last[ItemId(leaf["item"])] = leaf["event"]
            if leaf["event"] == EventName.FILE_RELEASED.value:
                self._released.add(ItemId(leaf["item"]))

    def finish(self) -> Retraced:
        """Puts the items right."""
        changed: list[ItemId] = []
        unknown: list[tuple[ItemId, str]] = []
        for item, event in self._last.items():
            try:
                state = self.site.register.row(self.tx, item).state
            except NotSo:
                unknown.append((item, event))
            else:
                if item in self._released:
                    self._remember(item)
                changed += [item] if self._put_right(item, state) else []
        erased = tuple((person, entry, at) for person, (entry, at) in self.erased.items())
        return Retraced(unknown=tuple(unknown), changed=tuple(changed), erased=erased)

    def _remember(self, item: ItemId) -> None:
        """What it looks like was released, whatever becomes of the item here: a copy that comes back is known (G5)."""
        held = self.site.register.load(self.tx, item)
        if isinstance(held, Held) and held.rebuilt.clean.format.family is not Family.TEXT:
            Fingerprints().released(self.tx, item, held.rebuilt.examined.fingerprints)

    def _statement(self, note: str, entry: EntryRef) -> None:
        statement, sha256 = read_unverified(note), statement_sha256(note)
        statements = self.site.desk.statements
        if statements.known(self.tx, sha256):
            return
        decision = statement if isinstance(statement, Decision) else None
        items = () if decision is None else tuple(item for item, _ in decision.items)
        statements.add(
            self.tx,
            sha256=sha256,
            kind=statement.kind,
            note=note,
            series=series_of(statement),
            after=statement.after if isinstance(statement, Governing) else None,
            items=items,
            entry=entry,
        )
        for item in items:
            self._last[item] = EventName.STATEMENT_ACCEPTED.value
            if isinstance(statement, RefusalStatement | WithdrawalStatement):
                self._stopped[item] = (statement, sha256)
        if isinstance(statement, PauseStatement):
            by, pause = (statement.by, sha256) if statement.paused else (None, None)
            statements.show_pause(self.tx, by=by, statement=pause, entry=entry)

    def _put_right(self, item: ItemId, state: State) -> bool:
        """Whether something had to be done about the item."""
        statement, sha256 = self._stopped.get(item, (None, Sha256("")))
        if state in _ENDED or (statement is None and state is not State.APPROVED):
            return False
        if isinstance(statement, WithdrawalStatement) and state in {State.APPROVED, State.RELEASED}:
            self.site.desk.statements.leave_open(self.tx, item, sha256)  # the gateway takes it back when it runs
            return True
        held = self.site.register.load(self.tx, item)
        if state is State.APPROVED and isinstance(held, Held):
            lapse(self.tx, held, _CHANGED_LATER, desk=self.site.desk)
            state = State.HELD
        if statement is not None and state is not State.RELEASED:
            self._end(item, held, state, statement=statement, sha256=sha256)
        return True

    def _end(self, item: ItemId, record: object, state: State, *, statement: Statement, sha256: Sha256) -> None:
        register, facts = self.site.register, {"statement_sha256": sha256}
        if isinstance(statement, RefusalStatement) and isinstance(record, Held):
            refused = refused_by_person(record, _REFUSED_LATER, policy=self.site.policy)
            event = refused_event(refused, by=statement.by)
            register.advance(self.tx, refused, replace(event, facts={**event.facts, **facts}), was=state)
            return
        event = Event(name=EventName.FILE_WITHDRAWN, item=item, by=statement.by, facts=facts)
        register.mark(self.tx, item, State.WITHDRAWN, event, was=frozenset({state}))

    def _person_enrolled(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        directory, person = self.site.desk.directory, PersonId(facts["person"])
        before = directory.person(self.tx, person)
        row = PersonRow(
            person=person,
            name=before.name if before else None,
            roles=(facts["role"],),
            added_at=parse_time(leaf["at"]),
            disabled_at=None,
        )
        directory.add_person(self.tx, row, entry=entry)

    def _person_disabled(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        at = parse_time(leaf["at"])
        self.site.desk.directory.disable_person(self.tx, PersonId(facts["person"]), at, entry=entry)

    def _person_erased(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        self.erased[PersonId(facts["person"])] = (entry, parse_time(leaf["at"]))

    def _campaign_proposed(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        row = CampaignRow(
            campaign=CampaignId(facts["campaign"]),
            account=facts["account"],
            starts=facts["starts"],
            ends=facts["ends"],
            risk=facts["risk"],
            details=Sha256(facts["details"]),
            proposed_by=PersonId(leaf["by"]),
            proposed_at=parse_time(leaf["at"]),
        )
        self.site.desk.directory.propose_campaign(self.tx, row, entry=entry)

    def _device_added(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        row = DeviceRow(
            device=DeviceId(facts["device"]), label=None, added_at=parse_time(leaf["at"]), disabled_at=None
        )  # fmt: skip
        self.site.desk.directory.add_device(self.tx, row, entry=entry)

    def _device_disabled(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        at = parse_time(leaf["at"])
        self.site.desk.directory.disable_device(self.tx, DeviceId(facts["device"]), at, entry=entry)

    def _policy_adopted(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        del leaf, entry
        was_adopted(self.tx, POLICY, Sha256(facts["sha256"]))

    def _settings_adopted(self, leaf: Leaf, facts: Leaf, entry: EntryRef) -> None:
        del leaf, entry
        was_adopted(self.tx, SETTINGS, Sha256(facts["sha256"]))

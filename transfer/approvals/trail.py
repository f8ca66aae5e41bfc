"""Was everything that left approved? Answered from the log's leaves alone, by whoever has them. Pure.

What enters: the leaves in order, as dictionaries, and the first approver's key if the reader has it from elsewhere
(without it the log's first enrolment is taken, and the reader should compare it). What leaves: sentences, one for each
thing that is not as it should be; none means that every release was covered by statements whose signatures lead back
to the first approver. The tables of the gateway and the goodwill of its operator are not needed.

What it relies on in the leaves (a contract with whoever emits them):

    file.spooled                                  item, by = the submitter, facts.campaign
    person.enrolled, person.disabled,             facts.statement = the whole signed note; an enrolment without one
    campaign.approved, campaign.closed,             (submitter, auditor, operator) has facts.role and gives no right
    gateway.paused, gateway.resumed
    statement.accepted                            facts.statement, for an approval also facts.valid_until
    file.held                                     item, file.sha256, policy.sha256, facts.review = what to clear
    file.approved                                 item, file.sha256, facts.quorum
    file.releasing                                item, file.sha256 = the rebuilt bytes, policy.sha256,
                                                  facts.statement_sha256; recorded in the transaction that confirms
    file.released                                 item, file.sha256, after a file.releasing of the same two
    release.restored                              item, file.sha256, after a file.released of the same two
    shard.opened                                  facts.carried = how many of the two kinds below follow it
    statement.carried                             facts.statement of an older shard; an approval's facts.valid_until
    file.carried                                  item, by = the submitter, facts as `trail_items` tells them

A log that goes on in another shard carries what is in force. What an older shard said is known if it was fed before;
then the carried must be the same. A shard by itself is judged by what it carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from transfer.approvals.authority import Authority, Root
from transfer.approvals.quorum import check_campaign, check_item, check_time, missing
from transfer.approvals.signing import Signed
from transfer.approvals.statement import ApprovalStatement, RefusalStatement, ReviewStatement, Role, WithdrawalStatement
from transfer.approvals.trail_items import Handover, TrailItem, TrailItems, parse_told, same_signer
from transfer.errors import NotSo, TransferError
from transfer.model.clock import parse_time
from transfer.model.events import EventName
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256

MAX_PROBLEMS = 1000
_CARRIED = frozenset({EventName.STATEMENT_CARRIED.value, EventName.FILE_CARRIED.value})
_NO_LIMIT = timedelta(days=36_500)  # an approval's own time limit is in its entry

Leaf = Mapping[str, Any]


class Trail:
    """The check, fed with one leaf after the other.

    `whole` False: the leaves are a part of a log, and a statement may speak of items that are not in that part.
    """

    def __init__(self, *, root: Root | None, four_eyes: bool = True, whole: bool = True) -> None:
        self.problems: list[str] = []
        self._authority = Authority(root)
        self._four_eyes = four_eyes
        self._whole = whole
        self._items = TrailItems()
        self._governing: list[Signed] = []  # in the order in which they took effect
        self._handover: Handover | None = None
        self._carried_until = 0  # the number of the last entry that carries something over
        self._handlers: dict[str, Callable[[Leaf], None]] = {
            EventName.FILE_SPOOLED.value: self._spooled,
            EventName.STATEMENT_ACCEPTED.value: self._accepted,
            EventName.PERSON_ENROLLED.value: self._person,
            EventName.PERSON_DISABLED.value: self._person,
            EventName.CAMPAIGN_APPROVED.value: self._governs,
            EventName.CAMPAIGN_CLOSED.value: self._governs,
            EventName.GATEWAY_PAUSED.value: self._governs,
            EventName.GATEWAY_RESUMED.value: self._governs,
            EventName.FILE_HELD.value: self._held,
            EventName.FILE_APPROVED.value: self._approved,
            EventName.FILE_RELEASING.value: self._releasing,
            EventName.FILE_RELEASED.value: self._released,
            EventName.RELEASE_RESTORED.value: self._restored,
            EventName.SHARD_OPENED.value: self._shard_opened,
            EventName.STATEMENT_CARRIED.value: self._statement_carried,
            EventName.FILE_CARRIED.value: self._file_carried,
        }

    @property
    def first(self) -> Root | None:
        """The first approver that this log begins with, for the reader to compare."""
        return self._authority.first

    @property
    def governing(self) -> Sequence[Signed]:
        """Every statement about who may decide, in the order in which they took effect."""
        return tuple(self._governing)

    def item(self, item: str) -> TrailItem | None:
        """What is known of an item so far."""
        return self._items.known(item) if item in self._items else None

    def feed(self, index: int, leaf: Leaf) -> None:
        """Take in the next leaf. Never raises: what is wrong with it becomes a problem."""
        handler = self._handlers.get(str(leaf.get("event")))
        if handler is None and index > self._carried_until:
            return
        if 0 < index <= self._carried_until and leaf.get("event") not in _CARRIED:
            self._problem(index, leaf, "The shard says that it carries more than it does.")
            self._carried_until = 0
        try:
            if handler is not None:
                handler(leaf)
        except TransferError as error:
            self._problem(index, leaf, error.sentence)
        except (KeyError, TypeError, ValueError, AttributeError):
            self._problem(index, leaf, "It lacks a fact that this kind of entry has.")

    def _problem(self, index: int, leaf: Leaf, sentence: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"Entry {index} ({leaf.get('event')}): {sentence}")

    def _spooled(self, leaf: Leaf) -> None:
        campaign = leaf["facts"].get("campaign")
        self._items.take_in(leaf["item"], PersonId(leaf["by"]), None if campaign is None else CampaignId(campaign))

    def _person(self, leaf: Leaf) -> None:
        facts = leaf["facts"]
        if "statement" in facts:
            self._governs(leaf)
        elif facts.get("role") == Role.APPROVER.value:
            raise NotSo("An approver was enrolled without a signature.")
        elif leaf["event"] == EventName.PERSON_DISABLED.value:
            member = self._authority.members.get(facts["person"])
            if member is not None and member.roles:
                raise NotSo("Somebody enrolled by a signature was disabled without one.")

    def _governs(self, leaf: Leaf) -> None:
        signed = self._authority.apply(leaf["facts"]["statement"])
        self._governing.append(signed)
        same_signer(leaf, signed)
        check_time(signed.statement.at, now=parse_time(leaf["at"]), valid=_NO_LIMIT)

    def _accepted(self, leaf: Leaf) -> None:
        signed = self._authority.open(leaf["facts"]["statement"])
        same_signer(leaf, signed)
        statement = signed.statement
        check_time(statement.at, now=parse_time(leaf["at"]), valid=_NO_LIMIT)
        match statement:
            case ApprovalStatement():
                until = parse_time(leaf["facts"]["valid_until"])
                for item in self._spoken_of(statement.items):
                    item.approvals.append((signed, until))
            case ReviewStatement():
                for item in self._spoken_of(statement.items):
                    item.clear(statement, four_eyes=self._four_eyes)
            case RefusalStatement() | WithdrawalStatement():
                for item in self._spoken_of(statement.items, old=self._handover is not None):
                    item.stopped = statement.kind
            case _:
                raise NotSo(f"A statement of the kind «{statement.kind}» has an entry of its own kind.")

    def _held(self, leaf: Leaf) -> None:
        if "review" in leaf["facts"]:
            self._items.known(leaf["item"]).hold_for_review(leaf)

    def _approved(self, leaf: Leaf) -> None:
        item = self._items.known(leaf["item"])
        item.quorum = max(1, int(leaf["facts"]["quorum"]))
        item.four_eyes = leaf["facts"].get("four_eyes")
        self._covered(leaf, item)

    def _releasing(self, leaf: Leaf) -> None:
        item = self._items.known(leaf["item"])
        if self._authority.pause is not None:
            raise NotSo(f"Item {leaf['item']} was released while releasing was paused.")
        if item.stopped:
            raise NotSo(f"Item {leaf['item']} was released after its {item.stopped}.")
        named = leaf["facts"]["statement_sha256"]
        if named not in {signed.sha256 for signed, _ in item.approvals}:
            raise NotSo(f"Item {leaf['item']} was released on a statement that nobody handed in for it.")
        item.check_reviewed(leaf)
        self._covered(leaf, item)
        item.releasing |= {leaf["file"]["sha256"]}

    def _released(self, leaf: Leaf) -> None:
        item, sha256 = self._items.known(leaf["item"]), leaf["file"]["sha256"]
        if item.stopped:
            raise NotSo(f"Item {leaf['item']} was released after its {item.stopped}.")
        if sha256 not in item.releasing:
            raise NotSo(f"Item {leaf['item']} was released, and no valid approval of these bytes came before.")
        # An approval covers one release. It is not looked at again, and so not kept: logs are long.
        item.released, item.releasing, item.approvals = sha256, frozenset(), []

    def _restored(self, leaf: Leaf) -> None:
        item = self._items.known(leaf["item"])
        if item.stopped or leaf["file"]["sha256"] != item.released:
            raise NotSo(f"Item {leaf['item']} was put back with bytes that were not released, or were withdrawn.")

    def _covered(self, leaf: Leaf, item: TrailItem) -> None:
        """Enough approvers of this moment have signed for exactly these bytes."""
        now = parse_time(leaf["at"])
        signers: list[PersonId] = []
        why: NotSo | None = None
        for signed, until in item.approvals:
            try:
                self._counts(leaf, item, signed, until=until, now=now)
            except NotSo as error:
                why = error
            else:
                signers.append(signed.statement.by)
        lacking = missing(signers, quorum=item.quorum)
        if lacking:
            raise why or NotSo(f"Item {leaf['item']} lacks the approval of {lacking} more.")

    def _counts(self, leaf: Leaf, item: TrailItem, signed: Signed, *, until: datetime, now: datetime) -> None:
        self._authority.check_stands(signed)  # with the rights and keys of this moment, not of when it came
        statement = signed.statement
        if not isinstance(statement, ApprovalStatement):
            raise NotSo("This is not an approval.")
        check_item(
            statement,
            item=ItemId(leaf["item"]),
            sha256=Sha256(leaf["file"]["sha256"]),
            campaign=item.campaign,
            submitter=item.submitter,
            four_eyes=self._four_eyes,
        )
        check_campaign(self._authority.campaign(statement.campaign), statement.campaign, now=now)
        if now > until:
            raise NotSo(f"The approval of item {leaf['item']} had expired.")
        if leaf["policy"]["sha256"] != statement.policy:
            raise NotSo(f"Item {leaf['item']} was approved under another policy than the one in force.")

    def _shard_opened(self, leaf: Leaf) -> None:
        if leaf["i"] != 0:
            raise NotSo("A shard is opened by its first entry.")
        statements, count = int(leaf["facts"]["statements"]), int(leaf["facts"]["carried"])
        known = bool(self._governing)  # every log that was read before has the first enrolment
        self._handover, self._carried_until = Handover(count=count, statements=statements, known=known), count
        if known and statements != len(self._governing):
            raise NotSo(f"It carries {statements} statements about who may decide; there are {len(self._governing)}.")

    def _carrying(self, leaf: Leaf, *, governing: bool = False) -> Handover:
        if self._handover is None:
            raise NotSo("It carries something over, and no shard was opened.")
        self._handover.check_place(leaf["i"], governing=governing)
        return self._handover

    def _statement_carried(self, leaf: Leaf) -> None:
        governing, note = "valid_until" not in leaf["facts"], leaf["facts"]["statement"]
        handover = self._carrying(leaf, governing=governing)
        if not governing:
            self._approval_carried(leaf, self._authority.open_past(note), handover)
            return
        if not handover.known:
            self._governs(leaf)
            return
        there = self._governing[handover.governing] if handover.governing < len(self._governing) else None
        handover.governing += 1
        if there is None or there.note != note:
            raise NotSo("It carries another statement than the older shard has in its place.")

    def _approval_carried(self, leaf: Leaf, signed: Signed, handover: Handover) -> None:
        same_signer(leaf, signed)
        if not isinstance(signed.statement, ApprovalStatement):
            raise NotSo("Of decisions about files only approvals are carried.")
        approval = (signed, parse_time(leaf["facts"]["valid_until"]))
        for item in (self._items.known(item) for item, _ in signed.statement.items if item in handover.items):
            if not handover.known:
                item.approvals.append(approval)
            elif (signed.sha256, approval[1]) not in {(one.sha256, until) for one, until in item.approvals}:
                raise NotSo("It carries an approval that the older shard does not have.")

    def _file_carried(self, leaf: Leaf) -> None:
        handover, item = self._carrying(leaf), parse_told(leaf)
        if leaf["item"] in handover.items:
            raise NotSo(f"It carries item {leaf['item']} twice.")
        if not handover.known:
            self._items.put(leaf["item"], item)
        elif (
            self._items.known(leaf["item"]).told() != item.told()
            or self._items.known(leaf["item"]).submitter != item.submitter
        ):
            raise NotSo(f"It carries item {leaf['item']} otherwise than the older shard left it.")
        handover.items.add(leaf["item"])

    def _spoken_of(self, items: Iterable[tuple[ItemId, Sha256]], *, old: bool = False) -> list[TrailItem]:
        """`old`: they may be of an older shard that was not read, and at their end as far as the log knows."""
        unknown = old or not self._whole
        return [self._items.known(item) for item, _ in items if not unknown or item in self._items]


def check_trail(leaves: Iterable[tuple[int, Leaf]], *, root: Root | None = None, four_eyes: bool = True) -> list[str]:
    """All problems in a log, oldest first, at most a thousand. `four_eyes` False only for a policy that says so."""
    trail = Trail(root=root, four_eyes=four_eyes)
    for index, leaf in leaves:
        trail.feed(index, leaf)
    return trail.problems

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
    file.approved                                 item, file.sha256, facts.quorum
    file.releasing                                item, file.sha256 = the rebuilt bytes, policy.sha256,
                                                  facts.statement_sha256; recorded in the transaction that confirms
    file.released                                 item, file.sha256, after a file.releasing of the same two
    release.restored                              item, file.sha256, after a file.released of the same two
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from transfer.approvals.authority import Authority, Root
from transfer.approvals.quorum import check_campaign, check_item, check_time, missing
from transfer.approvals.signing import Signed
from transfer.approvals.statement import ApprovalStatement, RefusalStatement, Role, WithdrawalStatement
from transfer.errors import NotSo, TransferError
from transfer.model.clock import parse_time
from transfer.model.events import EventName
from transfer.model.identifiers import CampaignId, ItemId, PersonId, Sha256

MAX_PROBLEMS = 1000
_NO_LIMIT = timedelta(days=36_500)  # an approval's own time limit is in its entry

Leaf = Mapping[str, Any]


_Origin: TypeAlias = "tuple[PersonId, CampaignId | None]"


@dataclass(slots=True)
class _Item:
    """What the log has said about one item so far."""

    submitter: PersonId
    campaign: CampaignId | None
    approvals: list[tuple[Signed, datetime]] = field(default_factory=list)  # with the end of their validity
    quorum: int = 1
    stopped: str = ""
    releasing: frozenset[str] = frozenset()
    released: str | None = None


class Trail:
    """The check, fed with one leaf after the other.

    `whole` False: the leaves are a part of a log, and a statement may speak of items that are not in that part.
    """

    def __init__(self, *, root: Root | None, four_eyes: bool = True, whole: bool = True) -> None:
        self.problems: list[str] = []
        self._authority = Authority(root)
        self._four_eyes = four_eyes
        self._whole = whole
        # Most items are only taken in: of those, no more is kept than one pair for all that came in the same way.
        self._items: dict[str, _Item | _Origin] = {}
        self._origins: dict[_Origin, _Origin] = {}
        self._handlers: dict[str, Callable[[Leaf], None]] = {
            EventName.FILE_SPOOLED.value: self._spooled,
            EventName.STATEMENT_ACCEPTED.value: self._accepted,
            EventName.PERSON_ENROLLED.value: self._person,
            EventName.PERSON_DISABLED.value: self._person,
            EventName.CAMPAIGN_APPROVED.value: self._governs,
            EventName.CAMPAIGN_CLOSED.value: self._governs,
            EventName.GATEWAY_PAUSED.value: self._governs,
            EventName.GATEWAY_RESUMED.value: self._governs,
            EventName.FILE_APPROVED.value: self._approved,
            EventName.FILE_RELEASING.value: self._releasing,
            EventName.FILE_RELEASED.value: self._released,
            EventName.RELEASE_RESTORED.value: self._restored,
        }

    @property
    def first(self) -> Root | None:
        """The first approver that this log begins with, for the reader to compare."""
        return self._authority.first

    def feed(self, index: int, leaf: Leaf) -> None:
        """Take in the next leaf. Never raises: what is wrong with it becomes a problem."""
        handler = self._handlers.get(str(leaf.get("event")))
        if handler is None:
            return
        try:
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
        if leaf["item"] in self._items:
            raise NotSo(f"Item {leaf['item']} was taken in twice.")
        origin = PersonId(leaf["by"]), None if campaign is None else CampaignId(campaign)
        self._items[leaf["item"]] = self._origins.setdefault(origin, origin)

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
        _same_signer(leaf, signed)
        check_time(signed.statement.at, now=parse_time(leaf["at"]), valid=_NO_LIMIT)

    def _accepted(self, leaf: Leaf) -> None:
        signed = self._authority.open(leaf["facts"]["statement"])
        _same_signer(leaf, signed)
        statement = signed.statement
        check_time(statement.at, now=parse_time(leaf["at"]), valid=_NO_LIMIT)
        match statement:
            case ApprovalStatement():
                until = parse_time(leaf["facts"]["valid_until"])
                for item in self._spoken_of(statement.items):
                    item.approvals.append((signed, until))
            case RefusalStatement() | WithdrawalStatement():
                for item in self._spoken_of(statement.items):
                    item.stopped = statement.kind
            case _:
                raise NotSo(f"A statement of the kind «{statement.kind}» has an entry of its own kind.")

    def _approved(self, leaf: Leaf) -> None:
        item = self._known(leaf["item"])
        item.quorum = max(1, int(leaf["facts"]["quorum"]))
        self._covered(leaf, item)

    def _releasing(self, leaf: Leaf) -> None:
        item = self._known(leaf["item"])
        if self._authority.pause is not None:
            raise NotSo(f"Item {leaf['item']} was released while releasing was paused.")
        if item.stopped:
            raise NotSo(f"Item {leaf['item']} was released after its {item.stopped}.")
        named = leaf["facts"]["statement_sha256"]
        if named not in {signed.sha256 for signed, _ in item.approvals}:
            raise NotSo(f"Item {leaf['item']} was released on a statement that nobody handed in for it.")
        self._covered(leaf, item)
        item.releasing |= {leaf["file"]["sha256"]}

    def _released(self, leaf: Leaf) -> None:
        item, sha256 = self._known(leaf["item"]), leaf["file"]["sha256"]
        if item.stopped:
            raise NotSo(f"Item {leaf['item']} was released after its {item.stopped}.")
        if sha256 not in item.releasing:
            raise NotSo(f"Item {leaf['item']} was released, and no valid approval of these bytes came before.")
        # An approval covers one release. It is not looked at again, and so not kept: logs are long.
        item.released, item.releasing, item.approvals = sha256, frozenset(), []

    def _restored(self, leaf: Leaf) -> None:
        item = self._known(leaf["item"])
        if item.stopped or leaf["file"]["sha256"] != item.released:
            raise NotSo(f"Item {leaf['item']} was put back with bytes that were not released, or were withdrawn.")

    def _covered(self, leaf: Leaf, item: _Item) -> None:
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

    def _counts(self, leaf: Leaf, item: _Item, signed: Signed, *, until: datetime, now: datetime) -> None:
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

    def _spoken_of(self, items: Iterable[tuple[ItemId, Sha256]]) -> list[_Item]:
        return [self._known(item) for item, _ in items if self._whole or item in self._items]

    def _known(self, item: str) -> _Item:
        found = self._items.get(item)
        if found is None:
            raise NotSo(f"Item {item} was never taken in.")
        if not isinstance(found, _Item):
            found = self._items[item] = _Item(submitter=found[0], campaign=found[1])
        return found


def check_trail(leaves: Iterable[tuple[int, Leaf]], *, root: Root | None = None, four_eyes: bool = True) -> list[str]:
    """All problems in a log, oldest first, at most a thousand. `four_eyes` False only for a policy that says so."""
    trail = Trail(root=root, four_eyes=four_eyes)
    for index, leaf in leaves:
        trail.feed(index, leaf)
    return trail.problems


def _same_signer(leaf: Leaf, signed: Signed) -> None:
    if leaf["by"] != signed.statement.by:
        raise NotSo(f"The entry names {leaf['by']}, and the statement is by {signed.statement.by}.")
    if leaf["facts"]["statement_sha256"] != signed.sha256:
        raise NotSo("The entry names another digest than that of the statement in it.")

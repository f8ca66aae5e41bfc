"""What `trail` remembers: each item so far, and what the shard that is being read says it carries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from transfer.approvals.signing import Signed
from transfer.approvals.statement import ReviewStatement
from transfer.errors import NotSo
from transfer.model.events import Json
from transfer.model.identifiers import CampaignId, PersonId

Leaf = Mapping[str, Any]
_Origin: TypeAlias = "tuple[PersonId, CampaignId | None]"


@dataclass(slots=True)
class TrailItem:
    """What the log has said about one item so far. `quorum` and `four_eyes` are those of its last approval.

    `reviews` are the findings that nobody has cleared yet, by the bytes and the policy under which they were held.
    """

    submitter: PersonId
    campaign: CampaignId | None
    approvals: list[tuple[Signed, datetime]] = field(default_factory=list)  # with the end of their validity
    quorum: int = 1
    four_eyes: bool | None = None
    stopped: str = ""
    releasing: frozenset[str] = frozenset()
    released: str | None = None
    reviews: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def hold_for_review(self, leaf: Leaf) -> None:
        """A policy puts these findings about these bytes before a person: from now on, and until one clears them."""
        which = str(leaf["file"]["sha256"]), str(leaf["policy"]["sha256"])
        self.reviews.setdefault(which, set()).update(str(code) for code in leaf["facts"]["review"])

    def clear(self, statement: ReviewStatement, *, four_eyes: bool) -> None:
        """A review by somebody who may make it. Raises NotSo if they dropped the file themselves."""
        if four_eyes and statement.by == self.submitter:
            raise NotSo("It was reviewed by the person who handed the file in.")
        for which in [(str(made), str(statement.policy)) for _, made in statement.items]:
            left = self.reviews.pop(which, set()) - {code.value for code in statement.codes}
            if left:
                self.reviews[which] = left

    def check_reviewed(self, leaf: Leaf) -> None:
        """Nothing about these bytes waits for a person under the policy of this release. Raises NotSo."""
        left = self.reviews.get((leaf["file"]["sha256"], leaf["policy"]["sha256"]))
        if left:
            raise NotSo(f"Item {leaf['item']} was released, and nobody had reviewed {', '.join(sorted(left))}.")

    def told(self) -> dict[str, Json]:
        """As `file.carried` tells it, beside the submitter; `parse_told` reads it."""
        told: dict[str, Json] = {}
        if self.campaign is not None:
            told["campaign"] = self.campaign
        if self.four_eyes is not None:
            told |= {"quorum": self.quorum, "four_eyes": self.four_eyes}
        if self.stopped:
            told["stopped"] = self.stopped
        if self.releasing:
            told["releasing"] = sorted(self.releasing)
        if self.released is not None:
            told["released"] = self.released
        if self.reviews:
            told["reviews"] = [[*which, sorted(codes)] for which, codes in sorted(self.reviews.items())]
        return told


class TrailItems:
    """All items so far. Most are only taken in: of those, no more is kept than one pair for all that came alike."""

    def __init__(self) -> None:
        self._items: dict[str, TrailItem | _Origin] = {}
        self._origins: dict[_Origin, _Origin] = {}

    def __contains__(self, item: str) -> bool:
        return item in self._items

    def take_in(self, item: str, submitter: PersonId, campaign: CampaignId | None) -> None:
        """A new one. Raises NotSo if it is not."""
        if item in self._items:
            raise NotSo(f"Item {item} was taken in twice.")
        origin = submitter, campaign
        self._items[item] = self._origins.setdefault(origin, origin)

    def put(self, item: str, found: TrailItem) -> None:
        """One that is carried over from an older shard."""
        self._items[item] = found

    def known(self, item: str) -> TrailItem:
        """Raises NotSo if it was never taken in."""
        found = self._items.get(item)
        if found is None:
            raise NotSo(f"Item {item} was never taken in.")
        if not isinstance(found, TrailItem):
            found = self._items[item] = TrailItem(submitter=found[0], campaign=found[1])
        return found


def parse_told(leaf: Leaf) -> TrailItem:
    """The item that a `file.carried` tells of, without its approvals. Raises KeyError, TypeError, ValueError."""
    facts = leaf["facts"]
    campaign, reviews = facts.get("campaign"), facts.get("reviews", ())
    return TrailItem(
        submitter=PersonId(leaf["by"]),
        campaign=None if campaign is None else CampaignId(campaign),
        quorum=max(1, int(facts.get("quorum", 1))),
        four_eyes=facts.get("four_eyes"),
        stopped=str(facts.get("stopped", "")),
        releasing=frozenset(str(digest) for digest in facts.get("releasing", ())),
        released=str(facts["released"]) if "released" in facts else None,
        reviews={(str(made), str(policy)): {str(code) for code in codes} for made, policy, codes in reviews},
    )


@dataclass(slots=True)
class Handover:
    """What stands at the beginning of a shard: `count` entries that carry what older ones said.

    The first `statements` of them are about who may decide. `known`: the older shards were read before, so everything
    carried must agree with them.
    """

    count: int
    statements: int
    known: bool
    governing: int = 0  # statements about who may decide, carried so far
    items: set[str] = field(default_factory=set)

    def check_place(self, index: int, *, governing: bool) -> None:
        """Raises NotSo for something carried that does not stand at the beginning, statements about people first."""
        first, last = (1, self.statements) if governing else (self.statements + 1, self.count)
        if not first <= index <= last:
            raise NotSo("It carries something over, and does not stand in its place at the beginning of its shard.")


def same_signer(leaf: Leaf, signed: Signed) -> None:
    """The entry speaks of this statement and of who made it. Raises NotSo."""
    if leaf["by"] != signed.statement.by:
        raise NotSo(f"The entry names {leaf['by']}, and the statement is by {signed.statement.by}.")
    if leaf["facts"]["statement_sha256"] != signed.sha256:
        raise NotSo("The entry names another digest than that of the statement in it.")

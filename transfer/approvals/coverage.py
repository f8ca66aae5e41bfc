"""Whether everything that left was approved, over all shards of a log, and what else their entries say of one another.

What enters: the leaves of one shard after the other, as `audit.verify` hands them out. What leaves: sentences about
what was not covered (`trail`), counts, and which sealed shards were pruned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transfer.approvals.authority import Root
from transfer.approvals.trail import Trail
from transfer.model.events import EventName

Body = Mapping[str, Any]

_CARRIED = EventName.STATEMENT_CARRIED.value
_RELEASED = EventName.FILE_RELEASED.value
_PRUNED = EventName.SHARD_PRUNED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """Every one of `releases` was covered by some of `statements`, whose signatures lead back to `first`."""

    statements: int
    releases: int
    first: Root | None


@dataclass(kw_only=True)
class Approvals:
    """The check of approvals as `verify_log` calls it, once for each shard, with what it counted over all.

    `pruned` has the sealed shards of which an entry says that they were pruned: by label, the shard and the entry.
    """

    root: Root | None
    four_eyes: bool
    first: Body = field(default_factory=dict, init=False)  # of the shard read last
    last: Body = field(default_factory=dict, init=False)
    pruned: dict[str, tuple[str, int]] = field(default_factory=dict, init=False)
    _trail: Trail | None = field(default=None, init=False)
    _origin: str = field(default="", init=False)
    _statements: int = field(default=0, init=False)
    _releases: int = field(default=0, init=False)

    @property
    def covered(self) -> Covered:
        """What was counted so far."""
        first = self._trail.first if self._trail is not None else None
        return Covered(statements=self._statements, releases=self._releases, first=first)

    def begin(self, origin: str) -> None:
        """The shard that is read next."""
        self._origin, self.first, self.last = origin, {}, {}

    def skip(self) -> None:
        """A shard that cannot be read: the next one is judged by what it carries, back to the same first approver."""
        if self._trail is not None:
            self.root, self._trail = self._trail.first or self.root, None

    def __call__(self, leaves: Iterator[tuple[int, dict[str, Any]]]) -> list[str]:
        trail = self._trail = self._trail or Trail(root=self.root, four_eyes=self.four_eyes)
        statements = releases = 0
        leaf: Body = {}
        for index, leaf in leaves:  # a million entries pass here in a few seconds
            trail.feed(index, leaf)
            event, facts = leaf["event"], leaf.get("facts")
            statements += type(facts) is dict and isinstance(facts.get("statement"), str) and event != _CARRIED
            releases += event == _RELEASED
            if index == 0 or event == _PRUNED:
                self._note(index, leaf)
        self.last = leaf
        self._statements += statements
        self._releases += releases
        return trail.problems

    def _note(self, index: int, leaf: Body) -> None:
        self.first = leaf if index == 0 else self.first
        facts, event = leaf.get("facts"), leaf["event"]
        if not isinstance(facts, Mapping):
            return
        if event == EventName.SHARD_PRUNED.value:
            self.pruned[str(facts.get("label"))] = (self._origin, index)
        elif event == EventName.SHARD_OPENED.value and isinstance(facts.get("pruned"), list):
            self.pruned |= {str(label): (self._origin, index) for label in facts["pruned"]}

"""Upkeep: whether held items wait for their campaign any more, whether the clock was moved, what the policy no longer
keeps, and which sealed shards of the log are old enough to be pruned.

What enters: clocks and the parts. What leaves: items that may go on, and entries. One thread runs this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from transfer.housekeeping import Housekeeping
from transfer.judging import Standing
from transfer.model.clock import Clock
from transfer.model.events import Event, EventName
from transfer.model.findings import WaitingFor
from transfer.model.identifiers import CampaignId, ItemId
from transfer.policy.rules import CampaignStanding
from transfer.store.database import Database, Recorder
from transfer.store.queues import campaigns_waited_for, held_waiting, reviewed_waiting

_CAMPAIGN_SECONDS = 1.0
_RETENTION_SECONDS = 3600.0
_SHARDS_SECONDS = 3600.0  # they are kept by days, so at least one a day; an hour later where a backup is being made
_LOOKING_BACK_SECONDS = 10.0
_STEP_SECONDS = 5.0
_BATCH = 1000


@dataclass(kw_only=True)
class Upkeep:
    """`round` is called about once a second."""

    db: Database
    recorder: Recorder
    standing: Standing
    housekeeping: Housekeeping
    clock: Clock
    monotonic: Callable[[], float]
    prune_shards: Callable[[], object] = list  # the retention of the log; what it answers is of no interest here
    look_back: Callable[[], object] = list  # at what was released without being looked at: the same
    _due: dict[str, float] = field(default_factory=dict, init=False)
    _standings: dict[CampaignId | None, CampaignStanding] = field(default_factory=dict, init=False)
    _reviews: dict[ItemId, int] = field(default_factory=dict, init=False)
    _clocks: tuple[datetime, float] | None = field(default=None, init=False)

    def round(self) -> list[ItemId]:
        """The held items that should be judged again. Raises Unavailable."""
        self._watch_clock()
        # First what may be unavailable: the items found below would be forgotten with it.
        if self._is_due("retention", _RETENTION_SECONDS):
            while self.housekeeping.round():
                pass
        if self._is_due("shards", _SHARDS_SECONDS):
            self.prune_shards()
        if self._is_due("looking back", _LOOKING_BACK_SECONDS):
            self.look_back()
        again: list[ItemId] = []
        if self._is_due("campaign", _CAMPAIGN_SECONDS):
            again += self._campaigns_moved() + self._reviews_came()
        return again

    def _campaigns_moved(self) -> list[ItemId]:
        """What waits for a campaign, once one of those waited for stands otherwise than at the last look."""
        with self.db.read() as tx:
            standings = {campaign: self.standing(tx, campaign) for campaign in campaigns_waited_for(tx)}
            moved = any(self._standings.get(campaign) is not now for campaign, now in standings.items())
            self._standings = standings
            return held_waiting(tx, [WaitingFor.CAMPAIGN], limit=_BATCH) if moved else []

    def _reviews_came(self) -> list[ItemId]:
        """What waits for a person to look at it, once another review of it was handed in."""
        with self.db.read() as tx:
            reviews = reviewed_waiting(tx)
        before, self._reviews = self._reviews, reviews
        return [item for item, count in reviews.items() if before.get(item) != count]

    def _is_due(self, what: str, period: float) -> bool:
        now = self.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + period
        return True

    def _watch_clock(self) -> None:
        """The wall clock against the steady one: a step is an entry, for every time in the log hangs on it."""
        wall, steady = self.clock.now(), self.monotonic()
        if self._clocks is not None:
            step = (wall - self._clocks[0]).total_seconds() - (steady - self._clocks[1])
            if abs(step) > _STEP_SECONDS:
                event = Event(name=EventName.CLOCK_STEPPED, facts={"milliseconds": round(step * 1000)})
                with self.db.write() as tx:
                    self.recorder.append(tx, event)
        self._clocks = (wall, steady)

"""Gathers what is known of an item when it is judged, for the policy to decide on.

What enters: what the stations found, and what the register, the statements and the fingerprints say about the item
now. What leaves: a verdict, or a finding that only a look at everything released before can make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from transfer.model.findings import Code, Finding, ScanResult, Verdict
from transfer.model.identifiers import CampaignId, Sha256
from transfer.model.media import MediaFacts
from transfer.model.states import Arrived, Examined
from transfer.policy.decide import decide
from transfer.policy.rules import CampaignStanding, Evidence, Policy
from transfer.store.database import Database, ReadTx
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import Register

Standing = Callable[[ReadTx, CampaignId | None], CampaignStanding]
# The findings about these rebuilt bytes that a person cleared, whose signature stands now and under this policy.
Reviewed = Callable[[ReadTx, Arrived, Sha256], frozenset[Code]]


def nobody_reviewed(tx: ReadTx, arrived: Arrived, sha256: Sha256) -> frozenset[Code]:
    """Where nobody can sign anything: a rehearsal."""
    del tx, arrived, sha256
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Asks the policy, with everything that is known."""

    db: Database
    register: Register
    policy: Policy
    standing: Standing
    reviewed: Reviewed
    fingerprints: Fingerprints

    def verdict(
        self,
        arrived: Arrived,
        media: MediaFacts | None,
        findings: tuple[Finding, ...],
        scans: tuple[ScanResult, ...],
        *,
        clean: Sha256 | None = None,
    ) -> Verdict:
        """`clean` is the rebuilt file of an item that was held before, and that somebody may have reviewed since."""
        with self.db.read() as tx:
            standing = self.standing(tx, arrived.campaign)
            returning = self.register.returning(tx, arrived.item)
            cleared = frozenset[Code]() if clean is None else self.reviewed(tx, arrived, clean)
        evidence = Evidence(
            name=arrived.name,
            post=arrived.post,
            findings=arrived.findings + findings,
            media=media,
            scans=scans,
            campaign=standing,
            returning=returning,
            cleared=cleared,
            size=arrived.arrival.size,
        )
        return decide(evidence, self.policy)

    def compared(self, examined: Examined) -> Examined:
        """With a finding, if it looks like something released before it came and is no original that staff staged."""
        arrived, raw = examined.spooled.arrived, examined.spooled.raw
        if self.policy.comparison is None or not examined.fingerprints:
            return examined
        with self.db.read() as tx:
            near = self.fingerprints.near(tx, arrived.item, examined.fingerprints, comparison=self.policy.comparison)
            if near is None or self.register.staged_before(tx, raw.sha256, than=arrived.item):
                return examined
        return replace(examined, findings=(*examined.findings, Finding(code=Code.NEAR_COPY, detail=near.detail())))

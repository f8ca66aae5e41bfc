"""The door with files of a drive before it: what it answers, and what their submitter reads."""

from __future__ import annotations

from pathlib import Path

from tests import samples
from tests.intake.drive_place import Place
from transfer.intake.admit import TurnedAway, admit
from transfer.model.findings import Code
from transfer.model.identifiers import ItemId
from transfer.model.states import Arrival, Spooled
from transfer.policy.decide import decide
from transfer.policy.rulebook import load_policy
from transfer.policy.rules import CampaignStanding, Evidence
from transfer.store.blobs import Blobs
from transfer.wiring import SystemClock

POLICY = load_policy(Path(__file__).parents[2] / "policies" / "university.toml")
JPEG = samples.jpeg(64, 48)


def admitted(place: Place, blobs: Blobs, arrival: Arrival) -> Spooled | TurnedAway | None:
    """The door's answer."""
    return admit(
        arrival,
        source=place.source,
        blobs=blobs,
        limits=POLICY.limits,
        allowed_suffixes=POLICY.allowed_suffixes,
        item=ItemId("i-00000000"),
        clock=SystemClock(),
        hash_limit=POLICY.hash_limit_bytes,
    )


def refused(place: Place, blobs: Blobs, path: bytes, *codes: Code) -> tuple[TurnedAway, str, frozenset[str]]:
    """What the door turned away, what its submitter reads, and the clauses it cites."""
    answer = admitted(place, blobs, place.arrival(path))
    assert isinstance(answer, TurnedAway)
    assert {finding.code for finding in answer.findings} == set(codes)
    verdict = decide(
        Evidence(
            name=answer.arrived.name, post=None, findings=answer.findings, media=None, scans=(),
            campaign=CampaignStanding.APPROVED, returning=False,
        ),
        POLICY,
    )  # fmt: skip
    assert verdict.refused
    told = [reason for reason in verdict.reasons if reason.rule != "campaign"]
    assert all(reason.message and reason.advice for reason in told)
    return answer, " ".join(reason.message for reason in told), frozenset(c for reason in told for c in reason.clauses)

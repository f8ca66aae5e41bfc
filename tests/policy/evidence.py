"""Evidence and policies for the tests of the policy: by hand, and as Hypothesis makes them."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from transfer.model.findings import Code, Finding, ScanAnswer, ScanResult, Severity, WaitingFor
from transfer.model.media import Format, MediaFacts, StreamFacts
from transfer.model.names import SafeName, safe_name
from transfer.policy.canonical import sealed
from transfer.policy.clauses import CLAUSES
from transfer.policy.rulebook import load_shipped
from transfer.policy.rules import CampaignStanding, Evidence, Policy, Rule, ScanDemand

UNIVERSITY = load_shipped("university")
FIRST_RUN = load_shipped("first-run")
CLEAN = ScanResult(answer=ScanAnswer.CLEAN, scanner="clamd")


def scanned(answer: ScanAnswer, threat: str = "") -> ScanResult:
    return ScanResult(answer=answer, scanner="clamd", threat=threat)


def evidence(**changes: Any) -> Evidence:
    """A picture with which nothing is wrong, but for what is given."""
    sound: dict[str, Any] = {
        "name": safe_name("open day.jpg"),
        "findings": (),
        "media": MediaFacts(format=Format.JPEG, width=1920, height=1080, frames=1),
        "scans": (CLEAN, CLEAN),
        "campaign": CampaignStanding.APPROVED,
        "returning": False,
    }
    return Evidence(**{**sound, **changes})


def found(code: Code, **detail: str | int) -> Finding:
    return Finding(code=code, detail=detail)


def policy_with(*rules: Rule, base: Policy = UNIVERSITY, **changes: Any) -> Policy:
    return sealed(dataclasses.replace(base, rules=rules, **changes))


def rule(id_: str, *on: Code, severity: Severity, waiting_for: WaitingFor | None = None) -> Rule:
    return Rule(
        id=id_, clauses=("G6",), on=on, severity=severity, waiting_for=waiting_for, message="So.", advice="Well."
    )


details = st.dictionaries(
    st.sampled_from(["bytes", "width", "height", "limit", "mark", "suffix", "content", "seconds", "threat"]),
    st.integers() | st.text(max_size=150),
    max_size=4,
)
findings = st.builds(Finding, code=st.sampled_from(Code), detail=details)
media_facts = st.builds(
    MediaFacts,
    format=st.sampled_from(Format),
    width=st.integers(0, 2**40),
    height=st.integers(0, 2**40),
    frames=st.integers(0, 2**40),
    duration_ms=st.integers(0, 2**50),
    characters=st.integers(0, 2**40),
    streams=st.lists(st.builds(StreamFacts, kind=st.just("video"), codec=st.just("h264")), max_size=20).map(tuple),
)
scans = st.builds(
    ScanResult, answer=st.sampled_from(ScanAnswer), scanner=st.just("clamd"), threat=st.text(max_size=150)
)
names: st.SearchStrategy[SafeName] = st.text(max_size=40).map(safe_name)
evidences = st.builds(
    Evidence,
    name=names,
    post=st.none() | names,
    findings=st.lists(findings, max_size=5).map(tuple),
    media=st.none() | media_facts,
    scans=st.lists(scans, max_size=3).map(tuple),
    campaign=st.sampled_from(CampaignStanding),
    returning=st.booleans(),
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy at all, also ones that no file could bring about."""
    codes = draw(st.lists(st.sampled_from(Code), unique=True))
    drawn = []
    for number, code in enumerate(codes):
        severity = draw(st.sampled_from(Severity))
        wait = draw(st.none() | st.sampled_from(WaitingFor))
        drawn.append(
            Rule(
                id=f"r{number}",
                clauses=tuple(draw(st.sets(st.sampled_from(list(CLAUSES)), min_size=1, max_size=2))),
                on=(code,),
                severity=severity,
                waiting_for=wait,
                message=draw(st.text(max_size=30)),
                advice=draw(st.text(max_size=30)),
            )
        )
    malware = dataclasses.replace(UNIVERSITY.malware, scan=draw(st.sampled_from(ScanDemand)))
    return policy_with(*drawn, malware=malware)

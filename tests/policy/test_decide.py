"""The verdict: what every policy promises, and what the shipped ones say."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from tests.policy.evidence import (
    UNIVERSITY,
    evidence,
    evidences,
    findings,
    found,
    policies,
    policy_with,
    rule,
)
from transfer.model.findings import Code, ScanAnswer, Severity, WaitingFor
from transfer.model.media import Format, MediaFacts
from transfer.policy.clauses import CLAUSES
from transfer.policy.decide import DEFAULT_RULE, decide
from transfer.policy.rules import CampaignStanding, Evidence, Policy, floor

JPEG = MediaFacts(format=Format.JPEG, width=10, height=10)
STRICTEST = [Severity.REFUSE, Severity.HOLD, Severity.NOTE]


def rules_of(verdict: object) -> list[str]:
    return [reason.rule for reason in verdict.reasons]  # type: ignore[attr-defined]  # a Verdict


# --- under any policy --------------------------------------------------------------------------------------------


@given(evidences, policies())
def test_there_is_always_a_verdict(given_evidence: Evidence, policy: Policy) -> None:
    verdict = decide(given_evidence, policy)
    refusals = [reason for reason in verdict.reasons if reason.severity is Severity.REFUSE]
    assert verdict.refused == bool(refusals)
    assert verdict.refused == (verdict.waiting_for is None)
    assert verdict.policy_sha256 == policy.sha256
    assert all(reason.clauses and set(reason.clauses) <= set(CLAUSES) for reason in verdict.reasons)
    order = [STRICTEST.index(reason.severity) for reason in verdict.reasons]
    assert order == sorted(order)
    assert decide(given_evidence, policy) == verdict


@given(evidences, findings, policies())
def test_more_findings_never_make_it_milder(given_evidence: Evidence, finding: object, policy: Policy) -> None:
    before = decide(given_evidence, policy)
    worse = dataclasses.replace(given_evidence, findings=(*given_evidence.findings, finding))
    after = decide(worse, policy)
    assert after.refused or not before.refused
    if before.waiting_for is not WaitingFor.APPROVAL:
        assert after.waiting_for is not WaitingFor.APPROVAL  # what cannot be approved does not become approvable


@given(evidences, policies())
def test_the_order_of_findings_does_not_matter(given_evidence: Evidence, policy: Policy) -> None:
    turned = dataclasses.replace(
        given_evidence, findings=given_evidence.findings[::-1], scans=given_evidence.scans[::-1]
    )
    before, after = decide(given_evidence, policy), decide(turned, policy)
    assert (before.refused, before.waiting_for) == (after.refused, after.waiting_for)
    assert rules_of(before) == rules_of(after)


@pytest.mark.parametrize("code", Code)
def test_no_policy_goes_below_the_floor(code: Code) -> None:
    lax = policy_with(rule("lax", code, severity=Severity.NOTE))
    verdict = decide(evidence(findings=(found(code),)), lax)
    assert verdict.refused == (floor(code) is Severity.REFUSE)
    assert (verdict.waiting_for is WaitingFor.APPROVAL) == (floor(code) is Severity.NOTE)


@given(evidences, policies())
def test_approvable_means_understood_scanned_and_in_a_campaign(given_evidence: Evidence, policy: Policy) -> None:
    if decide(given_evidence, policy).waiting_for is WaitingFor.APPROVAL:
        assert given_evidence.media is not None
        assert given_evidence.scans
        assert given_evidence.campaign is CampaignStanding.APPROVED
        assert not given_evidence.returning
        assert ScanAnswer.INFECTED not in {scan.answer for scan in given_evidence.scans}


@given(evidences)
def test_an_empty_rule_set_refuses(given_evidence: Evidence) -> None:
    assert decide(given_evidence, policy_with()).refused


def test_an_empty_rule_set_refuses_the_best_file() -> None:
    verdict = decide(evidence(), policy_with())
    assert verdict.refused
    assert rules_of(verdict) == [DEFAULT_RULE]


def test_a_code_without_a_rule_refuses() -> None:
    lenient = policy_with(*(r for r in UNIVERSITY.rules if Code.METADATA not in r.on))
    verdict = decide(evidence(findings=(found(Code.METADATA),)), lenient)
    assert verdict.refused
    assert rules_of(verdict) == [DEFAULT_RULE]
    assert "«metadata»" in verdict.reasons[0].message


def test_a_hold_for_approval_is_no_hold_to_wave_through() -> None:
    waved = policy_with(
        rule("waved", Code.CAMPAIGN_UNKNOWN, severity=Severity.HOLD, waiting_for=WaitingFor.APPROVAL),
    )
    verdict = decide(evidence(campaign=CampaignStanding.UNKNOWN), waved)
    assert verdict.waiting_for is WaitingFor.CAMPAIGN

"""What the shipped policies say to files as they come."""

from __future__ import annotations

import dataclasses

import pytest

from tests.policy.evidence import (
    CLEAN,
    FIRST_RUN,
    UNIVERSITY,
    evidence,
    found,
    scanned,
)
from transfer.model.findings import Code, ScanAnswer, Severity, WaitingFor
from transfer.model.media import Format, MediaFacts, StreamFacts
from transfer.model.names import safe_name
from transfer.policy.decide import APPROVAL_RULE, NOT_ASKED_RULE, RESERVED_RULES, decide
from transfer.policy.rules import CampaignStanding, Policy

JPEG = MediaFacts(format=Format.JPEG, width=10, height=10)


def rules_of(verdict: object) -> list[str]:
    return [reason.rule for reason in verdict.reasons]  # type: ignore[attr-defined]  # a Verdict


def test_a_sound_file_waits_for_approval() -> None:
    verdict = decide(evidence(), UNIVERSITY)
    assert not verdict.refused
    assert verdict.waiting_for is WaitingFor.APPROVAL
    assert rules_of(verdict) == [APPROVAL_RULE]
    assert "other than the person who dropped it" in verdict.reasons[0].message
    assert set(verdict.reasons[0].clauses) == {"G1", "G6", "G7"}


def test_notes_come_after_the_wait() -> None:
    verdict = decide(evidence(findings=(found(Code.METADATA, kinds="EXIF"), found(Code.LOCATION))), UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.APPROVAL
    assert rules_of(verdict) == [APPROVAL_RULE, "metadata-goes", "place-goes"]
    assert "(EXIF)" in verdict.reasons[1].message


REFUSING = sorted(
    code
    for code in Code
    for answer in [UNIVERSITY.rule_for(code)]
    if answer is not None and answer.severity is Severity.REFUSE
)


@pytest.mark.parametrize("code", REFUSING)
def test_every_refusal_is_a_sentence_with_clauses_and_advice(code: Code) -> None:
    verdict = decide(evidence(findings=(found(code),)), UNIVERSITY)
    assert verdict.refused
    reason = verdict.reasons[0]
    assert reason.severity is Severity.REFUSE
    assert reason.rule not in RESERVED_RULES
    assert reason.clauses
    for text in (reason.message, reason.advice):
        assert text[0].isupper()
        assert text.endswith((".", "»."))
        assert not set(text) & set("{}[]")


@pytest.mark.parametrize(
    ("standing", "rule_id"),
    [
        (CampaignStanding.UNKNOWN, "campaign-known"),
        (CampaignStanding.NOT_APPROVED, "campaign-approved"),
        (CampaignStanding.NOT_CURRENT, "campaign-current"),
    ],
)
def test_a_campaign_that_may_not_send_holds(standing: CampaignStanding, rule_id: str) -> None:
    verdict = decide(evidence(campaign=standing), UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.CAMPAIGN
    assert rules_of(verdict) == [rule_id]
    assert verdict.reasons[0].clauses == ("G1",)


def test_outside_every_campaign_is_said_once() -> None:
    outside = evidence(campaign=CampaignStanding.UNKNOWN, findings=(found(Code.OUTSIDE_CAMPAIGN),))
    verdict = decide(outside, UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.CAMPAIGN
    assert rules_of(verdict) == ["in-a-campaign"]


def test_what_it_waits_for_first() -> None:
    several = evidence(
        campaign=CampaignStanding.NOT_APPROVED,
        scans=(scanned(ScanAnswer.UNAVAILABLE),),
        findings=(found(Code.NO_DEVICE),),
    )
    verdict = decide(several, UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.SCANNER
    assert rules_of(verdict) == ["scanned", "campaign-approved", "device-enrolled"]


@pytest.mark.parametrize(
    ("answer", "refused", "wait"),
    [
        (ScanAnswer.CLEAN, False, WaitingFor.APPROVAL),
        (ScanAnswer.INFECTED, True, None),
        (ScanAnswer.UNSCANNABLE, True, None),
        (ScanAnswer.UNAVAILABLE, False, WaitingFor.SCANNER),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_one_bad_scan_of_two_is_enough(answer: ScanAnswer, refused: bool, wait: WaitingFor | None, first: bool) -> None:
    other = scanned(answer, "Eicar")
    verdict = decide(evidence(scans=(other, CLEAN) if first else (CLEAN, other)), UNIVERSITY)
    assert (verdict.refused, verdict.waiting_for) == (refused, wait)


def test_the_name_of_the_malware_is_shown() -> None:
    verdict = decide(evidence(scans=(scanned(ScanAnswer.INFECTED, "Win.Test\x1b[31m"),)), UNIVERSITY)
    assert "Win.Test?[31m" in verdict.reasons[0].message


@pytest.mark.parametrize("policy", [UNIVERSITY, FIRST_RUN], ids=["university", "first-run"])
def test_no_scan_at_all_is_not_good_news(policy: Policy) -> None:
    verdict = decide(evidence(scans=()), policy)
    assert verdict.refused
    assert rules_of(verdict) == [NOT_ASKED_RULE]


def test_first_run_goes_on_without_a_scanner_and_says_so() -> None:
    unscanned = evidence(scans=(scanned(ScanAnswer.UNAVAILABLE), scanned(ScanAnswer.UNAVAILABLE)))
    verdict = decide(unscanned, FIRST_RUN)
    assert verdict.waiting_for is WaitingFor.APPROVAL
    marked = [reason for reason in verdict.reasons if "not scanned for malware" in reason.message]
    assert [reason.severity for reason in marked] == [Severity.NOTE]
    assert decide(evidence(scans=(scanned(ScanAnswer.INFECTED),)), FIRST_RUN).refused
    assert not any("not scanned" in reason.message for reason in decide(evidence(), FIRST_RUN).reasons)


def test_what_comes_back_is_refused_under_g5() -> None:
    verdict = decide(evidence(returning=True), UNIVERSITY)
    assert verdict.refused
    assert verdict.reasons[0].clauses == ("G5",)


@pytest.mark.parametrize("name", ["Confidential plan.jpg", "official_sensitive.png", "flyer DRAFT 2.png", "secret.jpg"])
def test_a_marking_in_the_name_refuses(name: str) -> None:
    verdict = decide(evidence(name=safe_name(name)), UNIVERSITY)
    assert verdict.refused
    assert rules_of(verdict) == ["no-markings"]
    assert "found in its name" in verdict.reasons[0].message


def test_a_marking_in_the_name_of_the_post_refuses() -> None:
    assert decide(evidence(post=safe_name("not-for-publication")), UNIVERSITY).refused


@pytest.mark.parametrize("name", ["secretary.jpg", "drafting table.jpg", "international.jpg", "open day.jpg"])
def test_longer_words_are_no_markings(name: str) -> None:
    assert not decide(evidence(name=safe_name(name)), UNIVERSITY).refused


def test_the_name_of_a_file_is_in_no_reason() -> None:
    named = evidence(name=safe_name("confidential Jane Doe.jpg"), findings=(found(Code.UNDECODABLE),))
    assert not any("Jane" in reason.message + reason.advice for reason in decide(named, UNIVERSITY).reasons)


def test_what_is_not_understood_is_refused_even_without_a_finding() -> None:
    verdict = decide(evidence(media=None), UNIVERSITY)
    assert verdict.refused
    assert rules_of(verdict) == ["known-type"]


def test_a_reason_is_not_said_twice_over() -> None:
    verdict = decide(evidence(media=None, scans=(), findings=(found(Code.UNDECODABLE),)), UNIVERSITY)
    assert rules_of(verdict) == ["opens"]


@pytest.mark.parametrize(
    ("media", "rule_id"),
    [
        (MediaFacts(format=Format.JPEG, width=20_000, height=6_000), "picture-size"),
        (MediaFacts(format=Format.JPEG, width=16_385, height=1), "picture-size"),
        (MediaFacts(format=Format.GIF, width=10, height=10, frames=2_001), "animation-length"),
        (MediaFacts(format=Format.MP4, width=10, height=10, duration_ms=601_000), "film-length"),
        (MediaFacts(format=Format.TEXT, characters=100_001), "text-length"),
        (MediaFacts(format=Format.MP4, streams=(StreamFacts(kind="data", codec="x"),) * 17), "film-tracks"),
    ],
)
def test_the_sandbox_is_not_taken_at_its_word(media: MediaFacts, rule_id: str) -> None:
    assert rules_of(decide(evidence(media=media), UNIVERSITY)) == [rule_id]


def test_limits_may_just_be_reached() -> None:
    film = MediaFacts(format=Format.MP4, width=10_000, height=10_000, frames=10**6, duration_ms=600_000)
    assert not decide(evidence(media=film), UNIVERSITY).refused


def test_a_format_outside_the_list_is_refused() -> None:
    narrow = dataclasses.replace(UNIVERSITY, formats=(Format.PNG,))
    verdict = decide(evidence(media=JPEG), narrow)
    assert rules_of(verdict) == ["known-type"]
    assert "image/jpeg" in verdict.reasons[0].message


def test_two_signatures_are_announced_as_two() -> None:
    two = dataclasses.replace(UNIVERSITY, approval=dataclasses.replace(UNIVERSITY.approval, quorum=2, four_eyes=False))
    message = decide(evidence(), two).reasons[0].message
    assert "2 approvers" in message
    assert "other than" not in message

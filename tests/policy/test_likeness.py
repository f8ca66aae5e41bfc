"""`[return]`, and what a person's review clears: the finding it names, under its policy, and nothing that refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import UNIVERSITY, evidence, evidences, found
from tests.policy.files import OVERLAY, loaded
from transfer.model.findings import Code, Severity, WaitingFor
from transfer.policy.decide import decide
from transfer.policy.rules import STRICTNESS, Evidence, floor
from transfer.policy.show import show_policy

NEAR = found(Code.NEAR_COPY, item="i-00000000000000000001", distance=7, share=80)


def test_a_near_copy_is_held_for_a_person_to_look_at() -> None:
    verdict = decide(evidence(findings=(NEAR,)), UNIVERSITY)
    assert not verdict.refused
    assert verdict.waiting_for is WaitingFor.REVIEW
    assert verdict.reviews == (Code.NEAR_COPY,)
    said = verdict.reasons[0]
    assert said.clauses == ("G5",)
    assert "i-00000000000000000001; 7 of 256 bits of how it looks are different, in 80 % of its frames" in said.message
    assert "a person looks at the two" in said.advice


def test_cleared_it_waits_for_approval_as_everything_does() -> None:
    verdict = decide(evidence(findings=(NEAR,), cleared=frozenset({Code.NEAR_COPY})), UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.APPROVAL
    assert verdict.reviews == ()
    note = next(reason for reason in verdict.reasons if reason.rule == "looks-released-before")
    assert note.severity is Severity.NOTE
    assert "has looked at this" in note.advice


@given(evidences, st.frozensets(st.sampled_from(Code)))
def test_a_review_clears_nothing_that_refuses_or_waits_for_something_else(
    given_: Evidence, codes: frozenset[Code]
) -> None:

    without = decide(dataclasses.replace(given_, cleared=frozenset()), UNIVERSITY)
    cleared = decide(dataclasses.replace(given_, cleared=codes), UNIVERSITY)
    assert cleared.refused == without.refused
    if without.waiting_for is not WaitingFor.REVIEW:
        assert cleared.waiting_for == without.waiting_for
    assert set(cleared.reviews) == set(without.reviews) - codes
    assert not {code for code in without.reviews if STRICTNESS[floor(code)]}


@pytest.mark.parametrize("code", [Code.RETURNING, Code.MARKING, Code.MALWARE, Code.TIKTOK_MARK])
def test_a_refusal_stands_whoever_signs(code: Code) -> None:
    assert decide(evidence(findings=(found(code),), cleared=frozenset(Code)), UNIVERSITY).refused


def test_an_overlay_may_find_more(tmp_path: Path) -> None:
    site = loaded(tmp_path, OVERLAY + "[return]\nshare = 20\nquality = 30\n")
    assert site.comparison is not None
    assert (site.comparison.share, site.comparison.quality, site.comparison.distance) == (20, 30, 31)
    assert site.sha256 != UNIVERSITY.sha256


def test_it_is_shown() -> None:
    assert "near copies of what was released, mirrored too: 31 of 256 bits may differ" in show_policy(UNIVERSITY)

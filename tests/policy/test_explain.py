"""What staff read, and what an officer reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import FIRST_RUN, UNIVERSITY, evidence, evidences, found, scanned
from transfer.errors import NotSo
from transfer.model.findings import Code, Reason, ScanAnswer, Verdict, WaitingFor
from transfer.model.names import SafeName, safe_name
from transfer.model.states import State
from transfer.policy.decide import decide
from transfer.policy.explain import WIDTH, explain
from transfer.policy.rules import CampaignStanding, Evidence
from transfer.policy.show import explain_item, explain_rule, policy_facts, reason_facts, show_policy, summarise
from transfer.store.register import ItemRow

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OPEN_DAY = safe_name("open day.jpg")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A story to tell."""

    item: str = "i-7k3m9q2x"
    name: SafeName = OPEN_DAY
    campaign: str | None = "open-day"
    state: State = State.HELD
    waiting_for: WaitingFor | None = None
    released_as: str | None = None
    reasons: tuple[Reason, ...] = ()
    arrived_at: datetime = NOON
    decided_at: datetime | None = NOON


def judged(verdict: Verdict) -> Item:
    state = State.REFUSED if verdict.refused else State.HELD
    return Item(state=state, waiting_for=verdict.waiting_for, reasons=verdict.reasons)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_refused_file_is_told_why_and_what_to_do() -> None:
    heading, text = explain(
        judged(decide(evidence(findings=(found(Code.MARKING, mark="DRAFT", where="text"),)), UNIVERSITY))
    )
    assert heading == "REFUSED"
    assert text.startswith("REFUSED: open day.jpg\n\nWhat happened\n")
    said = flat(text)
    assert "refused on 2026-05-04 at 12:00 UTC" in said
    assert "protective marking on this file: DRAFT" in said
    assert "[no-markings; G6]" in said
    assert "ask its owner to take the marking away" in said
    assert "still lies where you dropped it" in said
    assert said.index("What happened") < said.index("Why") < said.index("What to do next")


def test_a_waiting_file_is_told_for_what_and_what_was_noted() -> None:
    heading, text = explain(judged(decide(evidence(findings=(found(Code.LOCATION),)), UNIVERSITY)))
    assert heading == "WAITING"
    assert "waits for an approver's signature" in flat(text)
    assert "Good to know The file says where it was taken; that is removed. [place-goes; G6]" in flat(text)


def test_first_run_tells_staff_that_it_was_not_scanned() -> None:
    _heading, text = explain(judged(decide(evidence(scans=(scanned(ScanAnswer.UNAVAILABLE),)), FIRST_RUN)))
    assert "not scanned for malware" in flat(text)


@pytest.mark.parametrize(
    ("state", "heading", "said"),
    [
        (State.ARRIVED, "WORKING", "being checked"),
        (State.SPOOLED, "WORKING", "being checked"),
        (State.EXAMINED, "WORKING", "being checked"),
        (State.REBUILT, "WORKING", "being checked"),
        (State.HELD, "WAITING", "waits for a person"),
        (State.APPROVED, "WORKING", "An approver has signed it"),
        (State.RELEASED, "RELEASED", "«open day-2.jpg»"),
        (State.REFUSED, "REFUSED", "has not gone to the device"),
        (State.WITHDRAWN, "WITHDRAWN", "delete the post"),
        (State.EXPIRED, "EXPIRED", "drop it again"),
    ],
)
def test_every_state_has_its_words(state: State, heading: str, said: str) -> None:
    found_heading, text = explain(Item(state=state, released_as="open day-2.jpg", waiting_for=None, decided_at=None))
    assert found_heading == heading
    assert said in flat(text)
    assert "What to do next" in text


def test_what_was_taken_back_is_not_said_to_have_been_released_if_it_was_not() -> None:
    back = explain(Item(state=State.WITHDRAWN, released_as="photo.jpg"))[1]
    assert "It had been released" in flat(back)
    assert "or by the gateway itself, because OneDrive no longer had exactly what was approved" in flat(back)
    never = explain(Item(state=State.WITHDRAWN, released_as=None))[1]
    assert "by an approver, before it went to the device" in flat(never)
    assert "had been released" not in flat(never)


@pytest.mark.parametrize("wait", WaitingFor)
def test_every_wait_has_its_words(wait: WaitingFor) -> None:
    others = [explain(Item(waiting_for=other))[1] for other in WaitingFor if other is not wait]
    assert explain(Item(waiting_for=wait))[1] not in others


@given(evidences, st.text(max_size=60).map(safe_name), st.sampled_from([UNIVERSITY, FIRST_RUN]))
def test_any_verdict_can_be_told(given_evidence: Evidence, name: SafeName, policy: object) -> None:
    verdict = decide(given_evidence, policy)  # type: ignore[arg-type]  # a Policy
    story = judged(verdict)
    heading, text = explain(Item(**{**story.__dict__, "name": name}))
    assert heading in {"REFUSED", "WAITING"}
    assert text.endswith("\n")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert all(len(line) <= WIDTH or " " not in line.strip() for line in text.splitlines())
    assert explain_item(UNIVERSITY, story)


def test_a_row_of_the_register_can_be_told() -> None:
    wanted = {"item", "name", "campaign", "state", "waiting_for", "released_as", "reasons", "arrived_at", "decided_at"}
    assert wanted <= set(ItemRow.__dataclass_fields__)


# --- for officers ------------------------------------------------------------------------------------------------


def test_the_whole_policy_is_shown() -> None:
    text = show_policy(UNIVERSITY)
    for rule in UNIVERSITY.rules:
        assert f" {rule.id} [" in text
    for code in Code:
        assert code.value in text
    assert UNIVERSITY.sha256 in text
    assert "hold:scanner   scanned [G9]" in text
    assert "Caution" not in text


def test_first_run_is_shown_with_a_caution_and_its_note() -> None:
    text = show_policy(FIRST_RUN)
    assert "Caution: files go on without a malware scan" in text
    assert "note           scanned [G9]" in text
    assert "made from university" in text


def test_a_rule_is_explained_by_its_name_or_by_its_finding() -> None:
    text = explain_rule(UNIVERSITY, "no-markings")
    assert text == explain_rule(UNIVERSITY, "marking")
    assert "no-markings: refuse on marking" in text
    assert "G6       Only data classified PUBLIC leaves" in text
    assert "refused" in explain_rule(UNIVERSITY, "default-refuse")


def test_an_unknown_rule_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotSo, match="Did you mean `no-markings`"):
        explain_rule(UNIVERSITY, "no-marking")


def test_an_item_is_explained_with_the_rules_behind_it() -> None:
    story = judged(decide(evidence(campaign=CampaignStanding.NOT_APPROVED), UNIVERSITY))
    text = explain_item(UNIVERSITY, story)
    assert "WAITING: open day.jpg" in text
    assert "campaign-approved: hold:campaign on campaign-not-approved" in text
    assert "G1       Use is the exception" in text


def test_a_rule_that_is_gone_is_said_to_be_gone() -> None:
    gone = Reason(rule="gone", clauses=("G6",), severity=UNIVERSITY.rules[0].severity, message="So.")
    assert "no such rule any more" in explain_item(UNIVERSITY, Item(state=State.REFUSED, reasons=(gone,)))


def test_the_summary_counts() -> None:
    assert f"{len(UNIVERSITY.rules)} rules, each with a clause. Every finding has a rule." in summarise(UNIVERSITY)


def test_facts_are_json() -> None:
    facts = policy_facts(FIRST_RUN)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["derived_from"] == ["university"]
    reason = decide(evidence(returning=True), UNIVERSITY).reasons[0]
    assert reason_facts(reason)["clause"] == "G5"

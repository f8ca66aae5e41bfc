"""Labels, personal data and their patterns as a policy writes them."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import UNIVERSITY, evidence, found
from tests.policy.files import OVERLAY, WHOLE, line_of, loaded, misuse
from transfer.errors import Misuse
from transfer.model.findings import Code, Severity, WaitingFor
from transfer.model.search import Label, PersonalKind
from transfer.policy.decide import decide
from transfer.policy.personal import MAX_MATCH, check_pattern
from transfer.policy.rulebook import load_policy
from transfer.policy.show import show_policy

GUID = "9d258917-277f-42cd-a3cd-14c4e9ee58bc"
LABEL = f'\n[[label]]\nid = "{GUID}"\nname = "Public"\npublic = true\n'


def personal(text: str) -> str:
    return f"{OVERLAY}\n[personal]\n{text}\n"


def test_the_shipped_policy_looks_for_all_kinds() -> None:
    search = UNIVERSITY.search
    assert search.personal == tuple(PersonalKind)
    assert (search.regions, search.countries, search.labels, search.allowed) == (("GB",), ("GB",), (), ())
    assert search.marks == UNIVERSITY.marks
    assert not search.pictures


def test_an_overlay_adds_what_only_the_site_knows(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        personal(
            r"student_numbers = ['s\d{7}']"
            '\nallowed = ["Press@University.example", "@openday.example", "+44 1632 960000"]\ncountries = ["DE", "GB"]'
        )
        + LABEL,
    )
    assert policy.search.student_numbers == (r"s\d{7}",)
    assert policy.search.allowed == ("press@university.example", "@openday.example", "+44 1632 960000")
    assert policy.search.countries == ("GB", "DE")
    assert policy.search.labels == (Label(guid=GUID, name="Public", public=True),)
    assert policy.sha256 != UNIVERSITY.sha256
    shown = show_policy(policy)
    assert f"Public ({GUID}): public" in shown
    assert "student-number" in shown
    assert "but not press@university.example" in shown


@pytest.mark.parametrize("spelled", [GUID.upper(), f"{{{GUID}}}"])
def test_an_id_can_be_spelled_as_tools_show_it(tmp_path: Path, spelled: str) -> None:
    assert loaded(tmp_path, OVERLAY + LABEL.replace(GUID, spelled)).labels[0].guid == GUID


def test_a_label_has_one_meaning(tmp_path: Path) -> None:
    said = misuse(tmp_path, OVERLAY + LABEL + LABEL.replace("true", "false"))
    assert "has its meaning already, «Public»" in said
    assert "policy.toml, line 10" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('look_for = ["telefone"]', "did you mean «telephone»"),
        ('telephone_regions = ["UK"]', "a region is two capitals"),
        ('countries = ["US"]', "no identifiers are known that people in 'US' carry"),
        ('allowed = ["university.example"]', "an allowed address is"),
        ('allowed = ["01632 960000"]', "with its country code"),
        ('allowed = ["@example"]', "an allowed address is"),
        (r"student_numbers = ['(s|m)\d{7}']", "cannot be used from its character 1 on"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in misuse(tmp_path, personal(text))
    assert "line 5" in misuse(tmp_path, personal(text))


def test_a_label_without_its_meaning_does_not_load(tmp_path: Path) -> None:
    assert "public" in misuse(tmp_path, OVERLAY + LABEL.replace("public = true\n", ""))
    assert "a label's id is a GUID" in misuse(tmp_path, OVERLAY + LABEL.replace(GUID, "Public"))


def test_a_whole_policy_says_what_it_looks_for(tmp_path: Path) -> None:
    start = WHOLE.index("[personal]")
    without = WHOLE[:start] + WHOLE[WHOLE.index("# Who has to sign.") :]
    assert "personal" in misuse(tmp_path, without)
    assert line_of("[personal]") > 0


# --- patterns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern", [r"s\d{7}", r"\d{2}-[A-Z]{2}-\d{4}", "[0-9]{8}", "ab[0-9]{3,6}", r"\d{7}x?", r"M/\d{6}", r"\d{4}\.\d{3}"]
)
def test_patterns_that_can_be_used(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        r"\d+",
        r"\d*",
        r"(\d{7})",
        r"(?:a|b)\d{6}",
        r"\d{7}|\d{8}",
        ".{7}",
        r"\d{3}",  # fewer than four characters are no number
        "abcdefg",
        "[A-Z]{7}",
        r"\d{99}",
        r"\d{8,4}",
        r"\d{0}1234",
        r"[9-0]{7}",
        r"\d{1,9}\d{1,9}\d{1,9}",
        r"(\d+)+x",
        r"\1\d{7}",
        r"^\d{7}$",
        r"\d{7}(?=x)",
        "\\",
        "[",
        "a" * 90,
    ],
)
def test_patterns_that_cannot(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        check_pattern(pattern)


@given(st.text(alphabet=r"sd\[]{}()0-9A-Z?+*|.,_ /", max_size=30))
def test_whatever_is_accepted_is_matched_in_one_pass(pattern: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError:
        return
    compiled = re.compile(pattern)
    assert all(4 <= len(match.group()) <= MAX_MATCH for match in compiled.finditer("s12345678 AB-1234 " * 9))
    started = time.process_time()
    compiled.findall("0" * 20_000)
    assert time.process_time() - started < 2


# --- what follows ---------------------------------------------------------------------------------------------------


def test_personal_data_waits_for_a_person() -> None:
    verdict = decide(
        evidence(findings=(found(Code.PERSONAL_DATA, kind="telephone numbers", count=2, where="text"),)), UNIVERSITY
    )
    assert (verdict.refused, verdict.waiting_for) == (False, WaitingFor.REVIEW)
    reason = next(reason for reason in verdict.reasons if reason.rule == "personal-data-looked-at")
    assert "in its text: telephone numbers, 2 found" in reason.message


def test_a_public_label_is_a_note_with_its_name() -> None:
    verdict = decide(evidence(findings=(found(Code.PUBLIC_LABEL, label="Public", where="metadata"),)), UNIVERSITY)
    assert verdict.waiting_for is WaitingFor.APPROVAL
    assert any("means PUBLIC: Public" in reason.message for reason in verdict.reasons)


def test_a_label_that_is_not_public_refuses_by_name() -> None:
    verdict = decide(
        evidence(findings=(found(Code.MARKING, mark="sensitivity label Internal", where="metadata"),)), UNIVERSITY
    )
    assert verdict.refused
    assert "SENSITIVITY LABEL INTERNAL, found in its metadata" in verdict.reasons[0].message


def test_the_approver_is_told_what_was_there_by_kind_and_number() -> None:
    detail = {"people": 2, "serials": 1, "software": 3}
    verdict = decide(evidence(findings=(found(Code.IDENTIFYING_METADATA, **detail),)), UNIVERSITY)
    note = next(reason for reason in verdict.reasons if reason.rule == "identities-go")
    assert note.severity is Severity.NOTE
    assert note.message.endswith("; names of people: 2; serial numbers: 1; software and computers: 3).")


def test_words_in_pictures_are_read_where_the_policy_says_so(tmp_path: Path) -> None:
    reading = loaded(tmp_path, OVERLAY + "[pictures]\nread_text = true\n")
    assert reading.search.pictures
    assert reading.sha256 != UNIVERSITY.sha256
    assert "read and searched" in show_policy(reading)
    base = tmp_path / "shipped"
    base.mkdir()
    (base / "university.toml").write_text(WHOLE.replace("read_text = false", "read_text = true"))
    (tmp_path / "policy.toml").write_text(OVERLAY + "[pictures]\nread_text = false\n")
    with pytest.raises(Misuse, match="leave words in pictures unread"):
        load_policy(tmp_path / "policy.toml", shipped=base)
    (tmp_path / "policy.toml").write_text(OVERLAY)
    assert load_policy(tmp_path / "policy.toml", shipped=base).search.pictures


def test_what_could_not_be_read_waits_for_a_person() -> None:
    verdict = decide(evidence(findings=(found(Code.TEXT_UNREAD, problem="what reads them gave up"),)), UNIVERSITY)
    assert (verdict.refused, verdict.waiting_for) == (False, WaitingFor.REVIEW)

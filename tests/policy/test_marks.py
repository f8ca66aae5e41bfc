"""Protective markings in names and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import UNIVERSITY
from transfer.model.marks import find_marks

MARKS = UNIVERSITY.marks


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("CONFIDENTIAL", "confidential"),
        ("This is confidential.", "confidential"),
        ("official sensitive", "official-sensitive"),
        ("OFFICIAL_SENSITIVE", "official-sensitive"),
        ("Official\u2011Sensitive", "official-sensitive"),
        ("NOT\nFOR  PUBLICATION", "not for publication"),
        ("ＣＯＮＦＩＤＥＮＴＩＡＬ", "confidential"),
        ("CONFI\u200bDENTIAL", "confidential"),
        ("C\u034fON\ufe0fFI\u3164DEN\u00adTIAL", "confidential"),
        ("C\u0332O\u0332N\u0332FIDÉNTIAL", "confidential"),
        ("CONFIDENTIAL2024 or CONFIDENTIAL 2024", "confidential"),
        ("marked SECRET today", "SECRET"),
        ("DRAFT_3", "DRAFT"),
        ("Commercial-in-Confidence", "commercial in confidence"),
        ("For internal use only", "for internal use"),
        ("under embargo until noon", "under embargo"),
        ("TLP:AMBER+STRICT", "tlp:amber"),
        ("(tlp: red)", "tlp:red"),
        ("Working draft, version 2", "working draft"),
        ("CLASSIFIED", "CLASSIFIED"),
    ],
)
def test_found(text: str, mark: str) -> None:
    assert mark in find_marks(text, MARKS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "confidentiality",
        "a secret garden",
        "The internal courtyard in spring",
        "Draft beer and pizza after the talk",
        "first draft",
        "restricted area",
        "XDRAFT",
        "classified ads of 1890",
        "Our staff only use bicycles",
        "not for the faint-hearted",
        "Official video",
        "TLP:CLEAR",
        "An embargo of 1807",
        "public release",
        "We share confidence and joy",
        "Do not share your password",
        "a private view of the museum",
    ],
)
def test_not_found(text: str) -> None:
    assert find_marks(text, MARKS) == ()


def test_in_a_name_case_does_not_count() -> None:
    assert find_marks("a secret garden", MARKS, names=True) == ("SECRET",)
    assert find_marks("Draft-2", MARKS, names=True) == ("DRAFT",)


def test_no_marks_no_findings() -> None:
    assert find_marks("CONFIDENTIAL", ()) == ()
    assert find_marks("anything", ("", " ", "--")) == ()


@given(st.text(), st.lists(st.text(max_size=8), max_size=4).map(tuple))
def test_any_text_against_any_marks(text: str, marks: tuple[str, ...]) -> None:
    assert set(find_marks(text, marks)) <= set(marks)
    assert set(find_marks(text, marks)) <= set(find_marks(text, marks, names=True))


@given(st.sampled_from(MARKS), st.text(alphabet=" .,-_!\n", max_size=5), st.text(alphabet=" .,-_!\n", max_size=5))
def test_a_mark_between_punctuation_is_found(mark: str, before: str, after: str) -> None:
    assert mark in find_marks(f"word {before}{mark}{after} word", MARKS)

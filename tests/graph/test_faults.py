"""Answers that are not what was hoped for, as errors with a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import Unavailable
from transfer.graph.faults import (
    Changed,
    Conflict,
    Denied,
    Gone,
    GraphFault,
    MalwareBlocked,
    NoRoom,
    NotThere,
    RangeWrong,
    error_codes,
    fault_of,
    retry_after,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def body(code: str, **inner: object) -> bytes:
    return json.dumps({"error": {"code": code, "message": "/drives/x/sam's secret.jpg is locked", **inner}}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Denied), (403, Denied), (404, NotThere), (409, Conflict), (410, Gone), (412, Changed), (416, RangeWrong),
     (507, NoRoom), (429, GraphFault), (500, GraphFault), (302, GraphFault), (400, GraphFault)],
)  # fmt: skip
def test_each_status_has_its_class_and_its_sentence(status: int, kind: type[GraphFault]) -> None:
    fault = fault_of("item", status, {"location": "https://next.test/"}, body("someCode"), now=NOW)
    assert type(fault) is kind
    assert (fault.status, fault.code, fault.location) == (status, "someCode", "https://next.test/")
    assert str(fault).startswith(f"OneDrive answered {status} (someCode) to `item`.")
    assert "secret" not in str(fault)
    assert isinstance(fault, Unavailable)


def test_malware_is_told_whatever_else_the_answer_says() -> None:
    fault = fault_of("content", 403, {}, body("accessDenied", innerError={"code": "malwareDetected"}), now=NOW)
    assert isinstance(fault, MalwareBlocked)
    assert fault.clauses == ("G9",)


def test_the_innermost_code_is_the_one_to_decide_by() -> None:
    assert error_codes(body("gone", innererror={"code": "resyncApplyDifferences"})) == (
        "gone",
        "resyncApplyDifferences",
    )


@given(st.binary(), st.integers(100, 599), st.dictionaries(st.sampled_from(["retry-after", "location"]), st.text()))
def test_any_answer_makes_a_fault(answer: bytes, status: int, headers: dict[str, str]) -> None:
    fault = fault_of("item", status, headers, answer, now=NOW)
    assert fault.retry_after is None or 0 <= fault.retry_after <= 86_400


@given(st.text(max_size=40))
def test_a_code_is_a_word_or_none(code: str) -> None:
    assert all(found.isascii() and found == code for found in error_codes(body(code)))


@pytest.mark.parametrize("answer", [b"<html>Bad gateway</html>", b"[]", b'{"error": "x"}', b'{"error": {"code": 5}}',
                                    b"[" * 50_000, b"\xff"])  # fmt: skip
def test_a_body_that_is_no_error_has_no_code(answer: bytes) -> None:
    assert error_codes(answer) == ()


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after({"retry-after": "12"}, NOW) == 12
    assert retry_after({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, NOW) == 90
    assert retry_after({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, NOW) == 0
    assert retry_after({"retry-after": "99999999"}, NOW) == 86_400
    for nothing in ("", "soon", "-1", "١٢", "1e9", "NaN"):
        assert retry_after({"retry-after": nothing}, NOW) is None

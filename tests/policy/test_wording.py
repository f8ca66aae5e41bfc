"""Sentences from templates: what loads, what is filled, and that nothing a sandbox says breaks one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.evidence import UNIVERSITY, details
from transfer.policy.wording import check_template, fill, limit_words, printable, say_bytes, say_seconds

KNOWN = limit_words(UNIVERSITY.limits, UNIVERSITY.formats)


@pytest.mark.parametrize(
    ("template", "detail", "sentence"),
    [
        ("Too large[: it has {bytes:bytes}].", {"bytes": 52_400_000}, "Too large: it has 52.4 MB."),
        ("Too large[: it has {bytes:bytes}].", {}, "Too large."),
        ("Too large[: {a} of {b}].", {"a": 1}, "Too large."),
        ("Of this kind[ ({suffix})].", {"suffix": ""}, "Of this kind."),
        ("At most {limit_image}.", {}, "At most 50 MB."),
        ("[At most {limit_time}.]", {}, "At most 10 minutes."),
        ("[{seconds:seconds}]", {"seconds": 3725}, "62 minutes 5 seconds"),
        ("[{ms:milliseconds}]", {"ms": 61_999}, "1 minute 1 second"),
        ("[{pixels:count}]", {"pixels": 1234567}, "1,234,567"),
        ("[{mark:capitals}]", {"mark": "top secret"}, "TOP SECRET"),
        ("[{width:count}]", {"width": "wide"}, "wide"),
        ("[{x}]", {"x": "a\x1b[2J\u202eb\nc"}, "a?[2J?b?c"),
    ],
)
def test_filled(template: str, detail: dict[str, str | int], sentence: str) -> None:
    assert fill(check_template(template), detail, KNOWN) == sentence


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "1 to 600"),
        ("x" * 601, "1 to 600"),
        ("two\nlines", "one line"),
        ("red \x1b[31m", "one line"),
        ("It is {mark}.", "square brackets"),
        ("It is [one [two]].", "pairs"),
        ("It is ].", "pairs"),
        ("It is [{bytes:megabytes}].", "no form «megabytes»"),
        ("It is {Limit}.", "curly brackets"),
        ("It is {.", "curly brackets"),
        ("It is {limit_image.real}.", "curly brackets"),
    ],
)
def test_a_template_that_does_not_load(template: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_template(template)


@given(st.text(max_size=60), details)
def test_any_template_gives_a_sentence(template: str, detail: dict[str, str | int]) -> None:
    assert isinstance(fill(template, detail, KNOWN), str)


@given(details)
def test_what_is_filled_in_is_printable(detail: dict[str, str | int]) -> None:
    template = "".join(f"[{{{key}}}]" for key in detail)
    assert fill(template, detail, KNOWN).isprintable()


@given(st.text(max_size=300) | st.integers(min_value=-(2**70), max_value=2**70))
def test_a_detail_is_short_and_printable(value: str | int) -> None:
    shown = printable(value)
    assert len(shown) <= 100
    assert all(" " <= character <= "~" or character == "…" for character in shown)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (4 * 10**9, "4 GB")]
)
def test_bytes(number: int, said: str) -> None:
    assert say_bytes(number) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 seconds"), (1, "1 second"), (60, "1 minute"), (61, "1 minute 1 second")]
)
def test_seconds(number: int, said: str) -> None:
    assert say_seconds(number) == said

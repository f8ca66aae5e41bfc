"""Identifiers, times, events' words and media types: one spelling each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import Misuse
from transfer.model.clock import parse_time, render_time
from transfer.model.identifiers import (
    item_id_from_entropy,
    parse_campaign_id,
    parse_device_id,
    parse_item_id,
    parse_person_id,
    parse_sha256,
    parse_source_id,
    person_id_from_entropy,
)
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format


@given(st.binary(min_size=5, max_size=5), st.binary(min_size=16, max_size=16))
def test_identifiers_from_entropy_are_well_formed_and_distinct(five: bytes, sixteen: bytes) -> None:
    item, person = item_id_from_entropy(five), person_id_from_entropy(sixteen)
    assert parse_item_id(item) == item
    assert parse_person_id(person) == person
    assert item_id_from_entropy(bytes([five[0] ^ 1]) + five[1:]) != item
    assert person_id_from_entropy(bytes([sixteen[0] ^ 1]) + sixteen[1:]) != person


def test_entropy_of_another_length_makes_no_identifier() -> None:
    with pytest.raises(ValueError, match="5 bytes"):
        item_id_from_entropy(b"1234")
    with pytest.raises(ValueError, match="16 bytes"):
        person_id_from_entropy(b"1234")


@pytest.mark.parametrize(
    ("parse", "good", "bad"),
    [
        (
            parse_item_id,
            ["i-00000000", "i-7k3m9q2x"],
            ["i-7k3m9q2", "i-7K3M9Q2X", "i-ilouilou", "7k3m9q2x", "i-00000000\n"],
        ),
        (parse_person_id, ["u_" + "0a" * 16], ["u_" + "0A" * 16, "u_0", "sam"]),
        (
            parse_campaign_id,
            ["a", "open-day", "2026", "x" * 64],
            ["", "-a", "a-", "Open", "a b", "x" * 65, "a/b", "..", "a\n"],
        ),
        (parse_device_id, ["ipad"], ["i pad"]),
        (parse_source_id, ["sam"], ["sam_"]),
        (parse_sha256, ["0f" * 32], ["0F" * 32, "0f" * 31, "../" + "0f" * 32]),
    ],
)
def test_one_accepted_spelling(parse: Callable[[str], str], good: list[str], bad: list[str]) -> None:
    for text in good:
        assert parse(text) == text
    for text in bad:
        with pytest.raises(Misuse) as caught:
            parse(text)
        assert caught.value.advice


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)), st.integers(-12, 14))
def test_times_come_back_to_the_millisecond(moment: datetime, hours: int) -> None:
    here = moment.replace(tzinfo=timezone(timedelta(hours=hours)), microsecond=moment.microsecond // 1000 * 1000)
    if here.astimezone(UTC).year > 9998:
        return
    text = render_time(here)
    assert parse_time(text) == here
    assert render_time(parse_time(text)) == text
    assert len(text) == 24
    assert render_time(here + timedelta(milliseconds=1)) > text, "and sort as they follow each other"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000+00:00",
        "2026-13-01T00:00:00.000Z",
        "2026-01-01 00:00:00.000Z",
    ],
)
def test_other_spellings_of_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month"):
        parse_time(text)


def test_every_format_has_its_own_extensions() -> None:
    suffixes = [suffix for made in Format for suffix in made.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    assert {made.family for made in Format} == set(Family)
    assert Format.MOV.family is Family.VIDEO
    assert Format.SRT.family is Family.TEXT


def test_any_file_is_bounded_by_the_largest_limit() -> None:
    one = dict.fromkeys(("pixels", "total_pixels", "side", "frames", "seconds", "streams", "characters"), 1)
    assert MediaLimits(image_bytes=1, video_bytes=3, text_bytes=2, **one).any_bytes == 3

"""Advice about the platform: said of what it will not take, of nothing else, and never a reason to refuse."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given

from tests.policy.evidence import UNIVERSITY, evidence, media_facts
from transfer.model.findings import Code, Severity
from transfer.model.media import Format, MediaFacts, StreamFacts
from transfer.policy.decide import decide
from transfer.policy.fitness import unfitness

PLATFORM = UNIVERSITY.platform
FILM = MediaFacts(
    format=Format.MP4,
    width=1080,
    height=1920,
    frames=300,
    duration_ms=10_000,
    streams=(StreamFacts(kind="video", codec="h264"), StreamFacts(kind="audio", codec="aac")),
)
PICTURE = MediaFacts(format=Format.JPEG, width=1080, height=1350, frames=1)


def codes(media: MediaFacts, size: int = 0) -> list[Code]:
    return [finding.code for finding in unfitness(media, size, PLATFORM)]


@pytest.mark.parametrize(
    ("media", "changes", "code"),
    [
        (PICTURE, {"format": Format.PNG}, Code.PLATFORM_FORMAT),
        (PICTURE, {"format": Format.GIF}, Code.PLATFORM_FORMAT),
        (PICTURE, {"width": 359}, Code.PLATFORM_SIZE),
        (PICTURE, {"height": 4097}, Code.PLATFORM_SIZE),
        (FILM, {"streams": (StreamFacts(kind="video", codec="av1"),)}, Code.PLATFORM_CODEC),
        (FILM, {"width": 1920, "height": 1080}, Code.PLATFORM_SHAPE),
        (FILM, {"frames": 150}, Code.PLATFORM_RATE),
        (FILM, {"frames": 1200}, Code.PLATFORM_RATE),
        (FILM, {"duration_ms": 600_001, "frames": 18_000}, Code.PLATFORM_LENGTH),
    ],
)
def test_what_the_platform_does_not_take_is_said_once(media: MediaFacts, changes: dict[str, Any], code: Code) -> None:
    assert codes(media) == []
    assert codes(dataclasses.replace(media, **changes)) == [code]


def test_the_limits_may_just_be_reached() -> None:
    assert codes(dataclasses.replace(PICTURE, width=360, height=4096)) == []
    assert codes(dataclasses.replace(FILM, frames=239, duration_ms=10_000)) == []  # 23.976 a second, cut to a frame
    assert codes(dataclasses.replace(FILM, frames=601, duration_ms=10_000)) == []
    assert codes(PICTURE, 20_000_000) == []
    assert codes(PICTURE, 20_000_001) == [Code.PLATFORM_BYTES]
    assert codes(FILM, 20_000_001) == []


def test_heic_and_mov_leave_as_something_that_it_takes() -> None:
    assert codes(dataclasses.replace(PICTURE, format=Format.HEIC)) == []
    assert codes(dataclasses.replace(FILM, format=Format.MOV)) == []


def test_the_advice_stands_in_the_verdict_and_holds_up_nothing() -> None:
    lying = dataclasses.replace(FILM, width=1920, height=1080)
    verdict = decide(evidence(media=lying), UNIVERSITY)
    assert not verdict.refused
    said = next(reason for reason in verdict.reasons if reason.rule == "platform-shows-upright")
    assert said.severity is Severity.NOTE
    assert "1,920 by 1,080" in said.message


@given(media=media_facts)
def test_it_is_total_and_no_platform_means_no_advice(media: MediaFacts) -> None:
    assert list(unfitness(media, 0, None)) == []
    list(unfitness(media, 10**12, PLATFORM))

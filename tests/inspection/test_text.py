"""Captions and subtitles: strict encoding and syntax, and no programs in disguise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.probing import LIMITS, refused, understood
from transfer.inspection.decode_text import decode_text
from transfer.inspection.noticed import Unfit
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.search import Search


@pytest.mark.parametrize(
    "words",
    [
        "Hello",
        "a",
        "\N{PARTY POPPER}",
        "\ufeffwith a mark of its byte order",
        "Zeile\r\nZeile\r\n",
        "x < y > z & #!no",
        "C# or F#?",
    ],
)
def test_a_caption(words: str) -> None:
    facts, findings = understood(words.encode(), ".txt")
    assert facts.format is Format.TEXT
    assert facts.characters == len(words.removeprefix("\ufeff"))
    assert findings == {}


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\nrm -rf ~\n",
        b"#! just like that",
        b"<?php system($_GET['c']);",
        b"<html><body>hi</body></html>",
        b"hello <ScRiPt src=//x>",
        b"hello < script >",
        b"<!DOCTYPE html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<img src=x onerror=alert(1)>",
        b"click javascript:alert(1)",
        b"@echo off\ndel c:",
        b"[InternetShortcut]\nURL=http://x\n",
        b"{\\rtf1 hello}",
        samples.program(),
        b"\x7fELF\x02\x01\x01",
    ],
)
def test_a_program_or_markup_is_no_caption(content: bytes) -> None:
    assert refused(content, ".txt") is Code.TEXT_IS_PROGRAM


def test_markup_far_behind_the_beginning_is_found() -> None:
    assert refused(b"words " * 3_000 + b"<script>", ".txt", characters=100_000) is Code.TEXT_IS_PROGRAM


@pytest.mark.parametrize(
    "content",
    [
        "Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n".encode("latin-1"),
        "Hello".encode("utf-16"),
        b"bell\x07",
        b"\xed\xa0\x80",
    ],
)
def test_other_encodings_are_refused(content: bytes) -> None:
    assert refused(content, ".txt") in {Code.TEXT_ENCODING, Code.TYPE_MISMATCH}


def test_limits_of_characters_and_bytes() -> None:
    assert understood(b"x" * 2_200, ".txt")[0].characters == 2_200
    assert refused(b"x" * 2_201, ".txt") is Code.TEXT_TOO_LONG
    assert refused(b"x" * 50_001, ".txt") is Code.TOO_LARGE


def test_blank_text_is_empty() -> None:
    assert refused(b" \n\t\n", ".txt") is Code.EMPTY
    assert refused("\u200b\u2060\ufeff \u00ad\n".encode(), ".txt") is Code.EMPTY


def test_subtitles() -> None:
    facts, _ = understood(samples.srt(["one", "two", "three"]), ".srt")
    assert (facts.format, facts.duration_ms) == (Format.SRT, 6_000)
    facts, _ = understood(samples.vtt(), ".vtt")
    assert (facts.format, facts.duration_ms) == (Format.VTT, 4_000)
    crlf = b"\xef\xbb\xbf" + samples.srt().replace(b"\n", b"\r\n")
    assert understood(crlf, ".srt")[0].duration_ms == 4_000


def test_vtt_with_notes_styles_and_cue_names() -> None:
    content = (
        "WEBVTT - open day\n\nNOTE made\nby hand\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:00.000 --> 00:01.500 align:start\n<v Sam>Hello</v>\n\n01:00:00.000 --> 01:00:01.000\nlate\n"
    )
    assert understood(content.encode(), ".vtt", seconds=4_000)[0].duration_ms == 3_601_000
    assert refused(content.encode(), ".vtt") is Code.TOO_LONG


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (b"just words", ".srt"),
        (b"1\n00:00:01,000 -> 00:00:02,000\nx\n", ".srt"),
        (b"1\n00:00:03,000 --> 00:00:02,000\nx\n", ".srt"),
        (b"1\n00:61:00,000 --> 00:62:00,000\nx\n", ".srt"),
        (samples.vtt(), ".srt"),
        (samples.srt(), ".vtt"),
        (b"WEBVTTX\n\n00:00.000 --> 00:01.000\nx\n", ".vtt"),
        (b"WEBVTT\n\nno times\n", ".vtt"),
    ],
)
def test_broken_subtitles(content: bytes, suffix: str) -> None:
    assert refused(content, suffix) is Code.UNDECODABLE


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    st.sampled_from([Format.TEXT, Format.SRT, Format.VTT]),
)
def test_any_bytes_are_facts_or_unfit(content: bytes, form: Format) -> None:
    try:
        facts, _ = decode_text(content, form=form, limits=LIMITS, search=Search(marks=("SECRET",)))
    except Unfit:
        return
    assert facts.characters == len(content.decode("utf-8-sig"))

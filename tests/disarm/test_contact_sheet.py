"""Contact sheets: what they show, that they are plain JPEGs, and that a broken file costs only its own sheet."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from tests import samples
from tests.corpus.build.films import displayed, film
from tests.disarm.tools import LIMITS, remade
from tests.model.test_turn import TURNS
from transfer.disarm.contact_sheet import ALONE, PICTURES, draw_sheet, warm
from transfer.disarm.residue import prove
from transfer.model.findings import Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Films

warm()


def drawn(
    content: bytes, form: Format, *, limits: MediaLimits = LIMITS
) -> tuple[Image.Image | None, RebuildFacts | None, tuple[Finding, ...]]:
    clean, out = os.memfd_create("clean"), os.memfd_create("out")
    try:
        os.write(clean, content)
        facts, findings = draw_sheet(clean, out, format=form, limits=limits)
        if facts is None:
            return None, None, findings
        assert prove(out, format=Format.JPEG)[0] == ()
        picture = Image.open(io.BytesIO(os.pread(out, os.fstat(out).st_size, 0)))
        picture.load()
        return picture, facts, findings
    finally:
        os.close(clean)
        os.close(out)


def test_a_picture_is_shown_as_it_is_and_not_larger_than_a_screen() -> None:
    sheet, facts, _ = drawn(samples.jpeg(3200, 800), Format.JPEG)
    assert sheet is not None
    assert facts == RebuildFacts(format=Format.JPEG, width=1600, height=400, frames=1)
    assert sheet.size == (1600, 400)
    red, green, blue = sheet.getpixel((20, 20))
    assert red > 150 > 80 > max(green, blue)


def test_a_small_picture_is_not_blown_up() -> None:
    sheet, _, _ = drawn(samples.png(), Format.PNG)
    assert sheet is not None
    assert max(sheet.size) <= max(ALONE)
    assert sheet.size == Image.open(io.BytesIO(samples.png())).size


def test_an_animation_shows_several_pictures() -> None:
    sheet, facts, _ = drawn(samples.gif(frames=20), Format.GIF)
    assert sheet is not None
    assert facts is not None
    assert facts.frames == PICTURES


def test_a_film_shows_key_frames_over_its_length() -> None:
    sheet, facts, findings = drawn(samples.mp4(), Format.MP4)
    assert sheet is not None, findings
    assert facts is not None
    assert 1 <= facts.frames <= PICTURES


@pytest.mark.parametrize("turn", TURNS)
def test_a_film_is_drawn_as_players_show_it(turn: tuple[int, int, int, int]) -> None:
    """Also a mirrored one. What it should look like, FFmpeg's filters say: the same film, encoded anew upright."""
    original = displayed(film(frames=5, size=(160, 96)), *turn)
    sheets = [drawn(remade(original, Format.MP4, films=films)[0], Format.MP4)[0] for films in Films]
    assert sheets[0] is not None
    assert sheets[1] is not None
    assert sheets[0].size == sheets[1].size
    assert max(ImageStat.Stat(ImageChops.difference(*sheets)).mean) < 6


def test_there_is_no_picture_of_a_text() -> None:
    sheet, _, findings = drawn(samples.text(), Format.TEXT)
    assert sheet is None
    assert findings


def test_a_picture_beyond_the_limit_is_not_decoded() -> None:
    sheet, _, findings = drawn(samples.png(), Format.PNG, limits=dataclasses.replace(LIMITS, pixels=100))
    assert sheet is None
    assert findings


@pytest.mark.parametrize(
    ("form", "content"), [(Format.JPEG, samples.jpeg()), (Format.GIF, samples.gif()), (Format.WEBM, samples.webm())]
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_file_gives_a_sheet_or_a_finding(form: Format, content: bytes, data: st.DataObject) -> None:
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    sheet, facts, findings = drawn(bytes(broken[:cut]), form)
    assert (sheet is None) == (facts is None) == bool(findings)

"""Animations: every frame, its time and its place stay."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image, ImageSequence

from tests import samples
from tests.disarm.tools import LIMITS, refusal, remade
from transfer.model.findings import Code
from transfer.model.media import Format


def frames(content: bytes) -> list[tuple[bytes, float]]:
    """The composed frames as RGBA, and their times."""
    with Image.open(io.BytesIO(content)) as picture:
        return [
            (frame.convert("RGBA").tobytes(), float(frame.info.get("duration", 0)))
            for frame in ImageSequence.Iterator(picture)
        ]


def moving(number: int, *, mode: str = "RGBA", hole: bool = True) -> list[Image.Image]:
    """A small square that wanders over a ground, so that writers store partial frames."""
    pictures = []
    for step in range(number):
        picture = Image.new("RGBA", (90, 61), (20, 90, 160, 255))
        picture.paste((250, 200, 30, 255), (5 + step * 7, 9, 21 + step * 7, 30))
        if hole:
            picture.paste((0, 0, 0, 0), (50, 40 - step, 60, 50))
        pictures.append(picture.convert(mode))
    return pictures


def animated(form: str, pictures: list[Image.Image], **options: object) -> bytes:
    out = io.BytesIO()
    pictures[0].save(out, form, save_all=True, append_images=pictures[1:], **options)
    return out.getvalue()


TIMES = [70, 120, 200, 40, 1000]


@pytest.mark.parametrize("loop", [0, 3])
@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_a_gif_keeps_frames_times_loops_and_disposal(disposal: int, loop: int) -> None:
    original = animated("GIF", moving(5), duration=TIMES, loop=loop, disposal=disposal, comment=b"hello")
    made, facts = remade(original, Format.GIF)
    assert frames(made) == frames(original)
    assert facts.frames == 5
    assert facts.duration_ms == sum(TIMES)
    assert facts.removed == ("comment",)
    with Image.open(io.BytesIO(made)) as one, Image.open(io.BytesIO(original)) as other:
        assert one.info["loop"] == other.info["loop"] == loop


def test_a_gif_that_plays_once_still_does() -> None:
    made, _ = remade(animated("GIF", moving(3), duration=50), Format.GIF)
    assert b"NETSCAPE" not in made


def test_an_interlaced_gif_of_few_colours_keeps_its_pixels() -> None:
    out = io.BytesIO()
    samples.picture(97, 53).quantize(5).save(out, "GIF", interlace=1)
    made, _ = remade(out.getvalue(), Format.GIF)
    assert [pixels for pixels, _ in frames(made)] == [pixels for pixels, _ in frames(out.getvalue())]


@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_an_animated_png_keeps_frames_times_and_loops(disposal: int, blend: int) -> None:
    original = animated("PNG", moving(5), duration=TIMES, loop=2, disposal=disposal, blend=blend)
    made, facts = remade(original, Format.PNG)
    assert frames(made) == frames(original)
    assert (facts.frames, facts.duration_ms) == (5, sum(TIMES))
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.info["loop"] == 2


def test_an_animated_png_with_a_default_picture_keeps_both() -> None:
    original = animated("PNG", moving(4, hole=False), duration=100, default_image=True)
    made, facts = remade(original, Format.PNG)
    assert frames(made) == frames(original)
    assert facts.frames == 3


def test_an_animated_palette_png_keeps_its_colours() -> None:
    palette = moving(4, mode="RGB", hole=False)[0].quantize(8)
    original = animated("PNG", [each.quantize(palette=palette) for each in moving(4, mode="RGB", hole=False)])
    made, _ = remade(original, Format.PNG)
    assert [pixels for pixels, _ in frames(made)] == [pixels for pixels, _ in frames(original)]


@pytest.mark.parametrize("alpha", [False, True])
def test_a_lossless_animated_webp_keeps_every_pixel(alpha: bool) -> None:
    pictures = moving(5, mode="RGBA" if alpha else "RGB", hole=alpha)
    original = animated("WEBP", pictures, duration=TIMES, loop=4, lossless=True, exif=samples.exif_block())
    made, facts = remade(original, Format.WEBP)
    assert frames(made) == frames(original)
    assert (facts.frames, facts.duration_ms) == (5, sum(TIMES))
    assert {"EXIF", "GPS"} <= set(facts.removed)
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.info["loop"] == 4


def test_a_lossy_animated_webp_keeps_frames_and_times() -> None:
    original = animated("WEBP", moving(5), duration=TIMES, quality=80)
    made, facts = remade(original, Format.WEBP, quality=90)
    assert [time for _, time in frames(made)] == [time for _, time in frames(original)]
    assert facts.frames == 5
    for (one, _), (other, _) in zip(frames(made), frames(original), strict=True):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one) < 3


@pytest.mark.parametrize("form", [Format.GIF, Format.PNG, Format.WEBP])
def test_limits_of_animations(form: Format) -> None:
    original = animated(form.name, moving(5), duration=50)
    assert refusal(original, form, limits=replace(LIMITS, frames=4)).code is Code.TOO_MANY_FRAMES
    assert refusal(original, form, limits=replace(LIMITS, pixels=5_000)).code is Code.TOO_MANY_PIXELS
    small = refusal(original, form, limits=replace(LIMITS, total_pixels=5_600))
    assert small.code is Code.TOO_MANY_PIXELS


def test_an_animation_that_is_stored_turned_is_refused() -> None:
    for form in (Format.PNG, Format.WEBP):
        original = animated(form.name, moving(3), duration=50, exif=samples.exif_block(orientation=6))
        assert "upright" in str(refusal(original, form).detail["why"])


def test_what_stands_behind_a_gif_is_named() -> None:
    _, facts = remade(samples.trailed(samples.gif()), Format.GIF)
    assert facts.removed == ("comment", "trailing data of 33 bytes")

"""Still pictures: the same to the eye, and nothing else."""

from __future__ import annotations

import io
import math
import struct

import pytest
from PIL import Image, ImageCms, ImageOps, ImageStat

from tests import samples
from tests.disarm.tools import LIMITS, refusal, remade
from transfer.model.findings import Code
from transfer.model.media import Format


def opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal to noise in decibels, over all channels."""
    from PIL import ImageChops

    assert one.size == other.size
    difference = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB")))
    error = sum(difference.sum2) / (3 * one.width * one.height)
    return 99.0 if not error else 10 * math.log10(255**2 / error)


def visible(picture: Image.Image) -> bytes:
    """The pixels as seen: what is fully transparent has no colour."""
    rgba = picture.convert("RGBA")
    bare = Image.new("RGBA", rgba.size)
    bare.paste(rgba, mask=rgba.getchannel("A").point([0] + [255] * 255))
    return bare.tobytes()


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", [Format.JPEG, Format.HEIC])
def test_the_picture_is_turned_upright(form: Format, orientation: int) -> None:
    make = samples.jpeg if form is Format.JPEG else samples.heic
    original = make(240, 160, orientation=orientation)
    made, facts = remade(original, form, quality=95)
    result = opened(made)
    assert result.format == "JPEG"
    assert (facts.width, facts.height) == result.size
    assert psnr(ImageOps.exif_transpose(opened(original)), result) > 35
    assert 0x0112 not in result.getexif()


def test_a_webp_and_a_png_are_turned_upright_too() -> None:
    for form, name in ((Format.PNG, "PNG"), (Format.WEBP, "WEBP"), (Format.AVIF, "AVIF")):
        original = saved(samples.picture(240, 160), name, exif=samples.exif_block(orientation=6), quality=95)
        result = opened(remade(original, form, quality=95)[0])
        assert result.size == (160, 240)
        assert psnr(ImageOps.exif_transpose(opened(original)), result) > 35


def test_a_jpeg_names_what_it_lost_and_looks_the_same() -> None:
    original = samples.trailed(samples.jpeg(xmp=True, icc=True, comment="hello"), b"PK tail")
    original = samples.jpeg_with_segment(0xEB, samples.content_credentials(), original)
    made, facts = remade(original, Format.JPEG, quality=90)
    assert set(facts.removed) == {
        "EXIF", "GPS", "XMP", "comment", "content credentials", "trailing data of 7 bytes",
    }  # fmt: skip
    assert psnr(opened(original), opened(made)) > 38
    assert facts.frames == 1
    for secret in (samples.CAMERA, samples.AUTHOR, samples.COMMENT, "hello", "PK tail"):
        assert secret.encode() not in made


@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_the_chroma_subsampling_of_the_source_is_kept(sampling: int) -> None:
    from PIL import JpegImagePlugin

    original = saved(samples.picture(), "JPEG", subsampling=sampling)
    assert JpegImagePlugin.get_sampling(opened(remade(original, Format.JPEG)[0])) == sampling


def test_a_better_quality_makes_a_better_picture() -> None:
    original = samples.jpeg(quality=95)
    low, high = (remade(original, Format.JPEG, quality=quality)[0] for quality in (40, 95))
    assert len(low) < len(high)
    assert psnr(opened(original), opened(low)) < psnr(opened(original), opened(high))


def test_a_decoded_picture_gives_the_same_bytes() -> None:
    for form, original in ((Format.JPEG, samples.jpeg(orientation=8, icc=True)), (Format.PNG, samples.png(icc=True))):
        assert remade(original, form, decoded=opened(original))[0] == remade(original, form)[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_keeps_its_mode_and_every_pixel(mode: str) -> None:
    picture = samples.picture(mode="RGB").convert("LA" if mode == "LA" else mode if mode != "I;16" else "I;16")
    if mode in {"LA", "RGBA"}:
        picture.putalpha(samples.picture(mode="RGBA").getchannel("A"))
    original = saved(picture, "PNG")
    made, _ = remade(original, Format.PNG)
    result = opened(made)
    assert result.mode == opened(original).mode == mode
    assert visible(result) == visible(opened(original)) if mode != "I;16" else result.tobytes() == picture.tobytes()


def test_a_palette_with_transparency_stays_one() -> None:
    picture = samples.picture(mode="RGB").quantize(16)
    original = saved(picture, "PNG", transparency=bytes([0, 128] + [255] * 14))
    made, _ = remade(original, Format.PNG)
    assert opened(made).mode == "P"
    assert opened(made).convert("RGBA").tobytes() == opened(original).convert("RGBA").tobytes()


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (200, 16, 16)), ("L", 96)])
def test_one_transparent_colour_becomes_alpha(mode: str, colour: object) -> None:
    picture = samples.picture(mode="RGB").convert(mode)
    picture.paste(colour, (0, 0, 40, 40))
    original = saved(picture, "PNG", transparency=colour)
    made, _ = remade(original, Format.PNG)
    assert visible(opened(made)) == visible(opened(original))
    assert opened(made).getpixel((5, 5))[-1] == 0


def test_sixteen_bits_of_colour_become_eight_and_it_is_said() -> None:
    import zlib

    from tests.samples import png_claiming

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    lines = b"".join(b"\0" + struct.pack(">24H", *(1000 * (x + y) for x in range(24))) for y in range(8))
    original = png_claiming(1, 1)[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )
    made, facts = remade(original, Format.PNG)
    assert "16-bit depth" in facts.removed
    assert opened(made).tobytes() == opened(original).tobytes()


def test_a_gamma_that_is_not_usual_is_kept() -> None:
    from PIL import PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100_000))
    original = saved(samples.picture(), "PNG", pnginfo=chunks)
    assert opened(remade(original, Format.PNG)[0]).info["gamma"] == pytest.approx(1.0)


def test_what_was_rubbed_out_stays_rubbed_out() -> None:
    picture = samples.picture(mode="RGB").convert("RGBA")
    picture.paste((1, 2, 3, 0), (10, 10, 50, 50))
    made, facts = remade(saved(picture, "PNG"), Format.PNG)
    assert "colour beneath full transparency" in facts.removed
    assert opened(made).getpixel((20, 20)) == (0, 0, 0, 0)
    assert opened(made).getpixel((100, 100)) == picture.getpixel((100, 100))


@pytest.mark.parametrize("alpha", [False, True])
def test_a_lossless_webp_stays_lossless(alpha: bool) -> None:
    original = samples.webp(lossless=True, alpha=alpha)
    made, facts = remade(original, Format.WEBP)
    assert visible(opened(made)) == visible(opened(original))
    assert {"EXIF", "GPS"} <= set(facts.removed)


def test_a_lossy_webp_stays_small_and_keeps_its_alpha() -> None:
    original = samples.webp(640, 480, alpha=True)
    made, _ = remade(original, Format.WEBP, quality=90)
    assert len(made) < 3 * len(original)
    assert opened(made).getchannel("A").getextrema() == opened(original).getchannel("A").getextrema()
    assert psnr(opened(original), opened(made)) > 30


def test_an_avif_stays_one() -> None:
    original = samples.avif()
    made, facts = remade(original, Format.AVIF)
    assert facts.format is Format.AVIF
    assert psnr(opened(original), opened(made)) > 35
    assert {"EXIF", "GPS"} <= set(facts.removed)


def test_an_avif_with_alpha_keeps_it() -> None:
    original = saved(samples.picture(mode="RGBA"), "AVIF", quality=90)
    assert opened(remade(original, Format.AVIF)[0]).getchannel("A").getextrema() == (0, 255)


def test_only_the_first_picture_of_an_avif_sequence_stays_and_it_is_said() -> None:
    made, facts = remade(samples.avif(frames=3), Format.AVIF)
    assert "2 further pictures" in facts.removed
    assert getattr(opened(made), "n_frames", 1) == 1


def test_a_heic_becomes_a_jpeg() -> None:
    original = samples.heic()
    made, facts = remade(original, Format.HEIC, quality=95)
    assert facts.format is Format.JPEG
    assert {"EXIF", "GPS"} <= set(facts.removed)
    assert psnr(opened(original), opened(made)) > 38


@pytest.mark.parametrize(
    ("form", "make"), [(Format.JPEG, samples.jpeg), (Format.PNG, samples.png)], ids=["jpeg", "png"]
)
def test_a_simple_colour_profile_is_kept_in_effect_and_without_its_texts(form: Format, make: object) -> None:
    original = make(icc=True)
    made, _ = remade(original, form)
    profile = opened(made).info["icc_profile"]
    assert b"sRGB" not in profile
    assert profile != samples.colour_profile()
    lab = ImageCms.createProfile("LAB")
    picture = samples.picture(64, 64)
    before, after = (
        ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(io.BytesIO(each)), lab, outputMode="LAB").tobytes()
        for each in (samples.colour_profile(), profile)
    )
    assert max(abs(one - other) for one, other in zip(before, after, strict=True)) <= 1


def test_a_cmyk_jpeg_becomes_srgb_without_a_profile() -> None:
    original = samples.jpeg(mode="CMYK", icc=False)
    made, _ = remade(original, Format.JPEG, quality=95)
    assert opened(made).mode == "RGB"
    assert psnr(opened(original).convert("RGB"), opened(made)) > 35


def test_a_grey_jpeg_stays_grey() -> None:
    assert opened(remade(samples.jpeg(mode="L"), Format.JPEG)[0]).mode == "L"


def test_a_broken_colour_profile_is_dropped() -> None:
    broken = samples.colour_profile()[:200].ljust(400, b"\xff")
    made, _ = remade(saved(samples.picture(), "JPEG", icc_profile=broken), Format.JPEG)
    assert "icc_profile" not in opened(made).info


def test_a_profile_of_tables_is_applied_to_the_pixels() -> None:
    lab_like = bytearray(samples.colour_profile())
    place = lab_like.index(b"cprt")
    lab_like[place : place + 4] = b"A2B0"  # a profile that says it has a table cannot be kept by its matrix
    made, _ = remade(saved(samples.picture(), "JPEG", icc_profile=bytes(lab_like)), Format.JPEG)
    assert "icc_profile" not in opened(made).info


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("form", "make"),
    [
        (Format.JPEG, lambda: samples.jpeg(exif=False)),
        (Format.PNG, samples.png),
        (Format.WEBP, samples.webp),
        (Format.GIF, samples.gif),
        (Format.HEIC, samples.heic),
        (Format.AVIF, samples.avif),
    ],
    ids=["jpeg", "png", "webp", "gif", "heic", "avif"],
)
def test_half_a_picture_is_no_picture(form: Format, make: object, part: float) -> None:
    assert refusal(samples.truncated(make(), part), form).code is Code.REBUILD_FAILED


def test_limits_hold_before_decoding() -> None:
    assert refusal(samples.png_claiming(60_000, 60_000), Format.PNG).code is Code.TOO_MANY_PIXELS
    assert refusal(samples.png_claiming(9_000, 9_000), Format.PNG).code is Code.TOO_MANY_PIXELS
    from dataclasses import replace

    assert refusal(samples.jpeg(), Format.JPEG, limits=replace(LIMITS, image_bytes=100)).code is Code.TOO_LARGE


def test_a_file_of_another_format_is_refused() -> None:
    assert refusal(samples.png(), Format.JPEG).code is Code.REBUILD_FAILED
    assert refusal(b"", Format.JPEG).code is Code.REBUILD_FAILED


@pytest.mark.parametrize("form", [Format.PNG, Format.WEBP, Format.GIF])
def test_rebuilding_twice_changes_nothing_more(form: Format) -> None:
    make = {
        Format.PNG: samples.png,
        Format.WEBP: lambda: samples.webp(lossless=True),
        Format.GIF: lambda: samples.gif(frames=3),
    }[form]
    once, _ = remade(make(), form)
    again, facts = remade(once, form)
    assert again == once
    assert facts.removed == ()


def test_only_the_first_picture_of_several_in_a_jpeg_stays() -> None:
    original = saved(
        samples.picture(), "MPO", save_all=True, append_images=[samples.picture(shift=3)], exif=samples.exif_block()
    )
    for options in ({}, {"decoded": opened(original)}):
        made, facts = remade(original, Format.JPEG, quality=95, **options)
        assert {"EXIF", "further pictures"} <= set(facts.removed)
        assert made.count(b"\xff\xd8\xff") == 1
        assert psnr(opened(made), samples.picture()) > 35


def test_a_motion_photo_loses_its_film() -> None:
    made, facts = remade(samples.trailed(samples.jpeg(), samples.mp4(0.2)), Format.JPEG)
    assert any(name.startswith("trailing data of") for name in facts.removed)
    assert b"ftyp" not in made

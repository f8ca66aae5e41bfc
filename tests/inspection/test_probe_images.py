"""Pictures: what is found out about them, and the limits that hold before they are decoded."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests import samples
from tests.inspection.probing import probed, refused, understood
from transfer.model.findings import Code
from transfer.model.media import Format

BARE = {
    ".jpg": samples.jpeg(exif=False),
    ".png": samples.png(text={}),
    ".webp": samples.webp(exif=False),
    ".gif": samples.gif(comment=""),
    ".heic": samples.heic(exif=False),
    ".avif": samples.avif(exif=False),
}
LADEN = {
    ".jpg": samples.jpeg(xmp=True, icc=True, comment=samples.COMMENT),
    ".png": samples.png(exif=True, icc=True),
    ".webp": samples.webp(xmp=True),
    ".heic": samples.heic(),
    ".avif": samples.avif(),
}


@pytest.mark.parametrize("suffix", BARE)
def test_a_picture_without_metadata_gives_no_finding(suffix: str) -> None:
    facts, findings = understood(BARE[suffix], suffix)
    assert facts.width > facts.height > 0
    assert facts.frames == 1
    assert findings == {}


@pytest.mark.parametrize("suffix", LADEN)
def test_metadata_and_place_are_found(suffix: str) -> None:
    _, findings = understood(LADEN[suffix], suffix)
    assert "EXIF" in str(findings[Code.METADATA]["kinds"])
    assert Code.LOCATION in findings
    assert samples.AUTHOR not in repr(findings)


def test_metadata_without_a_place() -> None:
    _, findings = understood(samples.jpeg(gps=False), ".jpg")
    assert set(findings) == {Code.METADATA, Code.IDENTIFYING_METADATA}


def test_a_place_in_xmp_is_a_place() -> None:
    packet = b"http://ns.adobe.com/xap/1.0/\0<x exif:GPSLatitude='51,45N'/>"
    assert Code.LOCATION in understood(samples.jpeg_with_segment(0xE1, packet), ".jpg")[1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_as_displayed(orientation: int) -> None:
    facts, _ = understood(samples.jpeg(640, 480, orientation=orientation), ".jpg")
    assert (facts.width, facts.height) == ((480, 640) if orientation > 4 else (640, 480))


def test_a_turned_heic() -> None:
    facts, _ = understood(samples.heic(orientation=6), ".heic")
    assert (facts.width, facts.height) == (240, 320)


@pytest.mark.parametrize(
    ("content", "suffix", "form"),
    [
        (samples.gif(frames=5), ".gif", Format.GIF),
        (samples.webp(frames=5), ".webp", Format.WEBP),
        (samples.avif(frames=5), ".avif", Format.AVIF),
    ],
)
def test_animations(content: bytes, suffix: str, form: Format) -> None:
    facts, _ = understood(content, suffix)
    assert (facts.format, facts.frames) == (form, 5)
    assert facts.duration_ms == (400 if form is Format.GIF else 500)
    assert refused(content, suffix, frames=4) is Code.TOO_MANY_FRAMES
    assert refused(content, suffix, total_pixels=facts.width * facts.height * 4) is Code.TOO_MANY_PIXELS


def test_an_animated_png() -> None:
    out = io.BytesIO()
    pictures = [samples.picture(64, 48, shift=number) for number in range(3)]
    pictures[0].save(out, "PNG", save_all=True, append_images=pictures[1:], duration=50)
    facts, _ = understood(out.getvalue(), ".png")
    assert (facts.frames, facts.duration_ms) == (3, 150)


@pytest.mark.parametrize("size", [(60_000, 60_000), (2_001, 2_000), (4_097, 10)])
def test_pixel_limits_hold_before_decoding(size: tuple[int, int]) -> None:
    # The data behind this header are 1,000 bytes: had it been decoded, it would be undecodable.
    assert refused(samples.png_claiming(*size), ".png") is Code.TOO_MANY_PIXELS


@pytest.mark.parametrize("suffix", BARE)
def test_pixel_limits_hold_for_every_format(suffix: str) -> None:
    width, height = Image.open(io.BytesIO(BARE[suffix])).size
    assert refused(BARE[suffix], suffix, pixels=width * height - 1) is Code.TOO_MANY_PIXELS
    assert understood(BARE[suffix], suffix, pixels=width * height)[0].width == width


def test_the_size_in_bytes_has_a_limit_of_its_family() -> None:
    content = samples.jpeg()
    assert refused(content, ".jpg", image_bytes=len(content) - 1) is Code.TOO_LARGE
    assert understood(content, ".jpg", image_bytes=len(content), video_bytes=1, text_bytes=1)


@pytest.mark.parametrize("suffix", BARE)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_picture_that_breaks_off_is_refused(suffix: str, part: float) -> None:
    assert refused(samples.truncated(BARE[suffix], part), suffix) in {Code.UNDECODABLE, Code.TYPE_UNKNOWN}


def test_a_header_alone_is_no_picture() -> None:
    assert refused(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01" + b"x" * 500, ".jpg") is Code.MALFORMED_STRUCTURE


def test_a_picture_with_a_zip_or_a_film_behind_it() -> None:
    _, findings = understood(samples.trailed(samples.png(text={})), ".png")
    assert findings[Code.SECOND_FILE] == {"looks": "zip", "where": "behind the end"}
    _, findings = understood(samples.trailed(samples.png(text={}), samples.mp4(0.2)), ".png")
    assert findings[Code.TRAILING_DATA]["looks"] == "video"


def test_further_pictures_in_a_jpeg_are_reported() -> None:
    out = io.BytesIO()
    first, second = samples.picture(64, 48), samples.picture(64, 48, shift=1)
    first.save(out, "MPO", save_all=True, append_images=[second])
    facts, findings = understood(out.getvalue(), ".jpg")
    assert (facts.format, facts.frames) == (Format.JPEG, 1)
    assert findings[Code.EXTRA_STREAM] == {"kind": "further pictures", "count": 1}


def test_content_credentials_are_recorded() -> None:
    content = samples.jpeg_with_segment(0xEB, samples.content_credentials())
    assert Code.CONTENT_CREDENTIALS in understood(content, ".jpg")[1]


def test_a_still_picture_is_kept_for_the_rebuild_and_an_animation_is_not() -> None:
    kept: list[object] = []
    understood(samples.jpeg(64, 48, orientation=6, icc=True), ".jpg", keep=kept.append)
    (image,) = kept
    assert isinstance(image, Image.Image)
    assert image.size == (64, 48)
    assert {"icc_profile", "exif"} <= set(image.info)
    assert image.convert("L").resize((1, 1)).getpixel((0, 0))
    understood(samples.gif(frames=3), ".gif", keep=kept.append)
    probed(samples.truncated(samples.jpeg()), ".jpg", keep=kept.append)
    assert len(kept) == 1


def test_grey_cmyk_and_palette_pictures() -> None:
    for content, suffix in (
        (samples.jpeg(mode="L", exif=False), ".jpg"),
        (samples.jpeg(mode="CMYK", exif=False), ".jpg"),
        (samples.png(mode="P", text={}), ".png"),
        (samples.png(mode="LA", text={}), ".png"),
    ):
        assert understood(content, suffix)[1] == {}

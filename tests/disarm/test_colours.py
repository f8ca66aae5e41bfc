"""Pictures of every depth and colour: what a viewer sees before and after, by a reference conversion and decibels."""

from __future__ import annotations

import io
import math
import struct
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from tests import samples
from tests.disarm.tools import remade
from transfer.disarm.colour import neutral_profile
from transfer.model.media import Format
from transfer.model.recipe import Colour

SIZE = (96, 64)
SRGB = ImageCms.createProfile("sRGB")


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Decibels, over white where one of them is transparent."""
    flat = [_flat(picture) for picture in (one, other)]
    squares = ImageStat.Stat(ImageChops.difference(*flat)).sum2
    error = sum(squares) / (3 * one.width * one.height)
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def _flat(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda value: value / 257).convert("L")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture.convert("RGBA"))
    return ground.convert("RGB")


def opened(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    picture.load()
    return picture


def seen(content: bytes) -> Image.Image:
    """As a viewer with colour management shows it: the profile applied."""
    picture = opened(content)
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture
    flat = picture.convert("L" if picture.mode == "L" else "RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(flat, source, SRGB, outputMode="RGB")
    assert shown is not None
    return shown


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def deep_png(kind: int, channels: int, *, interlaced: bool = False) -> bytes:
    """A PNG of 16 bits a channel; Pillow writes none but grey."""
    width, height = SIZE
    lines = b""
    for y in range(height):
        line = b"".join(
            struct.pack(
                ">H", (x * 683 + y * 257 * (channel + 1) + 90 * x * channel) % 65536 if channel < 3 else 65535 - y * 900
            )
            for x in range(width)
            for channel in range(channels)
        )
        lines += b"\0" + line
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )


def wide_profile() -> bytes:
    """A matrix profile with the primaries of Display P3, made of the sRGB one."""
    profile = bytearray(samples.colour_profile())
    (count,) = struct.unpack_from(">I", profile, 128)
    points = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    for number in range(count):
        name, at, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name in points:
            struct.pack_into(">3i", profile, at + 8, *(round(value * 65536) for value in points[name]))
    return bytes(profile)


def grey_profile(gamma: float = 1.8) -> bytes:
    """A grey profile with one curve, as scanners have it."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 8, 28) + "grey".encode("utf-16-be")
    body, table, at = b"", b"", 132 + 12 * 4
    for name, value in ((b"desc", text), (b"cprt", text), (b"wtpt", white), (b"kTRC", curve)):
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x04300000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head + bytes(48) + struct.pack(">I", 4) + table + body


PLAIN = samples.picture(*SIZE)
PALETTE = PLAIN.quantize(32)
SAME: dict[str, tuple[Format, bytes, float]] = {
    "grey": (Format.PNG, saved(PLAIN.convert("L"), "PNG"), 99),
    "16-bit grey": (Format.PNG, deep_png(0, 1), 99),
    "16-bit colour": (Format.PNG, deep_png(2, 3), 45),
    "16-bit grey and alpha": (Format.PNG, deep_png(4, 2), 40),
    "16-bit colour and alpha": (Format.PNG, deep_png(6, 4), 40),
    "one bit": (Format.PNG, saved(PLAIN.convert("1"), "PNG"), 99),
    "palette": (Format.PNG, saved(PALETTE, "PNG"), 99),
    "palette with one transparent colour": (Format.PNG, saved(PALETTE, "PNG", transparency=3), 99),
    "palette with half-transparent colours": (
        Format.PNG,
        saved(PALETTE, "PNG", transparency=bytes(range(0, 256, 8))),
        99,
    ),
    "grey with one transparent": (Format.PNG, saved(PLAIN.convert("L"), "PNG", transparency=100), 99),
    "colour with one transparent": (Format.PNG, saved(PLAIN, "PNG", transparency=PLAIN.getpixel((5, 5))), 99),
    "progressive": (Format.JPEG, saved(PLAIN, "JPEG", quality=92, progressive=True), 40),
    "grey JPEG": (Format.JPEG, saved(PLAIN.convert("L"), "JPEG", quality=92), 40),
    "CMYK": (Format.JPEG, saved(PLAIN.convert("CMYK"), "JPEG", quality=95), 38),
    "YCCK": (
        Format.JPEG,
        saved(PLAIN.convert("CMYK"), "JPEG", quality=95).replace(
            b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2", 1
        ),
        30,
    ),
    "broken profile": (Format.JPEG, saved(PLAIN, "JPEG", quality=92, icc_profile=b"no profile" * 40), 40),
    "half a profile": (Format.JPEG, saved(PLAIN, "JPEG", quality=92, icc_profile=wide_profile()[:300]), 40),
    "a profile for another kind of picture": (
        Format.JPEG,
        saved(PLAIN, "JPEG", quality=92, icc_profile=grey_profile()),
        40,
    ),
    "a Lab profile": (
        Format.JPEG,
        saved(PLAIN, "JPEG", quality=92, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()),
        40,
    ),
}  # fmt: skip


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("name", SAME)
def test_the_same_picture_is_seen(name: str, colour: Colour) -> None:
    form, original, least = SAME[name]
    made, facts = remade(original, form, quality=95, colour=colour)
    assert (facts.width, facts.height) == SIZE
    assert psnr(opened(original), opened(made)) >= least


def test_an_interlaced_picture_is_the_same() -> None:
    straight, woven = deep_png(2, 3), samples.png(alpha=False, text={})
    assert opened(straight).size == SIZE
    made, _ = remade(woven, Format.PNG)
    assert psnr(opened(woven), opened(made)) == 99


PROFILED = {
    "wide gamut": (Format.JPEG, saved(PLAIN, "JPEG", quality=95, icc_profile=wide_profile())),
    "wide gamut PNG": (Format.PNG, saved(PLAIN, "PNG", icc_profile=wide_profile())),
    "wide gamut WebP": (Format.WEBP, saved(PLAIN, "WEBP", lossless=True, icc_profile=wide_profile())),
    "grey": (Format.JPEG, saved(PLAIN.convert("L"), "JPEG", quality=95, icc_profile=grey_profile())),
    "grey PNG": (Format.PNG, saved(PLAIN.convert("L"), "PNG", icc_profile=grey_profile())),
}


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize("name", PROFILED)
def test_a_profile_is_kept_or_applied(name: str, colour: Colour) -> None:
    form, original = PROFILED[name]
    made, _ = remade(original, form, quality=97, colour=colour)
    assert ("icc_profile" in opened(made).info) is (colour is Colour.KEEP)
    assert psnr(seen(original), seen(made)) > 36
    assert psnr(seen(original), opened(original)) < 34, "this profile changes nothing: the test shows nothing"


def test_a_profile_is_applied_to_a_palette() -> None:
    plain = saved(PALETTE, "PNG", icc_profile=wide_profile())
    made, _ = remade(plain, Format.PNG, colour=Colour.SRGB)
    assert "icc_profile" not in opened(made).info
    assert psnr(seen(plain), opened(made)) > 40
    partly = saved(PALETTE, "PNG", icc_profile=wide_profile(), transparency=3)
    made, _ = remade(partly, Format.PNG, colour=Colour.SRGB)
    assert opened(made).convert("RGBA").getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_gamma_is_kept_or_applied(mode: str) -> None:
    """A picture stored as linear light looks right in a viewer that knows gAMA, and in any after `srgb`."""
    from PIL import PngImagePlugin

    meant = PLAIN.convert("L" if mode == "L" else "RGB")
    linear = meant.point([round(255 * (value / 255) ** 2.2) for value in range(256)] * len(meant.getbands()))
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", struct.pack(">I", 100_000))
    original = saved(linear.convert(mode) if mode != "P" else linear.quantize(64), "PNG", pnginfo=chunks)
    kept, _ = remade(original, Format.PNG)
    assert b"gAMA" in kept
    assert psnr(opened(original), opened(kept)) == 99
    applied, _ = remade(original, Format.PNG, colour=Colour.SRGB)
    assert b"gAMA" not in applied
    assert psnr(meant, opened(applied)) > 26


@pytest.mark.parametrize("colour", list(Colour))
@pytest.mark.parametrize(
    ("primaries", "transfer", "wide"), [(12, 13, True), (12, 2, True), (1, 13, False), (12, 16, False)]
)
def test_colours_said_by_code_points_are_kept_or_applied(
    primaries: int, transfer: int, wide: bool, colour: Colour
) -> None:
    """A HEIC of Display P3 without a profile. What it looks like, the published formulas say, point by point."""
    picture = samples.picture(*SIZE)
    stored = io.BytesIO()
    codes = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 6}
    pillow_heif.from_pillow(picture).save(stored, quality=100, chroma=444, save_nclx_profile=True, **codes)
    made, _ = remade(stored.getvalue(), Format.HEIC, quality=100, colour=colour)
    plain = opened(stored.getvalue()).convert("RGB")
    wanted = plain.copy()
    if wide:
        wanted.putdata([p3_as_srgb(point) for point in plain.get_flattened_data()])
        assert psnr(plain, wanted) < 35, "the two would look alike anyway"
    assert psnr(seen(made), wanted) > 35
    assert ("icc_profile" in opened(made).info) == (wide and colour is Colour.KEEP)


def p3_as_srgb(point: tuple[int, int, int]) -> tuple[int, ...]:
    """Linear light, Display P3 to sRGB (CSS Color 4, section 10), and back."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in (p / 255 for p in point)
    ]
    rows = ((1.2249402, -0.2249402, 0.0), (-0.0420570, 1.0420570, 0.0), (-0.0196376, -0.0786361, 1.0982736))
    mixed = [min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in rows]
    return tuple(round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in mixed)


def test_the_helpers_make_profiles_that_are_simple() -> None:
    assert neutral_profile(wide_profile(), grey=False) is not None
    assert neutral_profile(grey_profile(), grey=True) is not None

"""JPEG, PNG, GIF and WebP to the last byte: what the formats forbid is named, what cameras and editors write passes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from tests import samples
from tests.inspection.containers import PNG_SIGNATURE, png_chunk, png_chunks, png_file, png_header, riff, riff_chunk
from tests.inspection.probing import refused, understood
from transfer.inspection.anatomy import Anatomy
from transfer.inspection.structure_gif import dissect_gif
from transfer.inspection.structure_jpeg import MOST_SCANS, dissect_jpeg
from transfer.inspection.structure_png import dissect_png
from transfer.inspection.structure_webp import dissect_webp
from transfer.model.findings import Code

JPEG = samples.jpeg(64, 48, exif=False)
PROGRESSIVE = samples.jpeg(64, 48, exif=False, progressive=True)
GIF = samples.gif(64, 48, frames=3)
WEBP = samples.webp(64, 48, exif=False)
LOSSLESS = samples.webp(64, 48, exif=False, lossless=True)


def saved(form: str, **options: object) -> bytes:
    out = io.BytesIO()
    samples.picture(96, 64).save(out, form, **options)
    return out.getvalue()


def problem(found: Anatomy) -> str:
    assert not found.truncated
    assert len(found.problems) == 1
    return found.problems[0].problem


@pytest.mark.parametrize(
    ("walk", "content"),
    [
        *((dissect_jpeg, samples.jpeg(64, 48, mode=mode)) for mode in ("L", "RGB", "CMYK")),
        (dissect_jpeg, PROGRESSIVE),
        (dissect_jpeg, saved("JPEG", restart_marker_blocks=1)),
        (dissect_jpeg, saved("JPEG", restart_marker_rows=1, progressive=True)),
        (dissect_jpeg, saved("JPEG", optimize=True, subsampling=0, dpi=(300, 300), comment=b"x")),
        (dissect_jpeg, JPEG[:2] + b"\xff\xff\xff" + JPEG[2:]),  # fill bytes
        *((dissect_png, samples.png(mode=mode)) for mode in ("1", "L", "LA", "P", "I;16", "RGB", "RGBA")),
        (dissect_png, saved("PNG", icc_profile=samples.colour_profile(), dpi=(72, 72))),
        (dissect_png, saved("PNG", save_all=True, append_images=[samples.picture(96, 64, shift=1)] * 3)),
        (dissect_gif, GIF),
        (dissect_gif, saved("GIF", interlace=1, transparency=0)),
        (dissect_gif, GIF[:-1] + b"\0\0\x3b"),  # terminators too many
        (dissect_webp, WEBP),
        (dissect_webp, LOSSLESS),
        (dissect_webp, samples.webp(64, 48, alpha=True, xmp=True)),
        (dissect_webp, samples.webp(64, 48, frames=4, alpha=True)),
    ],
)
def test_what_encoders_write_is_built_as_it_should_be(walk: Callable[[bytes], Anatomy], content: bytes) -> None:
    found = walk(content)
    assert (found.problems, found.seconds, found.inflates, found.truncated, found.trailing) == ([], [], "", False, 0)


@pytest.mark.parametrize("padding", [bytes(7), bytes(70_000), b"\xff" * 3, b"\r\n", b" \0\n"])
@pytest.mark.parametrize(("walk", "content"), [(dissect_jpeg, JPEG), (dissect_gif, GIF), (dissect_webp, WEBP)])
def test_padding_behind_the_end_is_nothing(walk: Callable[[bytes], Anatomy], content: bytes, padding: bytes) -> None:
    found = walk(content + padding)
    assert (found.trailing, found.seconds) == (0, [])
    hidden = walk(content + padding + b"PK\x03\x04 hidden behind it")
    assert [second.looks for second in hidden.seconds] == ["zip"]


# --- JPEG --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (JPEG[:2] + b"\xff\xd8" + JPEG[2:], "marker"),
        (JPEG[:2] + b"\xff\xd0" + JPEG[2:], "marker"),
        (JPEG[:2] + b"\xff\x01" + JPEG[2:], "marker"),
        (JPEG[:2] + b"\xff\xf7\0\x04ab" + JPEG[2:], "marker"),
        (JPEG[:2] + b"junk" + JPEG[2:], "between its segments"),
        (JPEG[:2] + b"\xff\xe5\0\x01" + JPEG[2:], "shorter"),
        (JPEG[:2] + b"\xff\xd9" + JPEG[2:], "ends before it begins"),
    ],
)
def test_jpeg_breaches(content: bytes, words: str) -> None:
    assert words in problem(dissect_jpeg(content))
    assert refused(content, ".jpg") in {Code.MALFORMED_STRUCTURE, Code.TYPE_MISMATCH, Code.TYPE_UNKNOWN}


def test_a_jpeg_has_one_frame_header_before_its_scans() -> None:
    at = JPEG.index(b"\xff\xc0")
    frame = JPEG[at : at + 2 + int.from_bytes(JPEG[at + 2 : at + 4], "big")]
    assert "more than one frame" in problem(dissect_jpeg(JPEG[:at] + frame + JPEG[at:]))
    assert "before the frame" in problem(dissect_jpeg(JPEG.replace(frame, b"")))
    assert "as long as it says" in problem(dissect_jpeg(JPEG.replace(frame, frame[:9] + b"\x04" + frame[10:])))


def test_a_jpeg_without_its_end_breaks_off() -> None:
    assert dissect_jpeg(JPEG[:-2]).truncated
    assert refused(JPEG[:-2], ".jpg") is Code.UNDECODABLE
    assert refused(JPEG[: JPEG.index(b"\xff\xda") + 6], ".jpg") is Code.UNDECODABLE


def test_a_jpeg_of_endless_scans_is_not_decoded() -> None:
    end = PROGRESSIVE.rindex(b"\xff\xd9")
    scan = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : end]
    assert "scans" in problem(dissect_jpeg(PROGRESSIVE[:end] + scan * MOST_SCANS + PROGRESSIVE[end:]))
    at = PROGRESSIVE.index(b"\xff\xc2")
    large = PROGRESSIVE[: at + 5] + b"\x40\0\x40\0" + PROGRESSIVE[at + 9 : end]  # 16,384 by 16,384 points
    assert "scans" in problem(dissect_jpeg(large + scan * 30 + PROGRESSIVE[end:]))


def test_pictures_behind_a_jpeg_are_walked_to_what_stands_behind_them() -> None:
    second = samples.jpeg(32, 32, progressive=True)
    found = dissect_jpeg(JPEG + second)
    assert (found.trailing, found.looks, found.seconds) == (len(second), "picture", [])
    script = dissect_jpeg(JPEG + bytes(5) + second + b"#!/bin/sh\nls\n")
    assert [second.looks for second in script.seconds] == ["script"]


def test_a_script_that_begins_as_a_jpeg_does() -> None:
    payload = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0".ljust(0x2F2A - 2, b"\0")
    assert understood(b"\xff\xd8\xff\xe0\x2f\x2a" + payload + JPEG[20:], ".jpg")[1][Code.SECOND_FILE] == {
        "looks": "script",
        "where": "its beginning",
    }


@pytest.mark.parametrize(
    "trailer",
    [
        b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000000SEFHe\0\0\0\x01\0\0\0SEFT",
        b"CANON OPTIONAL DATA\0\0\x01\0\0" + bytes(range(200)),
        b'vivo{"albumVersion":1,"is360":false}cameraalbum',
        b"cbipcbbl" + bytes(range(64)),
        samples.XMP,
        b"AXS!" + bytes(40),
    ],
)
def test_what_phones_and_programs_leave_behind_a_jpeg_is_no_second_file(trailer: bytes) -> None:
    found = dissect_jpeg(JPEG + trailer)
    assert found.trailing == len(trailer)
    assert found.seconds == []


# --- PNG ---------------------------------------------------------------------------------------------------------


def png_with(*chunks: bytes, behind: bytes = b"") -> bytes:
    return png_file(*chunks) + behind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png_with(png_header()), "more than one header"),
        (PNG_SIGNATURE + png_chunk(b"gAMA", bytes(4)) + png_file()[8:], "first chunk"),
        (png_with(png_chunk(b"QUIT", b"x")), "must know"),
        (png_with(png_chunk(b"PLTE", bytes(4))), "palette"),
        (png_with(png_chunk(b"PLTE", bytes(3)), png_chunk(b"PLTE", bytes(3))), "palette"),
        (png_with(png_chunk(b"t\0Xt", b"x")), "no name"),
        (png_with(png_chunk(b"tEXt", b"a\0b")[:-1] + b"!"), "checksum"),
        (PNG_SIGNATURE + png_header() + png_chunk(b"IEND"), "before its data"),
        (png_file()[:-12] + png_chunk(b"tEXt", b"a\0b") + png_chunk(b"IDAT") + png_chunk(b"IEND"), "together"),
        (png_file()[:-12] + png_chunk(b"IEND", b"more"), "holds something"),
        (PNG_SIGNATURE + png_header(depth=3) + png_file()[33:], "does not exist"),
        (png_with(png_chunk(b"acTL", struct.pack(">II", 2, 0))), "another number of pictures"),
        (png_with(png_chunk(b"fcTL", bytes(26))), "not in order"),
    ],
)
def test_png_breaches(content: bytes, words: str) -> None:
    assert words in problem(dissect_png(content))
    assert refused(content, ".png") in {Code.MALFORMED_STRUCTURE, Code.TYPE_UNKNOWN, Code.TYPE_MISMATCH}


def test_an_animated_png_keeps_its_order_and_its_frames_within() -> None:
    pictures = [samples.picture(64, 48, shift=shift) for shift in range(3)]
    out = io.BytesIO()
    pictures[0].save(out, "PNG", save_all=True, append_images=pictures[1:])
    whole = out.getvalue()
    assert dissect_png(whole).frames == 3
    chunks = png_chunks(whole)
    controls = [number for number, (kind, _) in enumerate(chunks) if kind == b"fcTL"]
    swapped = list(chunks)
    swapped[controls[1]], swapped[controls[2]] = swapped[controls[2]], swapped[controls[1]]
    assert "not in order" in problem(dissect_png(whole[:8] + b"".join(chunk for _, chunk in swapped)))
    control = bytearray(chunks[controls[1]][1][8:-4])
    control[12:16] = struct.pack(">I", 60)
    moved = list(chunks)
    moved[controls[1]] = (b"fcTL", png_chunk(b"fcTL", bytes(control)))
    assert "outside" in problem(dissect_png(whole[:8] + b"".join(chunk for _, chunk in moved)))


def test_bytes_behind_a_packed_text_are_searched() -> None:
    packed = b"Comment\0\0" + zlib.compress(b"harmless") + b"<script>alert(1)</script>"
    assert [second.looks for second in dissect_png(png_with(png_chunk(b"zTXt", packed))).seconds] == ["markup"]


# --- GIF ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GIF[:-1] + b"\x77" + GIF[-1:], "between its blocks"),
        (GIF[:-1] + b"\x21\xf9\x02ab\0" + GIF[-1:], "as long as it should be"),
        (b"GIF89a\1\0\1\0\0\0\0\x3b" + bytes(20), "before its first picture"),
        (GIF[:-1] + b"\x2c" + bytes(9) + b"\x63\0" + GIF[-1:], "does not exist"),
    ],
)
def test_gif_breaches(content: bytes, words: str) -> None:
    assert words in problem(dissect_gif(content))
    assert refused(content, ".gif") is Code.MALFORMED_STRUCTURE


def test_a_gif_without_a_trailer_breaks_off() -> None:
    assert refused(GIF[:-1], ".gif") is Code.UNDECODABLE


@pytest.mark.parametrize("width", [b"/*", b"=1"])
def test_a_script_that_begins_as_a_gif_does(width: bytes) -> None:
    assert [second.looks for second in dissect_gif(GIF[:6] + width + GIF[8:]).seconds] == ["script"]
    assert not dissect_gif(GIF).seconds


# --- WebP --------------------------------------------------------------------------------------------------------

VP8X = riff_chunk(b"VP8X", b"\x02\0\0\0\0\0\0\0\0\0")
ANIM = riff_chunk(b"ANIM", bytes(6))
PICTURE = LOSSLESS[12:]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (riff(PICTURE, PICTURE), "twice"),
        (riff(riff_chunk(b"EXIF", b"x"), PICTURE), "begins with"),
        (riff(PICTURE, ANIM), "announce"),
        (riff(VP8X, VP8X, PICTURE), "twice"),
        (riff(VP8X, riff_chunk(b"ANMF", bytes(16) + PICTURE)), "not in order"),
        (riff(VP8X, ANIM, riff_chunk(b"ANMF", bytes(16))), "picture of its animation"),
        (riff(VP8X, ANIM, riff_chunk(b"ANMF", bytes(16) + PICTURE + PICTURE)), "picture of its animation"),
        (riff(VP8X, ANIM, riff_chunk(b"ANMF", bytes(16) + riff_chunk(b"ANMF", bytes(16) + PICTURE))), "animation"),
        (riff(VP8X, riff_chunk(b"XMP ", b"x")), "no picture"),
        (riff(PICTURE, b"1234"), "between its chunks"),
        (riff(PICTURE, b"junk\xff\xff\xff\x7f"), "beyond"),
    ],
)
def test_webp_breaches(content: bytes, words: str) -> None:
    assert words in problem(dissect_webp(content))
    assert refused(content, ".webp") in {Code.MALFORMED_STRUCTURE, Code.TYPE_UNKNOWN}


def test_unknown_chunks_of_a_webp_are_named_and_searched() -> None:
    found = dissect_webp(riff(VP8X, PICTURE, riff_chunk(b"what", b"#!/bin/sh")))
    assert found.kinds == ["chunk what"]
    assert [second.looks for second in found.seconds] == ["script"]


def test_pictures_of_every_mode_are_understood() -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        out = io.BytesIO()
        Image.new("L", (40, 30), 90).convert("I").convert(mode).save(out, "PNG") if mode == "I;16" else samples.picture(
            40, 30
        ).convert(mode).save(out, "PNG")
        assert understood(out.getvalue(), ".png")[0].width == 40

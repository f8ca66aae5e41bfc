"""Files of another kind inside pictures and films: wherever they stand they are seen, and chance bytes are not."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests import samples
from tests.inspection.containers import ZIP_END, ZIP_ENTRY, png_chunk, png_file, riff, riff_chunk
from tests.inspection.probing import probed, understood
from transfer.inspection.second_files import begins_as, begins_as_markup, ends_as_archive, holds
from transfer.model.findings import Code

PROGRAM = samples.program()
SECONDS = {
    "zip": ZIP_ENTRY + ZIP_END,
    "rar": b"Rar!\x1a\x07\x01\0" + bytes(30),
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(30),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\n",
    "program": PROGRAM,
    "markup": b"<html><body><script>alert(1)</script></body></html>",
    "script": b"#!/usr/bin/env python3\nprint(1)\n",
    "office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60),
    "rtf": b"{\\rtf1\\ansi hello}",
}
JPEG = samples.jpeg(64, 48, exif=False)
PLACES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "behind a JPEG": (".jpg", lambda second: JPEG + second),
    "behind padding behind a JPEG": (".jpg", lambda second: JPEG + bytes(5_000) + second),
    "behind a JPEG behind a JPEG": (".jpg", lambda second: JPEG + samples.jpeg(32, 32) + second),
    "in a JPEG's comment": (".jpg", lambda second: samples.jpeg_with_segment(0xFE, second, JPEG)),
    "in a JPEG's vendor segment": (".jpg", lambda second: samples.jpeg_with_segment(0xE9, b"Vendor\0" + second, JPEG)),
    "in a JPEG's colour profile": (
        ".jpg",
        lambda second: samples.jpeg_with_segment(0xE2, b"ICC_PROFILE\0\1\1" + second, JPEG),
    ),
    "in EXIF": (
        ".jpg",
        lambda second: samples.jpeg_with_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0" + bytes(9) + second, JPEG),
    ),
    "behind a PNG": (".png", lambda second: png_file() + second),
    "in a PNG's text": (".png", lambda second: png_file(png_chunk(b"tEXt", b"Comment\0" + second))),
    "in a PNG's own chunk": (".png", lambda second: png_file(png_chunk(b"prVt", second))),
    "behind a GIF": (".gif", lambda second: samples.gif(16, 16, comment="") + second),
    "in a GIF's comment": (
        ".gif",
        lambda second: samples.gif(16, 16, comment="")[:-1] + b"\x21\xfe" + _sub_blocks(second) + b"\x3b",
    ),
    "behind a WebP": (".webp", lambda second: samples.webp(16, 16, exif=False) + second),
    "in a WebP's own chunk": (
        ".webp",
        lambda second: riff(
            riff_chunk(b"VP8X", b"\0\0\0\0\x0f\0\0\x0f\0\0"),
            samples.webp(16, 16, exif=False, lossless=True)[12:],
            riff_chunk(b"what", second),
        ),
    ),
    "behind a HEIC": (".heic", lambda second: samples.heic(64, 64, exif=False) + second),
    "in a HEIC's free box": (".heic", lambda second: samples.heic(64, 64, exif=False) + samples.box(b"free", second)),
    "behind an MP4": (".mp4", lambda second: FILM + bytes(1) + second),
    "in an MP4's free box": (".mp4", lambda second: FILM + samples.box(b"free", bytes(9) + second)),
    "in an MP4's uuid box": (".mp4", lambda second: FILM + samples.box(b"uuid", bytes(16) + second)),
    "behind a WebM": (".webm", lambda second: WEBM + bytes(1) + second),
}
FILM = samples.mp4(0.2, width=64, height=48, metadata=False)
WEBM = samples.webm(0.2, width=64, height=48, metadata=False)


def _sub_blocks(data: bytes) -> bytes:
    return (
        b"".join(bytes([len(part)]) + part for part in (data[at : at + 255] for at in range(0, len(data), 255))) + b"\0"
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", SECONDS)
def test_a_second_file_is_seen_wherever_it_stands(place: str, kind: str) -> None:
    suffix, put = PLACES[place]
    _, findings = probed(put(SECONDS[kind]), suffix)
    looks = {str(finding.detail["looks"]) for finding in findings if finding.code is Code.SECOND_FILE}
    assert looks, findings
    assert kind in looks or (place == "in EXIF" and looks)


def test_a_real_archive_of_any_comment_is_seen_by_its_end() -> None:
    for comment in (b"", b"x" * 60_000):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("a.txt", "words")
            archive.comment = comment
        assert ends_as_archive(out.getvalue()[-65_557:])
    assert ends_as_archive(b"PK\x05\x06" + bytes(18))
    assert not ends_as_archive(b"PK\x05\x06" + bytes(17))
    assert not ends_as_archive(b"PK\x05\x06" + struct.pack("<HHHHIIH", 3, 9, 1, 1, 0, 0, 0))
    assert ends_as_archive(ZIP_END + b"PK\x05\x06 chance")


def test_an_archive_in_a_comment_before_the_end_of_a_picture_opens_and_is_seen() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.js", "alert(1)")
    content = JPEG[:-2] + b"\xff\xfe" + struct.pack(">H", len(out.getvalue()) + 2) + out.getvalue() + JPEG[-2:]
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["run.js"]
    assert Image.open(io.BytesIO(content)).size == (64, 48)
    assert understood(content, ".jpg")[1][Code.SECOND_FILE]["looks"] == "zip"


@pytest.mark.parametrize(
    "harmless",
    [
        b"MZ",
        b"MZ and her friends",
        b"BZh",
        b"PK is here",
        b"<3 you all",
        b"a < b > c",
        b"100%PDF",
        b"#!not a script",
        samples.XMP,
        b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>" + samples.XMP,
        b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN"><plist><dict/></plist>',
        b'<NonRealTimeMeta><Meta name="a" content="b"/></NonRealTimeMeta>',
        samples.exif_block(),
        samples.colour_profile(),
    ],
)
def test_words_and_metadata_are_no_second_file(harmless: bytes) -> None:
    assert begins_as(harmless) == holds(harmless) == ""
    assert Code.SECOND_FILE not in understood(samples.jpeg_with_segment(0xFE, harmless, JPEG), ".jpg")[1]


def test_chance_bytes_are_no_second_file() -> None:
    chance = random.Random("chance")
    for _ in range(8):
        data = chance.randbytes(4_000_000)
        assert holds(data) == ""
        assert not ends_as_archive(data[-65_557:])


def test_chance_bytes_full_of_short_signatures_are_no_second_file() -> None:
    data = b"".join(b"PK\x03\x04" + b"\xff" * 4 + b"MZ\x7fELF%PDF-x7z\xbc\xaf" for _ in range(2_000))
    assert holds(data) == ""


@given(st.binary(max_size=600))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert begins_as(data).isascii()
    assert holds(data).isascii()
    assert begins_as_markup(data) in {True, False}
    assert ends_as_archive(data) in {True, False}


@given(st.sampled_from(sorted(SECONDS)), st.binary(max_size=300), st.binary(max_size=300))
def test_what_stands_around_a_second_file_does_not_hide_it(kind: str, before: bytes, behind: bytes) -> None:
    assert holds(before + SECONDS[kind] + behind)

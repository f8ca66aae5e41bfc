"""What is left, as the reader that never saw the original says it: short, printable, bounded, and true."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests import samples
from tests.disarm.test_video import remuxed
from tests.disarm.tools import remade
from transfer.disarm.residue import prove
from transfer.disarm.residue_view import LONGEST_LINE, MOST_LINES, Report
from transfer.model.media import Format
from transfer.sandbox.replies import ResidueReply, parse_reply, render_reply
from transfer.sandbox.requests import ResidueRequest

SAID: list[tuple[Format, Callable[[], bytes], tuple[str, ...]]] = [
    (
        Format.JPEG,
        lambda: samples.jpeg(240, 160, icc=True),
        (
            "colour profile: RGB, 9 tags, 432 bytes",
            "picture: JPEG, 240 x 160, 3 channels, baseline",
            "segments: APP0 JFIF, APP2 colour profile, DQT x 2, SOF0, DHT x 4, SOS",
        ),
    ),
    (
        Format.PNG,
        lambda: samples.png(80, 60),
        ("picture: PNG, 80 x 60, 8 bits a channel, RGB and alpha", "chunks: IHDR, IDAT, IEND"),
    ),
    (
        Format.WEBP,
        lambda: samples.webp(80, 60, frames=3, alpha=True),
        ("canvas: WebP, 80 x 60", "chunks: VP8X, ANIM, ANMF x 3, ALPH x 3, VP8 x 3"),
    ),
    (Format.WEBP, lambda: samples.webp(80, 60, lossless=True), ("picture: WebP, 80 x 60, lossless", "chunks: VP8L")),
    (Format.WEBP, lambda: samples.webp(80, 60), ("picture: WebP, 80 x 60, lossy", "chunks: VP8")),
    (
        Format.GIF,
        lambda: samples.gif(80, 60, frames=3),
        ("picture: GIF, 80 x 60", "blocks: palette, NETSCAPE2.0 loop, control x 3, image x 3"),
    ),
    (Format.HEIC, lambda: samples.heic(80, 60), ("picture: JPEG, 80 x 60, 3 channels, baseline",)),
    (Format.AVIF, lambda: samples.avif(80, 60), ("picture: AVIF, 80 x 60",)),
    (
        Format.MP4,
        lambda: remuxed(samples.mp4(2, width=160, height=120), "mp4", degrees=180),
        ("picture: avc1, 160 x 120, turned by 180,", "sound: mp4a, 2 channels, 48000 Hz,"),
    ),
    (Format.WEBM, lambda: samples.webm(1), ("picture: V_VP9, 320 x 240", "sound: A_OPUS, 2 channels")),
    (Format.TEXT, lambda: samples.text("one\ntwo é\n"), ("text: 10 characters, 2 lines, 11 bytes of UTF-8",)),
    (Format.SRT, samples.srt, ("subtitles: cue x 2",)),
    (Format.VTT, samples.vtt, ("subtitles: cue x 2",)),
]


def left_in(content: bytes, form: Format) -> tuple[str, ...]:
    clean = os.memfd_create("clean")
    try:
        os.write(clean, content)
        findings, left = prove(clean, format=form)
        assert findings == ()
        return left
    finally:
        os.close(clean)


@pytest.mark.parametrize(("form", "make", "said"), SAID)
def test_it_says_what_is_there(form: Format, make: Callable[[], bytes], said: tuple[str, ...]) -> None:
    made, facts = remade(make(), form)
    left = left_in(made, facts.format)
    for wanted in said:
        assert any(line.startswith(wanted) for line in left), left
    assert len(left) <= MOST_LINES
    assert all(line.isascii() and line.isprintable() and len(line) <= LONGEST_LINE for line in left)
    reply = ResidueReply(findings=(), left=left)
    assert parse_reply(render_reply(reply), to=ResidueRequest(format=facts.format)) == reply


def test_a_film_says_length_and_samples() -> None:
    made, _ = remade(samples.mp4(2), Format.MP4)
    picture, sound, *boxes = left_in(made, Format.MP4)
    assert picture.endswith("50 samples")
    assert " s, " in sound
    assert all(line.startswith("boxes: ") for line in boxes)


def test_the_list_is_bounded() -> None:
    report = Report()
    for number in range(5000):
        report.saw("chunks", f"kind {number}")
        report.tell(f"line {number} " + "x" * 200)
    left = report.left()
    assert len(left) == MOST_LINES
    assert all(len(line) <= LONGEST_LINE for line in left)
    assert left[-1].endswith("lines in all")

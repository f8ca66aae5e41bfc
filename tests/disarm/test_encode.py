"""Films that are encoded anew: every picture at its time, the sound beside it, upright, and nothing of the sender's."""

from __future__ import annotations

import io
import json
import math
import random
import shutil
import subprocess
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from tests import samples
from tests.disarm.test_video import remuxed, rotation, trimmed
from tests.disarm.tools import LIMITS, refusal, remade, residues, try_remake
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.recipe import Decode, Films

RATE = 48_000


def film(
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (160, 120),
    pix: str = "yuv420p",
    pts: list[int] | None = None,
    form: str = "mp4",
    options: dict[str, str] | None = None,
    sound: str = "aac",
    layout: str = "stereo",
    delay: float = 0,
    colour: tuple[int, int, int, int] = (2, 2, 2, 0),
) -> bytes:
    """A film whose pictures differ, at these times in thousandths of a second; sound from `delay` seconds on."""
    out = io.BytesIO()
    pts = pts if pts is not None else [40 * number for number in range(25)]
    with av.open(out, "w", format=form) as sink:
        pictures = sink.add_stream(codec, rate=25, options=options or {})
        context = pictures.codec_context
        context.width, context.height, context.pix_fmt = *size, pix
        context.time_base = Fraction(1, 1000)
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = colour
        sounds = sink.add_stream(sound, rate=RATE, layout=layout) if sound else None
        for number, at in enumerate(pts):
            frame = av.VideoFrame.from_image(samples.picture(*size, shift=number % 5)).reformat(format=pix)
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = colour
            sink.mux(pictures.encode(frame))
        sink.mux(pictures.encode())
        if sounds is not None:
            for at in range(round(delay * RATE), round(pts[-1] * RATE / 1000), 960):
                frame = av.AudioFrame(format="fltp" if sound == "aac" else "flt", layout=layout, samples=960)
                tone = [0.3 * math.sin(2 * math.pi * 440 * (at + step) / RATE) for step in range(960)]
                each = len(frame.planes)
                for plane in frame.planes:
                    values = tone if each > 1 or layout == "mono" else [v for v in tone for _ in range(2)]
                    plane.update(array("f", values).tobytes())
                frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
                sink.mux(sounds.encode(frame))
            sink.mux(sounds.encode())
    return out.getvalue()


def shown(content: bytes) -> list[tuple[float, Image.Image]]:
    """When each picture is shown, in seconds, and the picture, upright."""
    found = []
    with av.open(io.BytesIO(content)) as container:
        for frame in container.decode(video=0):
            picture = frame.to_image().rotate(frame.rotation, expand=True)
            found.append((float(frame.pts * frame.time_base), picture))
    return found


def heard(content: bytes) -> tuple[float, float, int]:
    """When sound begins and ends, in seconds, and its channels."""
    begin, end, channels = math.inf, 0.0, 0
    with av.open(io.BytesIO(content)) as container:
        for frame in container.decode(audio=0):
            at = float(frame.pts * frame.time_base)
            begin, end = min(begin, at), max(end, at + frame.samples / frame.sample_rate)
            channels = frame.layout.nb_channels
    return begin, end, channels


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Decibels of two pictures of one size."""
    squares = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).sum2
    error = sum(squares) / (3 * one.width * one.height)
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


VARIABLE = [0, 40, 80, 200, 210, 400, 433, 500, 900, 1000]
SOURCES: dict[str, tuple[Format, Callable[[], bytes]]] = {
    "b-frames": (Format.MP4, lambda: film(options={"bf": "3", "b-pyramid": "normal"})),
    "hevc": (Format.MP4, lambda: film("libx265", options={"x265-params": "log-level=none"})),
    "hevc 10 bit": (Format.MP4, lambda: film("libx265", pix="yuv420p10le", options={"x265-params": "log-level=none"})),
    "vp9": (Format.WEBM, lambda: film("libvpx-vp9", form="webm", sound="libopus")),
    "av1 10 bit": (
        Format.WEBM,
        lambda: film("libsvtav1", size=(320, 240), form="webm", sound="libopus", pix="yuv420p10le"),
    ),
    "vp8": (Format.WEBM, lambda: film("libvpx", form="webm", sound="libopus")),
    "av1": (Format.MP4, lambda: film("libsvtav1", size=(320, 240), sound="libopus")),
    "variable rate": (Format.MP4, lambda: film(pts=VARIABLE)),
    "variable rate webm": (Format.WEBM, lambda: film("libvpx-vp9", pts=VARIABLE, form="webm", sound="libopus")),
    "4:4:4": (Format.MP4, lambda: film(pix="yuv444p")),
    "full range": (Format.MP4, lambda: film(pix="yuvj420p", colour=(1, 1, 1, 2))),
    "mono": (Format.MP4, lambda: film(layout="mono")),
    "5.1": (Format.MP4, lambda: film(layout="5.1")),
    "late sound": (Format.MP4, lambda: film(delay=0.4)),
    "late sound webm": (Format.WEBM, lambda: film("libvpx-vp9", delay=0.4, form="webm", sound="libopus")),
    "silent": (Format.MP4, lambda: film(sound="")),
    "silent webm": (Format.WEBM, lambda: film("libvpx-vp9", sound="", form="webm")),
    "quicktime": (Format.MOV, lambda: film(form="mov")),
    "fragmented": (
        Format.MP4,
        lambda: remuxed(film(), "mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    ),
    "edit list": (Format.MP4, lambda: trimmed(samples.mp4(2, audio=""), 0.44, 1.04)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_picture_is_there_at_its_time(name: str) -> None:
    form, make = SOURCES[name]
    original = make()
    made, facts = remade(original, form, films=Films.ENCODE)
    before, after = shown(original), shown(made)
    start = before[0][0]
    assert [at for at, _ in after] == pytest.approx([at for at, _ in before], abs=0.002), start
    assert min(psnr(old, new) for (_, old), (_, new) in zip(before, after, strict=True)) > 30
    assert facts.packets_in == facts.packets_out == len(before)
    assert facts.format is (Format.WEBM if form is Format.WEBM else Format.MP4)
    if "silent" not in name and name != "edit list":
        was, now = heard(original), heard(made)
        assert now[:2] == pytest.approx(was[:2], abs=0.045)
        assert now[2] == was[2]
    for note in (b"x264", b"x265", b"Lavc"):
        assert note not in made


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_film_is_turned_upright(degrees: int) -> None:
    original = remuxed(film(), "mov", degrees=degrees)
    made, facts = remade(original, Format.MOV, films=Films.ENCODE)
    assert rotation(made) == 0
    assert (facts.width, facts.height) == ((160, 120) if degrees == 180 else (120, 160))
    (_, old), (_, new) = shown(original)[3], shown(made)[3]
    assert psnr(old, new) > 30


def test_an_odd_side_loses_a_line_and_says_so() -> None:
    original = film("libvpx-vp9", size=(161, 121), sound="libopus")
    made, facts = remade(original, Format.MP4, films=Films.ENCODE)
    assert (facts.width, facts.height) == shown(made)[0][1].size == (160, 120)
    assert "a line of points at the edge" in facts.removed


def test_colour_tags_are_kept() -> None:
    original = film(colour=(1, 1, 1, 1))
    made, _ = remade(original, Format.MP4, films=Films.ENCODE)
    assert psnr(shown(original)[0][1], shown(made)[0][1]) > 30
    with av.open(io.BytesIO(made)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)


def test_ten_bits_stay_ten() -> None:
    original = film("libx265", pix="yuv420p10le", options={"x265-params": "log-level=none"})
    made, _ = remade(original, Format.MP4, films=Films.ENCODE)
    with av.open(io.BytesIO(made)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
    assert b"hvc1" in made


def test_the_header_stands_in_front() -> None:
    made, _ = remade(film(), Format.MP4, films=Films.ENCODE)
    assert made.index(b"moov") < made.index(b"mdat")


def test_a_transparent_film_is_refused_with_a_sentence() -> None:
    original = film("libvpx-vp9", pix="yuva420p", form="webm", sound="")
    assert "transparent" in str(refusal(original, Format.WEBM, films=Films.ENCODE).detail["why"])
    remade(original, Format.WEBM)


def test_it_does_not_grow_past_the_limit() -> None:
    from dataclasses import replace

    limits = replace(LIMITS, video_bytes=len(film()) + 100)
    noisy = refusal(film(), Format.MP4, films=Films.ENCODE, limits=limits)
    assert noisy.code is Code.TOO_LARGE


def test_the_note_of_an_encoder_is_found_by_the_reader() -> None:
    """What FFmpeg writes into the first sound stays in a film that is copied, and is found if we claim it as ours."""
    copied, _ = remade(film(), Format.MP4)
    assert b"Lavc" in copied
    assert b"x264 - core" not in copied
    assert {str(finding.detail["where"]) for finding in residues(copied, Format.MP4, encoded=True)} == {"packet"}


@pytest.mark.parametrize("films", list(Films))
def test_damage_is_refused_with_its_time(films: Films) -> None:
    whole = film(pts=[40 * number for number in range(100)], sound="", options={"g": "10"})
    with av.open(io.BytesIO(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        damaged = max((p for p in packets if float(p.pts * p.time_base) > 2), key=lambda p: p.size)
        place, at = damaged.pos, float(damaged.pts * damaged.time_base)
    content = bytearray(whole)
    for step in range(place + 20, place + damaged.size - 4):
        content[step] ^= 0x55
    found = refusal(bytes(content), Format.MP4, films=films, decode=Decode.ALL)
    assert found.code is Code.UNDECODABLE
    said = str(found.detail["problem"])
    assert "picture cannot be decoded at 0:0" in said
    assert float(said.rpartition(":")[2]) == pytest.approx(at, abs=0.5)


@pytest.mark.parametrize(("form", "make"), SOURCES.values(), ids=SOURCES.keys())
def test_every_packet_of_a_good_film_decodes(form: Format, make: Callable[[], bytes]) -> None:
    remade(make(), form, decode=Decode.ALL)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
@pytest.mark.parametrize("name", ["b-frames", "hevc 10 bit", "vp9", "5.1", "variable rate", "late sound"])
def test_ffprobe_agrees(name: str, tmp_path: Path) -> None:
    form, make = SOURCES[name]
    original = make()
    made, facts = remade(original, form, films=Films.ENCODE)
    before, after = probed(original, tmp_path), probed(made, tmp_path)
    assert [stream["codec_type"] for stream in after["streams"]] == ["video", "audio"]
    assert after["streams"][0]["nb_read_frames"] == before["streams"][0]["nb_read_frames"] == str(facts.frames)
    assert float(after["format"]["duration"]) == pytest.approx(float(before["format"]["duration"]), abs=0.06)
    assert after["streams"][0]["codec_name"] == {"hevc 10 bit": "hevc", "vp9": "vp9"}.get(name, "h264")


def probed(content: bytes, folder: Path) -> dict[str, list[dict[str, str]]]:
    path = folder / "film"
    path.write_bytes(content)
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "json", "-show_format", "-show_streams", str(path)]
    out = subprocess.run(command, capture_output=True, check=True)
    assert out.stderr == b""
    found: dict[str, list[dict[str, str]]] = json.loads(out.stdout)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", [Format.MP4, Format.WEBM])
def test_a_damaged_film_is_clean_or_refused(form: Format, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(samples.mp4(1) if form is Format.MP4 else samples.webm(1))
    for _ in range(1 + 4 * seed):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    made, facts, findings = try_remake(bytes(content), form, films=Films.ENCODE)
    assert (facts is None) == bool(findings)
    assert facts is None or residues(made, facts.format, encoded=True) == ()

"""Films: streams, codecs, limits, and what their containers carry besides."""

from __future__ import annotations

import io

import av
import pytest

from tests import samples
from tests.inspection.probing import probed, refused, understood
from transfer.model.findings import Code
from transfer.model.media import Format, StreamFacts


def test_an_mp4(mp4: bytes) -> None:
    facts, findings = understood(mp4, ".mp4")
    assert (facts.format, facts.width, facts.height, facts.frames) == (Format.MP4, 320, 240, 50)
    assert 1_990 <= facts.duration_ms <= 2_050
    assert facts.streams == (StreamFacts(kind="video", codec="h264"), StreamFacts(kind="audio", codec="aac"))
    assert set(findings) == {Code.METADATA, Code.IDENTIFYING_METADATA, Code.LOCATION}
    assert samples.AUTHOR not in repr(findings)


def test_a_mov_and_a_webm(webm: bytes) -> None:
    facts, findings = understood(samples.mov(0.4), ".mov")
    assert facts.format is Format.MOV
    assert Code.LOCATION in findings
    facts, findings = understood(webm, ".webm")
    assert (facts.format, [stream.codec for stream in facts.streams]) == (Format.WEBM, ["vp9", "opus"])
    assert set(findings) == {Code.METADATA, Code.IDENTIFYING_METADATA}


@pytest.mark.parametrize(
    ("make", "suffix", "codecs"),
    [
        ({"codec": "libx265"}, ".mp4", ["hevc", "aac"]),
        ({"codec": "libsvtav1", "audio": "libmp3lame"}, ".mp4", ["av1", "mp3"]),
        ({"codec": "libvpx-vp9", "audio": "libopus"}, ".mp4", ["vp9", "opus"]),
        ({"codec": "libvpx", "audio": "vorbis", "form": "webm"}, ".webm", ["vp8", "vorbis"]),
        ({"audio": ""}, ".mp4", ["h264"]),
        ({"options": {"moov_size": "65536"}}, ".mp4", ["h264", "aac"]),
        ({"options": {"movflags": "frag_keyframe+empty_moov"}}, ".mp4", ["h264", "aac"]),
    ],
)
def test_other_codecs_and_layouts(make: dict[str, object], suffix: str, codecs: list[str]) -> None:
    facts, _ = understood(samples.mp4(0.4, **make), suffix)  # type: ignore[arg-type]  # a table of arguments
    assert [stream.codec for stream in facts.streams] == codecs


def test_codecs_that_are_not_on_the_list() -> None:
    assert refused(samples.mp4(0.2, codec="mpeg4"), ".mp4") is Code.CODEC_NOT_ALLOWED
    assert refused(samples.mp4(0.2, audio="ac3"), ".mp4") is Code.CODEC_NOT_ALLOWED


@pytest.mark.parametrize("tag", [b"dvh1", b"dvhe"])
def test_a_film_that_only_dolby_vision_shows_right_is_refused(tag: bytes) -> None:
    film = samples.mp4(0.2, codec="libx265")
    assert film.count(b"hev1") == 1
    facts, findings = probed(film.replace(b"hev1", tag), ".mp4")
    assert facts is None
    assert [(found.code, found.detail["codec"]) for found in findings] == [(Code.CODEC_NOT_ALLOWED, "dolby-vision")]


def test_sound_alone_is_no_film() -> None:
    assert refused(samples.mp4(0.2, codec=""), ".mp4") is Code.NO_PICTURE_STREAM


def test_streams_that_stay_behind_are_reported() -> None:
    facts, findings = understood(samples.mp4(0.4, data=True, subtitle=True), ".mp4")
    assert [stream.kind for stream in facts.streams] == ["video", "audio", "data", "subtitle"]
    assert Code.EXTRA_STREAM in findings
    assert refused(samples.mp4(0.2, data=True, subtitle=True), ".mp4", streams=3) is Code.TOO_MANY_STREAMS


def test_limits(mp4: bytes) -> None:
    assert refused(mp4, ".mp4", seconds=1) is Code.TOO_LONG
    assert refused(mp4, ".mp4", pixels=320 * 240 - 1) is Code.TOO_MANY_PIXELS
    assert refused(mp4, ".mp4", side=319) is Code.TOO_MANY_PIXELS
    assert refused(mp4, ".mp4", video_bytes=len(mp4) - 1) is Code.TOO_LARGE
    assert understood(mp4, ".mp4", pixels=320 * 240, side=320, video_bytes=len(mp4), image_bytes=1)


def test_a_film_turned_by_a_quarter_is_measured_as_displayed() -> None:
    turned = samples.mp4(0.2).replace(
        b"\0\x01\0\0" + bytes(12) + b"\0\x01\0\0" + bytes(12) + b"\x40\0\0\0\x01\x40\0\0",
        b"\0\0\0\0\0\x01\0\0" + bytes(4) + b"\xff\xff\0\0" + bytes(16) + b"\x40\0\0\0\x01\x40\0\0",
    )
    facts, _ = understood(turned, ".mp4")
    assert (facts.width, facts.height) == (240, 320)


def test_tiktok_s_own_marks_prove_a_returning_film() -> None:
    _, findings = understood(samples.mp4(0.2, comment="vid:v0900fg10000cabcdef"), ".mp4")
    assert findings[Code.TIKTOK_MARK] == {"mark": "vid", "where": "metadata"}
    box = samples.box(b"meta", b'keys mdtaaigc_info {"aigc_label_type":1}')
    assert Code.TIKTOK_MARK in understood(samples.mp4(0.2) + box, ".mp4")[1]


@pytest.mark.parametrize("part", [0.2, 0.5, 0.98])
def test_a_film_that_breaks_off_is_refused(mp4: bytes, webm: bytes, part: float) -> None:
    assert refused(samples.truncated(mp4, part), ".mp4") is Code.UNDECODABLE
    assert refused(samples.truncated(webm, part), ".webm") is Code.UNDECODABLE
    early = samples.mp4(1, options={"moov_size": "65536"})
    assert refused(samples.truncated(early, 0.8 + part / 10), ".mp4") is Code.UNDECODABLE


def test_a_film_whose_pictures_are_noise_is_refused(mp4: bytes) -> None:
    at = mp4.index(b"mdat") + 4
    noisy = mp4[:at] + b"\xa5" * 10_000 + mp4[at + 10_000 :]
    assert refused(noisy, ".mp4") is Code.UNDECODABLE


def test_the_pictures_and_not_the_container_say_how_large_they_are() -> None:
    film = samples.mp4(0.2, width=640, height=480)
    entry = b"\x02\x80\x01\xe0\0\x48\0\0"  # width, height and resolution in the sample entry
    assert film.count(entry) == 1
    lying = film.replace(entry, b"\0\x10\0\x10\0\x48\0\0")
    assert understood(lying, ".mp4")[0].width == 640
    assert refused(lying, ".mp4", pixels=100_000) is Code.TOO_MANY_PIXELS


def test_a_tail_behind_a_film_is_reported(mp4: bytes, webm: bytes) -> None:
    for film, suffix in ((mp4, ".mp4"), (webm, ".webm")):
        findings = understood(samples.trailed(film, b"\x01\x02 what some camera adds"), suffix)[1]
        assert findings[Code.TRAILING_DATA] == {"bytes": 24, "looks": "unknown"}
        findings = understood(samples.trailed(film), suffix)[1]
        assert findings[Code.SECOND_FILE] == {"looks": "zip", "where": "behind the end"}


def test_an_attached_cover_is_not_the_picture() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for packet in cover.encode(av.VideoFrame(64, 48, "yuvj420p")):
            container.mux(packet)
    assert refused(out.getvalue(), ".mp4") is Code.NO_PICTURE_STREAM


def test_a_film_whose_matrix_was_never_set_is_not_turned() -> None:
    film = samples.mp4(0.2, width=64, height=48)
    at = film.index(b"tkhd") + 44
    facts, _ = understood(film[:at] + bytes(32) + film[at + 32 :], ".mp4")
    assert (facts.width, facts.height) == (64, 48)

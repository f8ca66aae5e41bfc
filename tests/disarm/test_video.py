"""Films: the same packets in a new container, in time and upright, and nothing else."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import struct

import av
import pytest

from tests import samples
from tests.disarm.film_units import SEI, passed
from tests.disarm.tools import LIMITS, refusal, remade, residues, try_remake
from transfer.disarm.codec_headers import neutral_header
from transfer.disarm.remake import remake
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.recipe import Recipe


def packets(content: bytes) -> list[tuple[str, int, str]]:
    """Kind, number of packets and digest of the first picture and sound; without supplemental information."""
    found = []
    for kind in ("video", "audio"):
        with av.open(io.BytesIO(content)) as film:
            for stream in [stream for stream in film.streams if stream.type == kind][:1]:
                if stream.codec_context.name in SEI:
                    each = [b"".join(units) for units in passed(content, SEI[stream.codec_context.name])]
                else:
                    each = [bytes(packet) for packet in film.demux(stream) if packet.size]
                found.append((kind, len(each), hashlib.sha256(b"".join(each)).hexdigest()))
    return found


def times(content: bytes, kind: str) -> list[float]:
    """When each packet is shown, in seconds, from the film's own beginning."""
    with av.open(io.BytesIO(content)) as film:
        stream = next(stream for stream in film.streams if stream.type == kind)
        return [float(packet.pts * stream.time_base) for packet in film.demux(stream) if packet.pts is not None]


def rotation(content: bytes) -> int:
    with av.open(io.BytesIO(content)) as film:
        return next(film.decode(video=0)).rotation


def remuxed(
    content: bytes, form: str, *, degrees: int = 0, delay: float = 0, options: dict[str, str] | None = None
) -> bytes:
    """The same film as another program would have written it."""
    out = io.BytesIO()
    with av.open(io.BytesIO(content)) as source, av.open(out, "w", format=form, options=options or {}) as sink:
        outlets = {stream.index: sink.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        if degrees:
            outlets[0].set_display_rotation(degrees)
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and delay:
                packet.pts += round(delay / packet.time_base)
                packet.dts += round(delay / packet.time_base)
            packet.stream = outlets[packet.stream_index]
            sink.mux_one(packet)
    return out.getvalue()


@pytest.mark.parametrize(
    ("form", "make"),
    [
        (Format.MP4, lambda: samples.mp4(2)),
        (Format.MP4, lambda: samples.mp4(codec="libx265")),
        (Format.MP4, lambda: samples.mp4(codec="libsvtav1", audio="libopus")),
        (Format.MP4, lambda: samples.mp4(codec="libvpx-vp9", audio="libmp3lame")),
        (Format.MP4, lambda: samples.mp4(audio="")),
        (Format.MP4, lambda: samples.mp4(data=True, subtitle=True, comment="vid:v123")),
        (Format.MOV, samples.mov),
        (Format.MOV, lambda: samples.mov(data=True)),
        (Format.WEBM, samples.webm),
        (Format.WEBM, lambda: samples.webm(codec="libvpx", audio="vorbis")),
        (Format.WEBM, lambda: samples.webm(codec="libsvtav1")),
    ],
    ids=["h264", "h265", "av1", "vp9", "silent", "extra", "mov", "mov-data", "webm", "webm-vorbis", "webm-av1"],
)
def test_not_a_packet_is_lost_and_no_time_moves(form: Format, make: object) -> None:
    original = make()
    made, facts = remade(original, form)
    assert packets(made) == packets(original)
    assert facts.packets_in == facts.packets_out == sum(count for _, count, _ in packets(original))
    assert facts.format is (Format.WEBM if form is Format.WEBM else Format.MP4)
    for kind, _, _ in packets(original):
        assert times(made, kind) == pytest.approx(times(original, kind), abs=0.0011)
    for secret in (samples.CAMERA, samples.AUTHOR, "51.75", "Open day", "vid:v123", "gps ", "Hello"):
        assert secret.encode() not in made


def test_what_was_removed_is_named() -> None:
    _, facts = remade(samples.mp4(data=True, subtitle=True, comment="vid:v1"), Format.MP4)
    assert {"tag title", "tag artist", "tag location", "tag comment", "stream data bin_data"} <= set(facts.removed)
    assert "stream subtitle mov_text" in facts.removed


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_kept(degrees: int) -> None:
    original = remuxed(samples.mp4(), "mov", degrees=degrees)
    made, facts = remade(original, Format.MOV)
    assert rotation(made) == rotation(original) != 0
    assert (facts.width, facts.height) == ((320, 240) if degrees == 180 else (240, 320))


def test_a_delayed_sound_stays_delayed() -> None:
    original = remuxed(samples.mp4(), "mp4", delay=0.25)
    made, _ = remade(original, Format.MP4)
    assert times(made, "audio")[0] - times(made, "video")[0] == pytest.approx(
        times(original, "audio")[0] - times(original, "video")[0], abs=0.0005
    )


def test_a_fragmented_film_becomes_a_plain_one() -> None:
    original = remuxed(samples.mp4(2), "mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
    assert b"moof" in original
    made, _ = remade(original, Format.MP4)
    assert b"moof" not in made
    assert packets(made) == packets(original)


def test_the_header_of_a_plain_film_stands_in_front() -> None:
    made, _ = remade(samples.mp4(2), Format.MP4)
    assert made.index(b"moov") < made.index(b"mdat")


def trimmed(film: bytes, begin: float, length: float) -> bytes:
    """The film with its first track's edit list set, as phones trim: the data stays, hidden."""
    content = bytearray(film)
    start = film.index(b"elst") + 12
    rate = struct.unpack_from(">I", film, film.index(b"mdhd") + 16)[0]
    media_time = struct.unpack_from(">i", film, start + 4)[0]
    struct.pack_into(">Ii", content, start, round(length * 1000), media_time + round(begin * rate))
    return bytes(content)


def pictures(film: bytes) -> list[bytes]:
    """Digests of the pictures that a player shows."""
    with av.open(io.BytesIO(film)) as container:
        return [hashlib.sha256(bytes(frame.planes[0])).digest() for frame in container.decode(video=0)]


@pytest.mark.parametrize(("begin", "length"), [(0.5, 1.0), (0.0, 0.6), (1.2, 0.8), (0.44, 1.04)])
def test_what_an_edit_list_cut_away_stays_away(begin: float, length: float) -> None:
    original = trimmed(samples.mp4(2, audio=""), begin, length)
    made, facts = remade(original, Format.MP4)
    assert pictures(made) == pictures(original)
    assert len(pictures(made)) == pytest.approx(25 * length, abs=1)
    assert facts.duration_ms == pytest.approx(1000 * length, abs=41)
    if begin + length < 1.9:
        assert "what was cut off at the end" in facts.removed
        assert facts.packets_out < 50


def test_nothing_is_cut_from_a_film_that_is_whole() -> None:
    _, facts = remade(samples.mp4(2), Format.MP4)
    assert "what was cut off at the end" not in facts.removed


def test_h265_keeps_the_tag_that_apple_plays() -> None:
    for tag in (b"hvc1", b"hev1"):
        original = samples.mp4(codec="libx265", audio="").replace(b"hev1", tag)
        assert tag in remade(original, Format.MP4)[0]


def test_notes_in_codec_headers_are_gone() -> None:
    original = samples.mp4(codec="libx265", audio="")
    assert b"x265 (build" in original
    assert b"x265 (build" not in remade(original, Format.MP4)[0]


def test_vorbis_comments_are_gone() -> None:
    first, last = b"\x01vorbis".ljust(30, b"\1"), b"\x05vorbis" + b"set-up" * 100
    comment = b"\x03vorbis" + struct.pack("<I", 4) + b"Lavf" + struct.pack("<II", 1, 300) + b"x" * 300 + b"\1"
    header = b"\x02" + bytes([30, 255, len(comment) - 255]) + first + comment + last
    made = neutral_header("vorbis", header)
    assert made == b"\x02\x1e\x10" + first + b"\x03vorbis" + bytes(8) + b"\1" + last
    assert neutral_header("vorbis", made) == made


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("form", [Format.MP4, Format.WEBM])
def test_half_a_film_is_no_film(form: Format, part: float) -> None:
    if form is Format.MP4:
        header_first = remade(samples.mp4(2), Format.MP4)[0]
        assert refusal(samples.truncated(header_first, part), form).code is Code.REBUILD_FAILED
        return
    made, facts, findings = try_remake(samples.truncated(samples.webm(2), part), form)
    # a WebM that breaks off is shorter, and whatever of it is rebuilt is clean
    assert facts is None or (residues(made, Format.WEBM) == () and findings == ())


def test_a_film_without_pictures_is_refused() -> None:
    assert refusal(samples.mp4(codec=""), Format.MP4).code is Code.NO_PICTURE_STREAM


def test_noise_is_refused() -> None:
    assert refusal(os.urandom(5000), Format.MP4).code is Code.REBUILD_FAILED
    assert refusal(b"", Format.WEBM).code is Code.REBUILD_FAILED
    assert refusal(samples.webm(), Format.MP4).code is Code.REBUILD_FAILED


def test_a_full_disk_is_not_the_films_fault() -> None:
    raw, out = os.memfd_create("raw"), os.open("/dev/full", os.O_RDWR)
    os.write(raw, samples.jpeg())
    facts, findings = remake(raw, out, format=Format.JPEG, recipe=Recipe(quality=90), limits=LIMITS)
    assert facts is None
    assert "world" in findings[0].detail
    os.close(out)


@pytest.mark.slow
def test_memory_is_constant_and_the_time_short(tmp_path: object) -> None:
    small = samples.mp4(4, width=1280, height=720, options={"crf": "1"})
    with av.open(io.BytesIO(small)) as source, av.open(f"{tmp_path}/long.mp4", "w") as sink:
        outlets = {stream.index: sink.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        all_packets = [
            (p.stream_index, bytes(p), p.pts, p.dts, p.duration, p.is_keyframe)
            for p in source.demux()
            if p.dts is not None
        ]
        bases = {stream.index: stream.time_base for stream in source.streams}
        for turn in range(max(1, (100 << 20) // len(small))):
            for index, content, pts, dts, duration, key in all_packets:
                packet = av.Packet(content)
                packet.stream, packet.time_base = outlets[index], bases[index]
                shift = round(turn * 4.2 / bases[index])
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                packet.is_keyframe = key
                sink.mux_one(packet)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    raw = os.open(f"{tmp_path}/long.mp4", os.O_RDONLY)
    out = os.open(f"{tmp_path}/new.mp4", os.O_RDWR | os.O_CREAT)
    facts, findings = remake(raw, out, format=Format.MP4, recipe=Recipe(quality=90), limits=LIMITS)
    assert facts is not None, findings
    assert facts.packets_in == facts.packets_out
    assert os.fstat(raw).st_size > 60 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10  # KiB

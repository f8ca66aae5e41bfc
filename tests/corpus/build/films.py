"""Small films: 160 by 120 points, a second long, with whatever tracks and tags are asked for.

What enters: what the film is to have. What leaves: its bytes, the same each time (no dates, no random identifiers,
one thread for each encoder).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction

import av

from tests.samples import _ASS_HEADER, _tone, picture

RATE = 25
_MATROSKA = {"webm", "matroska"}
_PIXELS = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p"}
_OPTIONS = {
    "libx264": {"preset": "ultrafast", "threads": "1"},
    "libx265": {"preset": "ultrafast", "x265-params": "pools=none:frame-threads=1:log-level=none"},
    "libvpx": {"cpu-used": "8", "deadline": "realtime", "threads": "1"},
    "libvpx-vp9": {"cpu-used": "8", "deadline": "realtime", "threads": "1"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
}


def film(
    *,
    form: str = "mp4",
    codec: str = "libx264",
    audio: str = "aac",
    size: tuple[int, int] = (160, 120),
    frames: int = 25,
    rate: int = RATE,
    tags: Mapping[str, str] | None = None,
    stream_tags: Mapping[str, str] | None = None,
    cover: bytes = b"",
    data: Sequence[tuple[str, bytes]] = (),
    words: str = "",
    chapters: Sequence[str] = (),
    movflags: str = "",
    pixels: str = "",
    codec_tag: str = "",
    pauses: bool = False,
    bitexact: bool = True,
    sounds: int = 1,
    pictures: int = 1,
    between: int = 0,
    attachments: Sequence[tuple[str, str, bytes]] = (),
) -> bytes:
    """One film.

    `data` are timed-metadata tracks (codec, payload), `words` a subtitle track, `pauses` makes the frame rate vary,
    `between` is the number of B frames, `attachments` (Matroska only) are (name, media type, content).
    """
    out = io.BytesIO()
    # FFmpeg's own way of putting the index first opens the file a second time, by name; room kept for it needs none.
    options = {"moov_size": "20000"} if movflags == "faststart" else {"movflags": movflags} if movflags else {}
    with av.open(out, "w", format=form, options=options) as container:
        if bitexact:
            container.flags |= 0x400
        container.metadata.update(dict(tags or {}))
        shown = [_picture_stream(container, codec, size, rate, pixels, codec_tag, between) for _ in range(pictures)]
        heard = [_sound_stream(container, audio) for _ in range(sounds if audio else 0)]
        packets = _packets(container, form=form, data=data, words=words, cover=cover)
        for name, kind, content in attachments:
            container.add_attachment(name, kind, content)
        for stream in shown:
            stream.metadata.update(dict(stream_tags or {}))
        if chapters:
            container.set_chapters(_chapters(chapters))
        for stream in shown:
            _write_pictures(container, stream, size=size, frames=frames, rate=rate, pauses=pauses)
        for stream in heard:
            _write_tone(container, stream, seconds=frames / rate)
        for stream, payload in packets:
            _write_packet(container, stream, payload)
    return out.getvalue()


def turned(content: bytes, degrees: int) -> bytes:
    """An MP4 that says its picture is to be turned when shown."""
    one, none, matrix = 1.0, 0.0, {}
    matrix[90] = (none, one, -one, none)
    matrix[180] = (-one, none, none, -one)
    matrix[270] = (none, -one, one, none)
    return displayed(content, *matrix[degrees])


def displayed(content: bytes, a: float, b: float, c: float, d: float, *, move: tuple[int, int] = (0, 0)) -> bytes:
    """An MP4 with these numbers in the display matrix of its first track."""
    values = [round(number * 0x10000) for number in (a, b, 0, c, d, 0, *move)]
    at = content.index(b"tkhd") + 4 + 40
    return content[:at] + struct.pack(">9i", *values, 0x40000000) + content[at + 36 :]


def small_jpeg(width: int = 64, height: int = 48) -> bytes:
    """A picture for a cover or a thumbnail."""
    out = io.BytesIO()
    picture(width, height).save(out, "JPEG", quality=70)
    return out.getvalue()


def _picture_stream(
    container: av.container.OutputContainer,
    codec: str,
    size: tuple[int, int],
    rate: int,
    pixels: str,
    codec_tag: str,
    between: int,
) -> av.VideoStream:
    stream = container.add_stream(codec, rate=rate, options=dict(_OPTIONS.get(codec, {})))
    stream.width, stream.height = size
    stream.pix_fmt = pixels or _PIXELS.get(codec, "yuv420p")
    stream.codec_context.gop_size = rate
    if between:
        stream.codec_context.max_b_frames = between
    if codec_tag:
        stream.codec_context.codec_tag = codec_tag
    return stream


def _sound_stream(container: av.container.OutputContainer, audio: str) -> av.AudioStream:
    return container.add_stream(audio, rate=48_000, options={"strict": "experimental"})


def _write_pictures(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    *,
    size: tuple[int, int],
    frames: int,
    rate: int,
    pauses: bool,
) -> None:
    kinds = [av.VideoFrame.from_image(picture(*size, shift=number)) for number in range(min(frames, 5))]
    at = 0
    for number in range(frames):
        frame = kinds[number % len(kinds)].reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = at, Fraction(1, rate)
        at += 3 if pauses and number % 7 == 3 else 1
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _packets(
    container: av.container.OutputContainer, *, form: str, data: Sequence[tuple[str, bytes]], words: str, cover: bytes
) -> list[tuple[av.stream.Stream, bytes]]:
    """The streams of one packet each, and what that is."""
    made = [(container.add_data_stream(name), payload) for name, payload in data]
    if words:
        said = container.add_stream("webvtt" if form in _MATROSKA else "mov_text")
        said.codec_context.subtitle_header = _ASS_HEADER
        made.append((said, _cue(words, form)))
    if cover:
        art = container.add_stream("mjpeg")
        art.width, art.height, art.pix_fmt = 64, 48, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        made.append((art, cover))
    return made


def _write_tone(container: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float) -> None:
    for frame in _tone(seconds, stream.codec_context.format.name):
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def _write_packet(container: av.container.OutputContainer, stream: av.stream.Stream, payload: bytes) -> None:
    packet = av.Packet(payload)
    packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 500
    packet.time_base = Fraction(1, 1000)
    container.mux(packet)


def _cue(words: str, form: str) -> bytes:
    said = words.encode()
    return said if form in _MATROSKA else len(said).to_bytes(2, "big") + said


def _chapters(names: Sequence[str]) -> list[dict[str, object]]:
    return [
        {"id": n, "start": n * 300, "end": n * 300 + 300, "time_base": Fraction(1, 1000), "metadata": {"title": name}}
        for n, name in enumerate(names)
    ]

"""A real decode of a film, sampled: MP4, MOV and WebM, within limits that apply before any frame is decoded.

What enters: a seekable file object on an untrusted film. What leaves: its facts and what it holds besides picture
and sound, or `Unfit`. The cost does not grow with its size: a bounded number of key frames and of first sounds.
Runs only in a sandbox child: FFmpeg's libraries are not trusted.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream
from PIL import Image

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.fingerprint import SIDE, fingerprints
from transfer.inspection.metadata import all_tags, metadata_findings, note_tags
from transfer.inspection.noticed import Unfit, noticed, printable
from transfer.inspection.picture_words import Words
from transfer.inspection.structure import check_structure, dissect_film, structure_findings
from transfer.model.findings import Code, Finding
from transfer.model.fingerprint import Fingerprint
from transfer.model.limits import MediaLimits
from transfer.model.media import PLAIN_SOUND, Format, MediaFacts, StreamFacts
from transfer.model.search import Search
from transfer.model.turn import QUARTERS, orientation

KEY_FRAMES = 5  # sampled over the length of the film, the first and the last among them
SOUNDS = 12  # audio frames decoded at the beginning
MAX_PACKETS = 4_000  # read in search of one frame; more means that there is none to find

_DEMUXERS = {Format.MP4: "mp4", Format.MOV: "mov", Format.WEBM: "webm"}
_CODECS: Mapping[Format, frozenset[str]] = MappingProxyType(
    {
        Format.MP4: frozenset({"h264", "hevc", "av1", "vp9", "aac", "mp3", "opus"}) | PLAIN_SOUND,
        Format.MOV: frozenset({"h264", "hevc", "av1", "vp9", "aac", "mp3", "opus"}) | PLAIN_SOUND,
        Format.WEBM: frozenset({"vp8", "vp9", "av1", "opus", "vorbis"}),
    }
)
# Films whose colours only Dolby Vision's own data make right; those that are right without it have H.265's tags.
_DOLBY, _DOLBY_ONLY = "dolby-vision", frozenset({"dvh1", "dvhe", "dva1", "dvav", "dav1"})
_BROKEN = (av.error.FFmpegError, OSError, ValueError, EOFError, ArithmeticError, LookupError, TypeError, RuntimeError)


def warm_video() -> None:
    """Import all of PyAV and run a tiny film through it: afterwards it imports and opens nothing more."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.startswith("av.__"):
            importlib.import_module(module.name)
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 16
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode())
    out.seek(0)
    with av.open(out, "r", format="mp4") as container:
        next(container.decode(video=0))


def decode_video(
    source: BinaryIO,
    size: int,
    *,
    form: Format,
    limits: MediaLimits,
    search: Search,
    prints: list[Fingerprint] | None = None,
    words: Words | None = None,
) -> tuple[MediaFacts, tuple[Finding, ...]]:
    """The facts of a film and what it holds besides picture and sound; `size` is the file's, in bytes.

    The chosen streams are the first real picture and the first sound; all others are reported and left behind.
    `prints` gets the fingerprints of the key frames that are decoded; `words` is shown each of them.
    Raises Unfit: UNDECODABLE, TYPE_MISMATCH, NO_PICTURE_STREAM, CODEC_NOT_ALLOWED, TOO_MANY_STREAMS, TOO_MANY_PIXELS,
    TOO_LONG, MALFORMED_STRUCTURE.
    """
    found = _dissect(source, size, form)
    check_structure(found, limits)
    inside = structure_findings(found)
    source.seek(0)
    try:
        with av.open(source, "r", format=_DEMUXERS[form], metadata_errors="replace") as container:
            picture, sound = _chosen(container, form, limits)
            seconds = _checked_seconds(container, picture, limits)
            turned = _decode_key_frames(container, picture, seconds, prints, words)
            if sound is not None:
                _decode_first_sounds(container, sound)
            extras = _extra_streams(container, {picture.index, sound.index if sound is not None else -1})
            place = note_tags(found, all_tags(container.metadata, [s.metadata for s in container.streams]))
            facts = _facts(container, picture, form, seconds, turned=turned)
    except _BROKEN as error:
        if isinstance(error, MemoryError):  # FFmpeg's own: the sandbox's limit, not the file's fault alone
            raise
        raise Unfit(Code.UNDECODABLE, inside, problem=printable(f"{type(error).__name__}: {error}")) from None
    return facts, (*inside, *extras, *metadata_findings(found, search, place=place))


def _dissect(source: BinaryIO, size: int, form: Format) -> Anatomy:
    def read(at: int, length: int) -> bytes:
        source.seek(at)
        return source.read(length)

    return dissect_film(read, size, form)


def _chosen(container: InputContainer, form: Format, limits: MediaLimits) -> tuple[VideoStream, AudioStream | None]:
    """The picture and the sound that will be kept, their codecs and dimensions checked; nothing is decoded yet."""
    streams = container.streams
    if len(streams) > limits.streams:
        raise Unfit(Code.TOO_MANY_STREAMS, streams=len(streams), limit=limits.streams)
    pictures = [stream for stream in streams.video if not stream.disposition & Disposition.attached_pic]
    if not pictures:
        raise Unfit(Code.NO_PICTURE_STREAM, streams=len(streams))
    picture, sound = pictures[0], streams.audio[0] if streams.audio else None
    for stream in (picture, sound):
        if stream is not None and _codec(stream) not in _CODECS[form]:
            raise Unfit(Code.CODEC_NOT_ALLOWED, kind=stream.type, codec=_codec(stream))
    width, height = picture.codec_context.width, picture.codec_context.height
    if min(width, height) < 1:
        raise Unfit(Code.UNDECODABLE, problem="the picture has no size")
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise Unfit(Code.TOO_MANY_PIXELS, width=width, height=height, limit=limits.pixels, side=limits.side)
    # A stream may announce one size and carry another: the decoder itself holds to the limit.
    picture.codec_context.options = {"max_pixels": str(limits.pixels)}
    return picture, sound


def _checked_seconds(container: InputContainer, picture: VideoStream, limits: MediaLimits) -> float:
    """How long it is by its own account, the longest of all accounts."""
    lengths = [(container.duration or 0) / av.time_base]
    lengths += [float(s.duration * s.time_base) for s in container.streams if s.duration and s.time_base]
    seconds = max(lengths)
    if seconds > limits.seconds:
        raise Unfit(Code.TOO_LONG, seconds=int(seconds), limit=limits.seconds)
    if picture.time_base is None:
        raise Unfit(Code.UNDECODABLE, problem="the picture has no time base")
    return seconds


def _decode_key_frames(
    container: InputContainer,
    picture: VideoStream,
    seconds: float,
    prints: list[Fingerprint] | None,
    words: Words | None,
) -> bool:
    """Decode a few key frames over its length; whether the picture is turned by a quarter when shown."""
    picture.codec_context.skip_frame = "NONKEY"
    turn = 1
    smalls: list[Image.Image] = []
    seen: set[int | None] = set()
    for number in range(KEY_FRAMES):
        if number:
            at = int(seconds * 1_000_000 * number / (KEY_FRAMES - 1))
            container.seek((container.start_time or 0) + at, backward=True)
        frame = _next_frame(container, picture)
        if frame is None and not number:
            raise Unfit(Code.UNDECODABLE, problem="there is no picture to decode")
        if frame is None or frame.pts in seen:
            continue
        if frame.is_corrupt:
            raise Unfit(Code.UNDECODABLE, problem="a picture is damaged")
        seen.add(frame.pts)
        turn = orientation(frame.side_data)
        if prints is not None:
            shrunk = frame.reformat(SIDE, SIDE, "rgb24", interpolation="AREA")
            smalls.append(shrunk.to_image())  # type: ignore[no-untyped-call]  # PyAV says no types here
        if words is not None:
            words.look(frame.to_image())  # type: ignore[no-untyped-call]  # as above
    if prints is not None:
        prints.extend(fingerprints(smalls, orientation=turn))
    return turn in QUARTERS


def _next_frame(container: InputContainer, picture: VideoStream) -> av.VideoFrame | None:
    for number, packet in enumerate(container.demux(picture)):
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                return frame
        if number >= MAX_PACKETS:
            break
    return None


def _decode_first_sounds(container: InputContainer, sound: AudioStream) -> None:
    container.seek(container.start_time or 0, backward=True)
    decoded = 0
    for number, packet in enumerate(container.demux(sound)):
        decoded += len(packet.decode())
        if decoded >= SOUNDS or number >= MAX_PACKETS:
            break
    if not decoded and sound.duration:
        raise Unfit(Code.UNDECODABLE, problem="there is no sound to decode")


def _extra_streams(container: InputContainer, kept: set[int]) -> tuple[Finding, ...]:
    return tuple(
        noticed(Code.EXTRA_STREAM, kind=stream.type, codec=_codec(stream), stream=stream.index)
        for stream in container.streams
        if stream.index not in kept
    )


def _facts(
    container: InputContainer, picture: VideoStream, form: Format, seconds: float, *, turned: bool
) -> MediaFacts:
    width, height = picture.codec_context.width, picture.codec_context.height
    rate = picture.average_rate or 0
    return MediaFacts(
        format=form,
        width=height if turned else width,
        height=width if turned else height,
        frames=picture.frames or round(float(rate) * seconds),
        duration_ms=round(seconds * 1_000),
        streams=tuple(StreamFacts(kind=s.type, codec=_codec(s)) for s in container.streams),
    )


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    if context is not None and context.codec_tag in _DOLBY_ONLY:
        return _DOLBY
    return printable(context.codec.canonical_name, limit=24) if context is not None else "none"

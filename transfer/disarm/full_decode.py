"""Decodes every packet of a film, picture and sound: what cannot be decoded is damaged, and where is said.

What enters: a film on a descriptor, or an open one with its chosen streams. What leaves: nothing, or its frames one by
one; or a Refusal with the time in the film. Time is bounded by the policy's length of a film and by a rate of pictures.
A codec without checksums (VP9, AV1, Opus) decodes many a changed bit to another picture or tone, and nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error

from transfer.disarm.film_streams import chosen_streams, damaged_at, open_film, whole_packets
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format

MOST_RATE = 240  # pictures a second: the slow motion of telephones
_GRACE = 2  # seconds
_STRICT = {"err_detect": "explode"}  # what a decoder could paint over is an error


def decode_everything(descriptor: int, form: Format, limits: MediaLimits) -> None:
    """Raises Refusal (undecodable with the time, too-long, too-many-frames), FFmpeg's errors for a broken container."""
    with open_film(descriptor, form) as film:
        for _ in frames_of(film, chosen_streams(film), limits):
            pass


def frames_of(film: Any, streams: list[Any], limits: MediaLimits) -> Iterator[tuple[int, Any]]:
    """The number of the stream among `streams`, and its next frame; in the order of the file. Raises Refusal."""
    for stream in streams:
        strict = _STRICT if stream.type == "video" else {}  # a sound that was cut begins with what cannot be decoded
        stream.codec_context.options = {"max_pixels": str(limits.pixels)} | strict
        stream.codec_context.thread_type = "AUTO"
    place = {stream.index: number for number, stream in enumerate(streams)}
    pictures, seconds = 0, Fraction(0)
    for packet in whole_packets(film.demux(streams)):
        number = place[packet.stream_index]
        if packet.pts is not None:
            seconds = Fraction(packet.pts * packet.time_base)
        for frame in _decoded(packet, number, seconds):
            pictures += number == 0
            _check(frame, pictures, limits)
            yield number, frame
    for number, stream in enumerate(streams):
        for frame in _decoded(None, number, seconds, stream):
            frame.time_base = stream.time_base  # FFmpeg does not say it of these
            pictures += number == 0
            _check(frame, pictures, limits)
            yield number, frame
    if not pictures:
        raise damaged_at(Fraction(0))


def _decoded(packet: Any, number: int, seconds: Fraction, stream: Any = None) -> list[Any]:
    """The frames of one packet, or, of a stream that has ended, those that its decoder still holds."""
    try:
        frames = list(packet.decode() if packet is not None else stream.codec_context.decode(None))
    except MemoryError:
        raise
    except av.error.FFmpegError:
        raise damaged_at(seconds, is_sound=number > 0) from None
    for frame in frames:
        if frame.is_corrupt:
            at = Fraction(frame.pts * frame.time_base) if frame.pts is not None else seconds
            raise damaged_at(at, is_sound=number > 0)
    return frames


def _check(frame: Any, pictures: int, limits: MediaLimits) -> None:
    if frame.pts is not None and frame.pts * frame.time_base > limits.seconds + _GRACE:
        raise Refusal(f"The film is longer than {limits.seconds} seconds.", code=Code.TOO_LONG)
    if pictures > MOST_RATE * (limits.seconds + _GRACE):
        raise Refusal(f"The film has more than {MOST_RATE} pictures a second.", code=Code.TOO_MANY_FRAMES)

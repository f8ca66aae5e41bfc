"""Films made anew from their pictures and sounds: decoded from the first packet to the last, and encoded again.

What enters: an MP4, QuickTime or WebM film on a descriptor. What leaves: an MP4 (from MP4 and QuickTime) or a WebM on
the other descriptor, of which no packet is the sender's: nothing can hide in one, and no encoder's note is left. Every
picture is there once, at its own time; sound keeps its place beside it; the film stands upright. The result is read
again, and pictures, times and lengths must agree.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from transfer.disarm.descriptors import Outflow
from transfer.disarm.encoders import PictureEncoder, SoundEncoder
from transfer.disarm.film_streams import (
    BITEXACT,
    BUFFER,
    WRITERS,
    chosen_streams,
    has_alpha,
    open_film,
    removed_names,
    whole_packets,
)
from transfer.disarm.full_decode import frames_of
from transfer.disarm.tidy_mp4 import tidy_mp4
from transfer.disarm.tidy_webm import tidy_webm
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Recipe

_PICTURES_AGREE = 2_000  # microseconds: WebM counts in milliseconds
_SOUND_AGREES = 60_000  # microseconds: an encoder fills its last packet, and begins before the first sound
_MICRO = 1_000_000


@dataclass(slots=True)
class _Times:
    """When the frames of one stream are shown or heard, in microseconds of the film."""

    at: array[int] = field(default_factory=lambda: array("q"))
    end: int = 0

    def add(self, pts: int | None, time_base: Fraction, seconds: Fraction) -> None:
        """One more; `seconds` is its length, 0 where it is not known. Raises Refusal."""
        if pts is None:
            raise Refusal("A picture or sound of the film has no time.", code=Code.REBUILD_FAILED)
        at = pts * time_base
        self.at.append(round(at * _MICRO))
        self.end = max(self.end, round((at + seconds) * _MICRO))


def encode_video(raw: int, out: int, *, form: Format, recipe: Recipe, limits: MediaLimits) -> RebuildFacts:  # noqa: ARG001
    """Writes the new film. Raises Refusal, OutputFault, and FFmpeg's errors for a broken film.

    `packets_in` and `packets_out` are pictures: those that were decoded and those of the new film.
    """
    target = Format.WEBM if form is Format.WEBM else Format.MP4
    room = _header_room(raw, form, limits) if target is Format.MP4 else 0
    firsts = _first_frames(raw, form, limits)
    with open_film(raw, form, last=True) as source:
        streams = chosen_streams(source)
        if has_alpha(streams[0]):
            raise Refusal("A transparent film cannot be encoded anew.", code=Code.REBUILD_FAILED)
        removed = removed_names(source, streams)
        coded = ", ".join(stream.codec_context.codec.canonical_name for stream in streams)
        work = _Work(source=source, streams=streams, firsts=firsts, target=target, limits=limits)
        pictures = work.write(out, room)
    if target is Format.WEBM:
        tidy_webm(out)
    else:
        tidy_mp4(out, [None for _ in work.encoders])
    after = _read(out, target)
    _compare(work.times, after)
    lost = tuple(name for encoder in work.encoders if encoder is not None for name in encoder.removed)
    return RebuildFacts(
        format=target,
        width=pictures.width,
        height=pictures.height,
        frames=len(after[0].at),
        duration_ms=max(times.end for times in after) // 1000,
        packets_in=len(work.times[0].at),
        packets_out=len(after[0].at),
        removed=(*removed, *lost, f"coding by the sender's program ({coded})"),
    )


@dataclass(slots=True, kw_only=True)
class _Work:
    """The frames on their way from decoders to encoders, which are set up by the first frame of each stream."""

    source: Any
    streams: list[Any]
    firsts: dict[int, Any]
    target: Format
    limits: MediaLimits
    times: list[_Times] = field(default_factory=list)
    encoders: list[Any] = field(default_factory=list)

    def write(self, out: int, room: int) -> PictureEncoder:
        """Everything, into `out`, with so many bytes reserved for the header."""
        self.times = [_Times() for _ in self.streams]
        self.encoders = [None for _ in self.streams]
        options = {}
        if self.target is Format.MP4:
            clock = min(max(self.streams[0].time_base.denominator, 1000), _MICRO)
            options = {"movie_timescale": str(clock), "moov_size": str(room)}
        os.ftruncate(out, 0)
        flow = Outflow(out)
        sink = av.open(flow, "w", format=WRITERS[self.target], options=options, buffer_size=BUFFER)
        try:
            sink.flags |= BITEXACT
            sink.metadata.clear()
            self._set_up(sink)
            for number, frame in frames_of(self.source, self.streams, self.limits):
                self._note(number, frame)
                self._mux(sink, number, frame)
                if flow.tell() > self.limits.video_bytes:
                    raise Refusal("Encoded anew, the film would be too large.", code=Code.TOO_LARGE)
            for number in range(len(self.streams)):
                self._mux(sink, number, None)
        finally:
            sink.close()
        pictures = self.encoders[0]
        if not isinstance(pictures, PictureEncoder):
            raise Refusal("The film has no picture.", code=Code.NO_PICTURE_STREAM)
        return pictures

    def _set_up(self, sink: Any) -> None:
        for number, first in self.firsts.items():
            if number:
                self.encoders[number] = SoundEncoder(sink, first, self.target)
            else:
                self.encoders[number] = PictureEncoder(sink, self.streams[number], first, self.target)
        sink.start_encoding()  # before any packet is filtered: a filter takes over what the encoder says of itself

    def _note(self, number: int, frame: Any) -> None:
        length = Fraction(frame.samples, frame.sample_rate) if number else frame.duration * frame.time_base
        self.times[number].add(frame.pts, frame.time_base, length)

    def _mux(self, sink: Any, number: int, frame: Any) -> None:
        encoder = self.encoders[number]
        if encoder is not None:
            for packet in encoder.packets(frame):
                packet.stream = encoder.stream
                sink.mux_one(packet)


def _first_frames(raw: int, form: Format, limits: MediaLimits) -> dict[int, Any]:
    """The first frame of each stream that has one, by the stream's number."""
    firsts: dict[int, Any] = {}
    with open_film(raw, form) as film:
        streams = chosen_streams(film)
        for number, frame in frames_of(film, streams, limits):
            firsts.setdefault(number, frame)
            if len(firsts) == len(streams):
                break
    return dict(sorted(firsts.items()))


def _header_room(raw: int, form: Format, limits: MediaLimits) -> int:
    """Bytes that the header cannot exceed: 45 a sample if each had a chunk, a time and a flag of its own."""
    with open_film(raw, form) as film:
        streams = chosen_streams(film)
        packets, seconds = 0, 0.0
        for packet in whole_packets(film.demux(streams)):
            packets += 1
            if packet.pts is not None:
                seconds = max(seconds, float(packet.pts * packet.time_base))
    sounds = int(min(seconds, limits.seconds + 10) * 50) if len(streams) > 1 else 0
    return 45 * (packets + sounds) + 32_768


def _read(out: int, target: Format) -> list[_Times]:
    """The new film from its first to its last packet."""
    with open_film(out, target) as film:
        found = [_Times() for _ in film.streams]
        for packet in whole_packets(film.demux()):
            if not packet.is_discard:
                length = (packet.duration or 0) * packet.time_base
                found[packet.stream_index].add(packet.pts, packet.time_base, length)
    return found


def _compare(before: list[_Times], after: list[_Times]) -> None:
    """Raises Refusal unless each picture is there at its time, and the sound begins and ends where it did."""
    old, new = sorted(before[0].at), sorted(after[0].at)
    if len(old) != len(new) or any(abs(a - b) > _PICTURES_AGREE for a, b in zip(old, new, strict=True)):
        raise Refusal("The new film would not have each picture at its time.", code=Code.REBUILD_FAILED)
    sounds = [times for times in before[1:] if times.at]
    if len(sounds) != len(after) - 1:
        raise Refusal("The new film would not have the sound of the old one.", code=Code.REBUILD_FAILED)
    for was, now in zip(sounds, after[1:], strict=True):
        begins, ends = abs(min(was.at) - min(now.at)), abs(was.end - now.end)
        if max(begins, ends) > _SOUND_AGREES:
            raise Refusal("The new film would not keep picture and sound in time.", code=Code.REBUILD_FAILED)

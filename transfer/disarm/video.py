"""Films made anew: the pictures and sounds of one video and one audio stream in a new container, and nothing else.

What enters: an MP4, QuickTime or WebM film on a descriptor. What leaves: an MP4 (from MP4 and QuickTime) or a WebM on
the other descriptor, with the same packets, times, edit list and rotation; no tags, no dates, neutral names.
Nothing is decoded unless the policy wants all of it decoded (`full_decode`). Of a packet stays what makes the picture,
bit for bit (`lanes`); sound stays as it is, or becomes AAC where it is not coded. Every packet is counted and hashed as
it goes out; the result is then read again from its first to its last byte, and its packets, digests and times must be
the same. Memory is constant in the file's size.

What an edit list cuts away at the end is not taken along, and where something of it must stay because shown pictures
are built on it, the new edit list hides it again; what it cuts away at the beginning stays hidden from the last key
picture on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from transfer.disarm.descriptors import Outflow
from transfer.disarm.film_streams import (
    BITEXACT,
    BUFFER,
    WRITERS,
    chosen_streams,
    open_film,
    removed_names,
    whole_packets,
)
from transfer.disarm.full_decode import decode_everything
from transfer.disarm.lanes import Lane, SoundLane, lane_for
from transfer.disarm.tidy_mp4 import tidy_mp4
from transfer.disarm.tidy_webm import tidy_webm
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import PLAIN_SOUND, Format, RebuildFacts
from transfer.model.recipe import Decode, Recipe

_SOUND_AGREES = Fraction(60, 1000)  # seconds: an encoder fills its last packet, and begins before the first sound
_AGREE = Fraction(2, 1000)  # seconds that two streams may shift against each other: WebM counts in milliseconds


@dataclass(slots=True)
class _Tally:
    """What has been seen of one stream's packets."""

    packets: int = 0
    content: Any = field(default_factory=hashlib.sha256)
    times: Any = field(default_factory=hashlib.sha256)
    origin: Fraction | None = None  # when the first packet is shown, in seconds
    last: Fraction = Fraction(0)  # when the last one is shown
    shown: int = 0  # packets that no edit list hides
    begin: Fraction | None = None  # when the first of those is shown, and when the last of them is over
    end: Fraction = Fraction(0)

    def add(self, packet: Any, *, is_hidden: bool) -> None:
        """One more packet; hidden by the edit list or not."""
        self.packets += 1
        self.content.update(packet)
        if packet.pts is None:
            return
        at = Fraction(packet.pts * packet.time_base)
        if self.origin is None:
            self.origin = at
        self.times.update(round((at - self.origin) * 1_000_000).to_bytes(8, "big", signed=True))
        self.last = max(self.last, at)
        if is_hidden:
            return
        self.shown += 1
        self.begin = at if self.begin is None else min(self.begin, at)
        self.end = max(self.end, at + (packet.duration or 0) * packet.time_base)

    @property
    def start(self) -> Fraction:
        """When the first packet is shown, in seconds."""
        return self.origin or Fraction(0)

    @property
    def length(self) -> Fraction:
        """How long it is shown, in seconds."""
        return max(self.end - max(self.begin or Fraction(0), Fraction(0)), Fraction(0))


def remake_video(raw: int, out: int, *, form: Format, recipe: Recipe, limits: MediaLimits) -> RebuildFacts:
    """Writes the new film. Raises Refusal, OutputFault, and FFmpeg's errors for a broken film."""
    target = Format.WEBM if form is Format.WEBM else Format.MP4
    with open_film(raw, form, last=True) as source:
        streams = chosen_streams(source)
        removed = removed_names(source, streams)
        width, height = streams[0].codec_context.width, streams[0].codec_context.height
        exactly = target is Format.MP4 or all(stream.time_base == Fraction(1, 1000) for stream in streams)
        lanes, before = _copy(source, streams, out, target)
    if target is Format.WEBM:
        tidy_webm(out)
    elif tidy_mp4(out, [tally.length if lane.is_cut else None for lane, tally in zip(lanes, before, strict=True)]):
        width, height = height, width
    after = _tally(out, target)
    _compare(lanes, before, after, exactly=exactly)
    left_out = [name for lane in lanes for name in lane.removed]
    if recipe.decode is Decode.ALL:
        decode_everything(out, target, limits)
    return RebuildFacts(
        format=target,
        width=width,
        height=height,
        frames=before[0].packets,
        duration_ms=round(1000 * max(tally.length for tally in before)),
        packets_in=sum(tally.packets for tally in before),
        packets_out=sum(tally.packets for tally in after),
        removed=tuple(dict.fromkeys((*removed, *left_out))),
    )


def header_room(streams: list[Any]) -> int:
    """Bytes that the header of an MP4 cannot exceed: 45 a sample if each had a chunk, a time and a flag of its own.

    0 for a fragmented film, which does not say how many samples it has: its header is written behind the media.
    """
    if any(stream.frames == 0 for stream in streams):
        return 0
    samples = sum(_samples(stream) for stream in streams)
    extra: int = sum(len(stream.codec_context.extradata or b"") for stream in streams)
    return 45 * samples + 8 * extra + 16_384


def _samples(stream: Any) -> int:
    if stream.codec_context.codec.canonical_name in PLAIN_SOUND:  # every number is one; encoded, they are 47 a second
        return int(50 * (stream.duration or 0) * stream.time_base) + 50
    return int(max(stream.frames, len(stream.index_entries)))


def _copy(source: Any, streams: list[Any], out: int, target: Format) -> tuple[list[Lane], list[_Tally]]:
    """Writes the packets; the lanes they took, and what they were, stream by stream."""
    options = {}
    if target is Format.MP4:
        # Edit lists count in the movie's own clock: with the picture's one no start is rounded.
        options["movie_timescale"] = str(min(max(streams[0].time_base.denominator, 1000), 1_000_000))
        # `faststart` would open the file a second time by name; room kept at the front needs no name.
        options["moov_size"] = str(header_room(streams))
    os.ftruncate(out, 0)
    sink = av.open(Outflow(out), "w", format=WRITERS[target], options=options, buffer_size=BUFFER)
    try:
        sink.flags |= BITEXACT
        lanes = [lane_for(sink, stream, target) for stream in streams]
        sink.metadata.clear()
        tallies = [_Tally() for _ in streams]
        place = {stream.index: number for number, stream in enumerate(streams)}

        def write(number: int, packets: Iterator[tuple[Any, bool]]) -> None:
            for packet, is_hidden in packets:
                tallies[number].add(packet, is_hidden=is_hidden)
                sink.mux_one(packet)

        for packet in whole_packets(source.demux(streams)):
            number = place[packet.stream_index]
            write(number, lanes[number].packets(packet))
        for number, lane in enumerate(lanes):
            write(number, lane.rest())
    finally:
        sink.close()
    return lanes, tallies


def _tally(out: int, target: Format) -> list[_Tally]:
    """Reads the new film from its first to its last packet."""
    with open_film(out, target) as result:
        tallies = [_Tally() for _ in result.streams]
        for packet in whole_packets(result.demux()):
            tallies[packet.stream_index].add(packet, is_hidden=packet.is_discard)
    return tallies


def _compare(lanes: list[Lane], before: list[_Tally], after: list[_Tally], *, exactly: bool) -> None:
    """The new film against the old one. Times are compared packet by packet where both count in the same units."""
    same = len(before) == len(after) and all(
        (old.packets, old.content.digest()) == (new.packets, new.content.digest())
        and (old.shown == new.shown or not lane.is_copied)
        for lane, old, new in zip(lanes, before, after, strict=True)
    )
    if not same or not before[0].packets:
        raise Refusal("The new film does not have the packets of the old one.", code=Code.REBUILD_FAILED)
    for lane, old, new in zip(lanes, before, after, strict=True):
        length = abs((new.last - new.start) - (old.last - old.start))
        shift = abs((new.start - after[0].start) - (old.start - before[0].start))
        timed = not exactly or old.times.digest() == new.times.digest()
        if max(length, shift) > _AGREE or not timed or not _in_place(lane, new):
            raise Refusal("The new film would not keep picture and sound in time.", code=Code.REBUILD_FAILED)


def _in_place(lane: Lane, new: _Tally) -> bool:
    """Whether sound that was encoded is heard from when to when it was."""
    if not isinstance(lane, SoundLane):
        return True
    begins = abs((lane.begin or Fraction(0)) - (new.begin or Fraction(0)))
    return max(begins, abs(lane.end - new.end)) <= _SOUND_AGREES

"""Films made anew: the pictures and sounds of one video and one audio stream in a new container, and nothing else.

What enters: an MP4, QuickTime or WebM film on a descriptor. What leaves: an MP4 (from MP4 and QuickTime) or a WebM on
the other descriptor, with the same packets, times, edit list and rotation; no tags, no dates, neutral names.
Nothing is decoded unless the policy wants all of it decoded (`full_decode`). Of a packet stays what makes the picture,
bit for bit (`picture_units`); sound stays as it is. Every packet is counted and hashed as it goes out; the result is
then read again from its first to its last byte, and its packets, digests and times must be the same. Memory is constant
in the file's size.

What an edit list cuts away at the end is not taken along, and where something of it must stay because shown pictures
are built on it, the new edit list hides it again; what it cuts away at the beginning stays hidden from the last key
picture on.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from transfer.disarm.codec_headers import neutral_header
from transfer.disarm.descriptors import Outflow
from transfer.disarm.film_streams import (
    BITEXACT,
    BUFFER,
    WRITERS,
    chosen_streams,
    damaged_at,
    has_alpha,
    open_film,
    removed_names,
    whole_packets,
)
from transfer.disarm.full_decode import decode_everything
from transfer.disarm.picture_units import Sieve, sieve_for
from transfer.disarm.tidy_mp4 import tidy_mp4
from transfer.disarm.tidy_webm import tidy_webm
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Decode, Recipe

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
    is_cut: bool = False  # whether the edit list hides something behind what it shows

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
        sieves = [_sieve(stream) for stream in streams]
        before = _copy(source, streams, sieves, out, target)
    if target is Format.WEBM:
        tidy_webm(out)
    elif tidy_mp4(out, [tally.length if tally.is_cut else None for tally in before]):
        width, height = height, width
    left_out = [name for sieve in sieves if sieve is not None for name in sieve.left_out]
    after = _tally(out, target)
    _compare(before, after, exactly=exactly)
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
        removed=(*removed, *left_out, *(("what was cut off at the end",) if any(t.is_cut for t in before) else ())),
    )


def header_room(streams: list[Any]) -> int:
    """Bytes that the header of an MP4 cannot exceed: 45 a sample if each had a chunk, a time and a flag of its own.

    0 for a fragmented film, which does not say how many samples it has: its header is written behind the media.
    """
    if any(stream.frames == 0 for stream in streams):
        return 0
    samples: int = sum(max(stream.frames, len(stream.index_entries)) for stream in streams)
    extra: int = sum(len(stream.codec_context.extradata or b"") for stream in streams)
    return 45 * samples + 8 * extra + 16_384


def _sieve(stream: Any) -> Sieve | None:
    codec = stream.codec_context
    return sieve_for(codec.codec.canonical_name, codec.extradata or b"")


def _copy(source: Any, streams: list[Any], sieves: list[Sieve | None], out: int, target: Format) -> list[_Tally]:
    """Writes the packets and says what they were, stream by stream."""
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
        outlets = [_outlet(sink, stream, target) for stream in streams]
        sink.metadata.clear()
        tallies = [_Tally() for _ in streams]
        place = {stream.index: number for number, stream in enumerate(streams)}
        held: list[list[Any]] = [[] for _ in streams]
        for packet in whole_packets(source.demux(streams)):
            number = place[packet.stream_index]
            if packet.is_discard and tallies[number].shown:
                tallies[number].is_cut = True
                held[number].append(packet)  # taken along only if something shown follows, which may be built on it
                continue
            for each in (*held[number], packet):
                sifted = _sifted(each, sieves[number])
                tallies[number].add(sifted, is_hidden=each.is_discard)
                sifted.stream = outlets[number]
                sink.mux_one(sifted)
            held[number].clear()
    finally:
        sink.close()
    return tallies


def _sifted(packet: Any, sieve: Sieve | None) -> Any:
    """The packet, or one like it that holds only what stays. Raises Refusal for a damaged one, with its time."""
    try:
        content = sieve.sift(memoryview(packet)) if sieve is not None else None
    except ValueError:
        raise damaged_at(Fraction((packet.pts or 0) * packet.time_base)) from None
    if content is None:
        return packet
    sifted = av.Packet(content)
    sifted.time_base, sifted.pts, sifted.dts = packet.time_base, packet.pts, packet.dts
    sifted.duration, sifted.is_keyframe = packet.duration, packet.is_keyframe
    return sifted


def _outlet(sink: Any, stream: Any, target: Format) -> Any:
    try:
        outlet = sink.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        raise Refusal("This codec does not fit the new container.", code=Code.CODEC_NOT_ALLOWED) from error
    alpha = has_alpha(stream)
    outlet.metadata.clear()
    header = stream.codec_context.extradata
    if header:
        outlet.codec_context.extradata = neutral_header(stream.codec_context.name, header)
    if target is Format.MP4:
        # Apple's players know H.265 under hvc1 only; the tag must stay as it was, or hev1 would be written.
        outlet.codec_context.codec_tag = stream.codec_context.codec_tag
    elif alpha:
        outlet.metadata["alpha_mode"] = "1"
    return outlet


def _tally(out: int, target: Format) -> list[_Tally]:
    """Reads the new film from its first to its last packet."""
    with open_film(out, target) as result:
        tallies = [_Tally() for _ in result.streams]
        for packet in whole_packets(result.demux()):
            tallies[packet.stream_index].add(packet, is_hidden=packet.is_discard)
    return tallies


def _compare(before: list[_Tally], after: list[_Tally], *, exactly: bool) -> None:
    """The new film against the old one. Times are compared packet by packet where both count in the same units."""
    same = len(before) == len(after) and all(
        (old.packets, old.shown, old.content.digest()) == (new.packets, new.shown, new.content.digest())
        for old, new in zip(before, after, strict=True)
    )
    if not same or not before[0].packets:
        raise Refusal("The new film does not have the packets of the old one.", code=Code.REBUILD_FAILED)
    for old, new in zip(before, after, strict=True):
        length = abs((new.last - new.start) - (old.last - old.start))
        shift = abs((new.start - after[0].start) - (old.start - before[0].start))
        timed = not exactly or old.times.digest() == new.times.digest()
        if max(length, shift) > _AGREE or not timed:
            raise Refusal("The new film would not keep picture and sound in time.", code=Code.REBUILD_FAILED)

"""The ways of a film's packets into its new container: copied, or encoded where sound is not coded at all.

What enters: one packet after another of one stream. What leaves: the packets to be written, each with whether the edit
list hides it, and the names of what did not go along. Of pictures goes along what makes them (`picture_units`); coded
sound goes as it is. Cameras record sound as plain numbers (PCM), which no telephone plays from an MP4: it becomes AAC.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
import av.error

from transfer.disarm.codec_headers import neutral_header
from transfer.disarm.encoders import SoundEncoder
from transfer.disarm.film_streams import damaged_at, has_alpha
from transfer.disarm.picture_units import sieve_for
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.media import PLAIN_SOUND, Format


class Lane(Protocol):
    """One stream's way. `is_cut`: the edit list hides something behind what it shows."""

    is_cut: bool
    is_copied: bool

    @property
    def removed(self) -> tuple[str, ...]:
        """Names of what did not go along."""
        ...

    def packets(self, packet: Any) -> Iterator[tuple[Any, bool]]:
        """What is to be written when this packet comes, and whether it is hidden. Raises Refusal for damage."""
        ...

    def rest(self) -> Iterator[tuple[Any, bool]]:
        """What is still to be written when the last packet has come."""
        ...


def lane_for(sink: Any, stream: Any, target: Format) -> Lane:
    """The lane of this stream into `sink`. Raises Refusal for a codec that the container does not take."""
    is_plain = stream.codec_context.codec.canonical_name in PLAIN_SOUND
    return SoundLane(sink, stream, target) if is_plain else CopyLane(sink, stream, target)


class CopyLane:
    """Packets go along as they are, but for what no picture needs."""

    is_copied = True

    def __init__(self, sink: Any, stream: Any, target: Format) -> None:
        codec = stream.codec_context
        self._sieve = sieve_for(codec.codec.canonical_name, codec.extradata or b"")
        self._outlet = _outlet(sink, stream, target)
        self._held: list[Any] = []  # hidden behind what is shown: goes along only if something shown follows
        self._has_shown = False
        self.is_cut = False

    @property
    def removed(self) -> tuple[str, ...]:
        """As `Lane`."""
        names = tuple(self._sieve.left_out) if self._sieve is not None else ()
        return (*names, "what was cut off at the end") if self.is_cut else names

    def packets(self, packet: Any) -> Iterator[tuple[Any, bool]]:
        """As `Lane`."""
        if packet.is_discard and self._has_shown:
            self.is_cut = True
            self._held.append(packet)
            return
        for each in (*self._held, packet):
            self._has_shown = self._has_shown or not each.is_discard
            sifted = self._sifted(each)
            sifted.stream = self._outlet
            yield sifted, each.is_discard
        self._held.clear()

    def rest(self) -> Iterator[tuple[Any, bool]]:
        """As `Lane`: nothing."""
        return iter(())

    def _sifted(self, packet: Any) -> Any:
        """The packet, or one like it that holds only what stays."""
        try:
            content = self._sieve.sift(memoryview(packet)) if self._sieve is not None else None
        except ValueError:
            raise damaged_at(Fraction((packet.pts or 0) * packet.time_base)) from None
        if content is None:
            return packet
        sifted = av.Packet(content)
        sifted.time_base, sifted.pts, sifted.dts = packet.time_base, packet.pts, packet.dts
        sifted.duration, sifted.is_keyframe = packet.duration, packet.is_keyframe
        return sifted


class SoundLane:
    """Plain sound is encoded. It must begin and end where it did: `begin` and `end` are in seconds of the film."""

    is_copied = False
    is_cut = False

    def __init__(self, sink: Any, stream: Any, target: Format) -> None:
        self._encoder = SoundEncoder(sink, stream.codec_context, target)
        self._coded = stream.codec_context.name
        self.begin: Fraction | None = None
        self.end = Fraction(0)

    @property
    def removed(self) -> tuple[str, ...]:
        """As `Lane`."""
        return (f"the plain form of its sound ({self._coded}, now AAC)", *self._encoder.removed)

    def packets(self, packet: Any) -> Iterator[tuple[Any, bool]]:
        """As `Lane`."""
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            raise damaged_at(Fraction((packet.pts or 0) * packet.time_base), is_sound=True) from None
        for frame in frames:
            at = Fraction(frame.pts * frame.time_base)
            self.begin = at if self.begin is None else self.begin
            self.end = at + Fraction(frame.samples, frame.sample_rate)
            yield from self._encoded(frame)

    def rest(self) -> Iterator[tuple[Any, bool]]:
        """As `Lane`."""
        return self._encoded(None)

    def _encoded(self, frame: Any) -> Iterator[tuple[Any, bool]]:
        for packet in self._encoder.packets(frame):
            packet.stream = self._encoder.stream
            yield packet, packet.pts + (packet.duration or 0) <= 0  # what an encoder needs to begin with


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

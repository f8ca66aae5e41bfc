"""The encoders of a film made anew from pictures and sounds, and the filters before them.

What enters: decoded frames of a film of any kind that inspection lets through. What leaves: packets of H.264 (H.265 for
more than 8 bits) and AAC in an MP4, of VP9 and Opus in a WebM, without any note of an encoder: units of supplemental
information are taken out (`filter_units`), and FFmpeg's own encoders are told to be bit-exact, that is nameless.
A picture is turned upright, its colour tags are kept, and its sides are made even by leaving a line out at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.filter
from av.bitstream import BitStreamFilterContext

from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.turn import turn_of

_BITEXACT = 1 << 23  # AV_CODEC_FLAG_BITEXACT
_THREADS = 2
# Points of a picture that is encoded with more than 8 bits: x265 takes 1.2 GB for 4K, which a child does not have. The
# encoder of VP9 that comes with PyAV has 8 bits only.
_MOST_DEEP = 4_000_000
_FASTEST = 240  # pictures a second that an encoder is told of
_RATE = 48_000
_BITS_A_CHANNEL = 96_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # what both sound encoders write; others become stereo
_H264 = {"preset": "veryfast", "crf": "18"}
_H265 = {"preset": "fast", "crf": "19", "x265-params": "info=0:log-level=none:pools=2:frame-threads=1:rc-lookahead=10"}
_VP9 = {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"}
_NOTES = {"libx264": "filter_units=remove_types=6", "libx265": "filter_units=remove_types=39|40"}
_BT709, _NARROW, _FULL = 1, 1, 2
_TURNS: dict[tuple[int, int, int, int], tuple[str, ...]] = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): ("transpose=clock",),
    (-1, 0, 0, -1): ("hflip", "vflip"),
    (0, -1, 1, 0): ("transpose=cclock",),
    (-1, 0, 0, 1): ("hflip",),
    (1, 0, 0, -1): ("vflip",),
    (0, 1, 1, 0): ("transpose=cclock_flip",),
    (0, -1, -1, 0): ("transpose=clock_flip",),
}


class PictureEncoder:
    """One stream of pictures, set up by its first frame."""

    def __init__(self, sink: Any, source: Any, first: Any, target: Format) -> None:
        turn = _turn(first)
        deep = first.format.components[0].bits > 8
        shallow = deep and (target is Format.WEBM or first.width * first.height > _MOST_DEEP)
        deep = deep and not shallow
        codec, options = _picture_codec(target, deep=deep)
        wanted = "yuv420p10le" if deep else "yuv420p"
        self._shape = (first.width, first.height, first.format.name)
        width, height = first.width, first.height
        filters = ["bwdif=mode=send_frame"] if first.interlaced_frame else []
        if target is Format.MP4 and (width % 2 or height % 2):
            width, height = width - width % 2, height - height % 2
            filters.append(f"crop={width}:{height}:0:0")
        shrunk = (width, height) != (first.width, first.height)
        self.removed = ("a line of points at the edge",) * shrunk
        if shallow:
            self.removed += ("depth of more than 8 bits",)
        filters += turn
        rgb = first.format.is_rgb
        if rgb:
            filters.append("scale=out_color_matrix=bt709:out_range=tv")
        elif first.color_range == _FULL or first.format.name.startswith("yuvj"):
            filters.append("scale=in_range=pc:out_range=tv")  # every player knows the narrow range
        filters.append(f"format={wanted}")
        self.quarter = any("transpose" in step for step in turn)
        self.width, self.height = (height, width) if self.quarter else (width, height)
        self._graph = _picture_chain(first, source.time_base, filters)
        self.stream = sink.add_stream(codec, rate=_rate(source), options=options)
        self._context = context = self.stream.codec_context
        context.width, context.height, context.pix_fmt = self.width, self.height, wanted
        context.time_base = source.time_base
        context.thread_count = _THREADS
        context.flags |= _BITEXACT
        aspect = source.sample_aspect_ratio
        if aspect:
            context.sample_aspect_ratio = 1 / aspect if self.quarter else aspect
        context.color_range = _NARROW
        context.colorspace = _BT709 if rgb else first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        if codec == "libx265":
            context.codec_tag = "hvc1"
        self._notes = _NOTES.get(codec)
        self._filter: Any = None

    def packets(self, frame: Any) -> Iterator[Any]:
        """What comes out when this frame (None: the end) goes in. Raises Refusal."""
        if frame is not None and (frame.width, frame.height, frame.format.name) != self._shape:
            raise Refusal("The film changes the size or kind of its pictures.", code=Code.REBUILD_FAILED)
        self._graph.vpush(frame)
        for ready in _ready(self._graph.vpull):
            ready.pict_type = 0  # the encoder chooses
            yield from self._noteless(self.stream.encode(ready))
        if frame is None:
            yield from self._noteless(self.stream.encode(None))
            if self._filter is not None:
                yield from self._filter.filter(None)

    def _noteless(self, packets: list[Any]) -> Iterator[Any]:
        if packets and self._filter is None and self._notes:
            self._filter = BitStreamFilterContext(self._notes, self.stream, self.stream)
        for packet in packets:
            yield from self._filter.filter(packet) if self._filter is not None else [packet]


class SoundEncoder:
    """One stream of sound. Gaps are filled with silence, so that it stays in time."""

    def __init__(self, sink: Any, first: Any, target: Format) -> None:
        codec, form = ("libopus", "flt") if target is Format.WEBM else ("aac", "fltp")
        layout = _LAYOUTS.get(first.layout.nb_channels, "stereo")
        self.removed = ("further sound channels",) if first.layout.nb_channels not in _LAYOUTS else ()
        self._filters = (
            f"aresample={_RATE}:async=1:min_hard_comp=0.01",
            f"aformat=sample_fmts={form}:channel_layouts={layout}",
        )
        self._shape: tuple[object, ...] = ()
        self._graph: Any = None
        self.stream = sink.add_stream(codec, rate=_RATE, layout=layout)
        context = self.stream.codec_context
        context.format = form
        context.bit_rate = _BITS_A_CHANNEL * len(av.AudioLayout(layout).channels)
        context.flags |= _BITEXACT

    def packets(self, frame: Any) -> Iterator[Any]:
        """What comes out when this frame (None: the end) goes in."""
        shape = (frame.sample_rate, frame.format.name, frame.layout.name) if frame is not None else ()
        if frame is None or shape != self._shape:
            yield from self._emptied()
        if frame is None:
            yield from self.stream.encode(None)
            return
        if self._graph is None:
            self._graph, self._shape = _sound_chain(frame, self._filters), shape
        self._graph.push(frame)
        for ready in _ready(self._graph.pull):
            yield from self.stream.encode(ready)

    def _emptied(self) -> Iterator[Any]:
        """A telephone may change the rate in the middle: what the old filters still hold comes first."""
        if self._graph is not None:
            self._graph.push(None)
            for ready in _ready(self._graph.pull):
                yield from self.stream.encode(ready)
            self._graph = None


def _picture_codec(target: Format, *, deep: bool) -> tuple[str, dict[str, str]]:
    if target is Format.WEBM:
        return "libvpx-vp9", dict(_VP9)
    return ("libx265", dict(_H265)) if deep else ("libx264", dict(_H264))


def _rate(source: Any) -> Fraction:
    rate = source.average_rate or source.guessed_rate or Fraction(30)
    return min(max(Fraction(rate), Fraction(1)), Fraction(_FASTEST)).limit_denominator(1001)


def _turn(frame: Any) -> tuple[str, ...]:
    """The filters that turn a picture upright, by the matrix that the container has for it. Raises Refusal."""
    return _TURNS[turn_of(frame.side_data)]


def _picture_chain(first: Any, time_base: Fraction, filters: list[str]) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    # Told what the colours mean, or the filters would take them for others and convert them.
    source = graph.add(
        "buffer",
        f"video_size={first.width}x{first.height}:pix_fmt={first.format.name}:time_base={time_base}:"
        f"colorspace={first.colorspace}:range={first.color_range}",
    )
    return _linked(graph, source, filters, "buffersink")


def _sound_chain(first: Any, filters: tuple[str, ...]) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_abuffer(
        sample_rate=first.sample_rate, format=first.format, layout=first.layout.name, time_base=first.time_base
    )
    return _linked(graph, source, filters, "abuffersink")


def _linked(graph: Any, source: Any, filters: Sequence[str], end: str) -> Any:
    nodes = [source]
    for step in filters:
        name, _, arguments = step.partition("=")
        nodes.append(graph.add(name, arguments or None))
    nodes.append(graph.add(end))
    graph.link_nodes(*nodes).configure()
    return graph


def _ready(pull: Any) -> Iterator[Any]:
    while True:
        try:
            yield pull()
        except (av.BlockingIOError, av.EOFError):
            return

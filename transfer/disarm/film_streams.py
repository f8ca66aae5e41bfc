"""What both ways of making a film anew share: opening it, choosing its streams, naming what will be gone.

What enters: a descriptor of a film and its format. What leaves: an open container, the one picture and the one sound
that are kept, their packets, and names of all else. Runs only in a sandbox child.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.container
import av.stream

from transfer.disarm.descriptors import Inflow
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.media import Format

BUFFER = 1 << 20  # bytes handed over at a time: the default of 32 KiB costs a quarter of the speed
WRITERS = {Format.MP4: "mp4", Format.WEBM: "webm"}
BITEXACT = 0x400  # AVFMT_FLAG_BITEXACT: no dates, no random identifiers, no version of the writer
_MOST_NAMES = 32
_KEPT_TAGS = {"alpha_mode", "language", "handler_name", "encoder", "vendor_id", "duration"}
_FORM_TAGS = {"major_brand", "minor_version", "compatible_brands", "encoder"}


@contextlib.contextmanager
def open_film(descriptor: int, form: Format, *, last: bool = False) -> Iterator[av.container.InputContainer]:
    """The film behind a descriptor; `last`: nobody reads it again soon."""
    demuxer = "matroska" if form is Format.WEBM else "mov"
    container = av.open(
        Inflow(descriptor, last=last), "r", format=demuxer, buffer_size=BUFFER, metadata_errors="replace"
    )
    try:
        yield container
    finally:
        container.close()


def chosen_streams(source: av.container.InputContainer) -> list[Any]:
    """The first video stream that is not a cover picture, and the first audio stream if there is one."""
    pictures = [s for s in source.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not pictures:
        raise Refusal("The film has no picture.", code=Code.NO_PICTURE_STREAM)
    return [pictures[0], *source.streams.audio[:1]]


def removed_names(source: av.container.InputContainer, kept: list[Any]) -> tuple[str, ...]:
    """Names of what the new film will not have."""
    names: dict[str, None] = {}
    for key in source.metadata:
        if key.lower() not in _FORM_TAGS:
            names[f"tag {key}"] = None
    for stream in source.streams:
        if stream in kept:
            for key in stream.metadata:
                if key.lower() not in _KEPT_TAGS:
                    names[f"tag {key}"] = None
        else:
            codec = stream.codec_context.name if stream.codec_context is not None else stream.name or ""
            names[f"stream {stream.type} {codec}".rstrip()] = None
    if source.chapters():
        names["chapters"] = None
    clean = ("".join(c if " " <= c <= "~" else "?" for c in name)[:60] for name in names)
    return tuple(dict.fromkeys(clean))[:_MOST_NAMES]


def whole_packets(packets: Iterator[Any]) -> Iterator[Any]:
    """The packets, without the demuxer's signs that a stream has ended. Raises Refusal for a damaged one."""
    for packet in packets:
        if packet.is_corrupt:
            raise Refusal("The film is cut off or damaged.", code=Code.REBUILD_FAILED)
        if packet.dts is not None or packet.size:
            yield packet


def damaged_at(seconds: Fraction, *, is_sound: bool = False) -> Refusal:
    """For raising: what cannot be decoded, and where in the film."""
    at = max(float(seconds), 0.0)
    what = "sound" if is_sound else "picture"
    return Refusal(f"its {what} cannot be decoded at {int(at) // 60}:{at % 60:04.1f}", code=Code.UNDECODABLE)


def has_alpha(stream: Any) -> bool:
    """Whether a WebM's picture is transparent."""
    return bool((stream.metadata.get("alpha_mode") or stream.metadata.get("ALPHA_MODE")) == "1")

"""The packets of a film's pictures and the units in them: read by FFmpeg and its own filter, and put there."""

from __future__ import annotations

import io
from collections.abc import Sequence

import av
from av.bitstream import BitStreamFilterContext

SEI = {"h264": "remove_types=6", "hevc": "remove_types=39|40"}


def pictures(film: bytes) -> list[bytes]:
    with av.open(io.BytesIO(film)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def units_of(packet: bytes, width: int) -> list[bytes]:
    found, at = [], 0
    while at < len(packet):
        size = int.from_bytes(packet[at : at + width], "big")
        found.append(packet[at + width : at + width + size])
        at += width + size
    assert at == len(packet)
    return found


def passed(film: bytes, which: str) -> list[list[bytes]]:
    """The units of its packets that FFmpeg's own filter leaves; it writes them with start codes."""
    with av.open(io.BytesIO(film)) as container:
        stream = container.streams.video[0]
        units = BitStreamFilterContext(f"filter_units={which}", stream)
        left = [bytes(each) for packet in container.demux(stream) if packet.size for each in units.filter(packet)]
    return [[unit.rstrip(b"\0") for unit in packet.split(b"\0\0\1") if unit.rstrip(b"\0")] for packet in left]


def made_of(film: bytes) -> list[list[bytes]]:
    """The units of its packets."""
    return [[unit.rstrip(b"\0") for unit in units_of(packet, 4)] for packet in pictures(film)]


def with_units(film: bytes, units: Sequence[bytes], *, width: int = 4, last: bool = False, form: str = "mp4") -> bytes:
    """The film with these in every packet of its pictures; `width` bytes of length stand in front of each, or none."""
    out = io.BytesIO()
    with av.open(io.BytesIO(film)) as source, av.open(out, "w", format=form) as sink:
        sink.flags |= 0x400  # no dates, no random identifiers, no name of the writer
        outlets = {stream.index: sink.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        if width in (1, 2):
            header = bytearray(source.streams.video[0].codec_context.extradata)
            place = 4 if source.streams.video[0].codec_context.name == "h264" else 21
            header[place] = header[place] & 0xFC | (width - 1)
            outlets[source.streams.video[0].index].codec_context.extradata = bytes(header)
        for packet in source.demux():
            if packet.dts is None:
                continue
            each = packet
            if packet.stream.type == "video":
                content = repacked(bytes(packet), width) if width in (1, 2) else bytes(packet)
                extra = b"".join((len(unit).to_bytes(width, "big") if width else b"") + unit for unit in units)
                each = av.Packet(content + extra if last else extra + content)
                each.pts, each.dts, each.duration = packet.pts, packet.dts, packet.duration
                each.time_base, each.is_keyframe = packet.time_base, packet.is_keyframe
            each.stream = outlets[packet.stream_index]
            sink.mux_one(each)
    return out.getvalue()


def repacked(packet: bytes, width: int) -> bytes:
    """The same units with shorter lengths in front."""
    out, at = b"", 0
    while at < len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        out += size.to_bytes(width, "big") + packet[at + 4 : at + 4 + size]
        at += 4 + size
    return out

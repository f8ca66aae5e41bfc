"""What stays of the packets of an AV1 film that is copied: as `picture_units`, for another way to pack pictures.

What enters: one packet after another. What leaves: sequence headers, frames and what these are made of, and of metadata
what the colours mean. Left out are all other metadata, tile lists, padding, units of no known kind; and delimiters and
repeated frame headers, which a container does not have. Source: AV1 Bitstream & Decoding Process, 5.3.1, 5.8, 6.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_PICTURES = frozenset({1, 3, 4, 6})  # sequence header, frame header, tile group, frame
_METADATA = 5
_CALLED = {2: "a delimiter", 7: "a repeated frame header", 8: "a list of tiles", 15: "padding"}
_LEVEL, _MASTERING = (1, 6), (2, 26)  # metadata that stays: its kind, and its size with kind and stop bit
MOST_UNITS = 20_000  # of a packet: a picture of 8K has fewer slices than that
_LONGEST = 8  # bytes of a number


@dataclass(slots=True)
class ObuSieve:
    """For packets of AV1."""

    left_out: dict[str, None] = field(default_factory=dict)

    def sift(self, packet: memoryview) -> bytes | None:
        """The packet without what stays behind; None where all of it goes along. Raises ValueError if it is damaged."""
        kept = []
        whole = True
        for start, body, end in _units(packet):
            name = _known(packet[start] >> 3 & 15, packet[body:end])
            if name is None:
                kept.append(packet[start:end])
            else:
                self.left_out[name] = None
                whole = False
        if whole:
            return None
        if not kept:
            raise ValueError("no picture in a packet")
        return b"".join(kept)


def _known(kind: int, content: memoryview) -> str | None:
    """None for a unit that goes along; otherwise what it is called."""
    if kind in _PICTURES:
        return None
    if kind == _METADATA and content:
        stays = (content[0], len(content)) in (_LEVEL, _MASTERING) and content[-1] == 0x80
        return None if stays else f"metadata of kind {content[0]} in pictures"
    return _CALLED.get(kind, f"a unit of kind {kind}")


def _units(packet: memoryview) -> Iterator[tuple[int, int, int]]:
    """Where each unit begins, its content and its end. One without a size reaches to the end of the packet."""
    damaged = ValueError("units do not fill a packet")
    start = 0
    for _ in range(MOST_UNITS):
        if start == len(packet):
            return
        head = packet[start]
        body = start + 1 + (head >> 2 & 1)
        size = 0
        if head & 2:
            for digit in range(_LONGEST):
                if body >= len(packet):
                    raise damaged
                size |= (packet[body] & 0x7F) << 7 * digit
                body += 1
                if packet[body - 1] < 0x80:
                    break
            end = body + size
        else:
            end = len(packet)
        if head & 0x81 or body > end or end > len(packet):
            raise damaged
        yield start, body, end
        start = end
    raise ValueError("more units than any picture has")

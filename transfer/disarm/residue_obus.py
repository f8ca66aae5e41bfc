"""Reads a packet of AV1 unit by unit, and finds whatever is no picture.

What enters: the range of one packet. What leaves: notes in the report. Allowed: sequence headers, frame headers, frames
and their parts; of metadata the light level and the mastering display, in as many bytes as they take.
Source: AV1 Bitstream & Decoding Process, 5.3.1, 5.8.1, 6.2.2.
"""

from __future__ import annotations

from transfer.disarm.residue_view import Broken, Report, View

_PICTURES = (1, 3, 4, 6)
_COLOURS = {1: 6, 2: 26}  # metadata by its kind, with the sizes of the whole


def check_obus(view: View, at: int, size: int, report: Report) -> None:
    """Notes every unit that is no picture. Raises Broken where the units do not fill the packet."""
    end = at + size
    while at < end:
        head = view.peek(at, 10)
        kind, rest = head[0] >> 3 & 15, 1 + (head[0] >> 2 & 1)
        content, length = at + rest, end - at - rest
        if head[0] & 2:
            width = next((n for n, byte in enumerate(head[rest:], 1) if byte < 0x80), 0)
            length = sum((byte & 0x7F) << 7 * n for n, byte in enumerate(head[rest : rest + width]))
            content += width or size
        if head[0] & 0x81 or length < 0 or content + length > end:
            raise Broken("packet", "its units do not fill it", at)
        if kind == 5 and length in _COLOURS.values():
            body = view.take(content, length, "packet")
            known = _COLOURS.get(body[0]) == length and body[-1] == 0x80
        else:
            known = kind in _PICTURES
        report.unless(known, "packet", f"a unit of kind {kind:02x} that is no picture", at)
        at = content + length

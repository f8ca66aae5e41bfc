"""Reads a GIF block by block to its last byte and finds every extension that only metadata needs.

What enters: a rebuilt GIF, still or animated. What leaves: notes in the report.
Allowed: the screen descriptor and its palette, one NETSCAPE2.0 extension that holds nothing but the loop count, graphic
control extensions of four bytes, images with their palettes, the trailer as the last byte.
Source: GIF89a specification, sections 17 to 27.
"""

from __future__ import annotations

from transfer.disarm.residue_view import Broken, Report, View

_LOOP = b"NETSCAPE2.0"


def read_gif(view: View, report: Report) -> None:
    """Notes everything unexpected. Raises Broken where the blocks do not hold together."""
    content = view.take(0, view.size, "file")
    if content[:6] != b"GIF89a" or len(content) < 13:
        raise Broken("start", "it is not a GIF", 0)
    report.unless(content[12] == 0, "screen", "it states an aspect", 12)
    width, height = (int.from_bytes(content[at : at + 2], "little") for at in (6, 8))
    report.tell(f"picture: GIF, {width} x {height}")
    if content[10] & 0x80:
        report.saw("blocks", "palette")
    at = 13 + _palette(content[10])
    pictures = loops = 0
    waiting = False  # for the image that a control extension speaks of
    while (kind := _exactly(content, at, 1)) != b";":
        if kind == b",":
            end = _image(content, at, report)
            report.saw("blocks", "image")
            pictures += 1
            waiting = False
        elif kind == b"!" and _exactly(content, at + 1, 1) == b"\xf9":
            end = _control(content, at, report)
            report.saw("blocks", "control")
            report.unless(not waiting, "control", "it stands there twice", at)
            waiting = True
        elif kind == b"!":
            end = _extension(content, at, report)
            report.saw("blocks", "NETSCAPE2.0 loop")
            loops += 1
        else:
            raise Broken("block", "no known block", at)
        at = end
    report.unless(pictures > 0, "end", "there is no picture in it", at)
    report.unless(loops <= 1, "loop", "it stands there twice", at)
    report.unless(not waiting, "control", "it belongs to no picture", at)
    report.unless(at + 1 == len(content), "end", f"{len(content) - at - 1} bytes behind the end", at + 1)


def _palette(flags: int) -> int:
    return 6 << (flags & 7) if flags & 0x80 else 0


def _image(content: bytes, at: int, report: Report) -> int:
    head = _exactly(content, at, 10)
    report.unless(not head[9] & 0x78, "image", "unknown flags", at)
    start = at + 10 + _palette(head[9])
    report.unless(2 <= _exactly(content, start, 1)[0] <= 8, "image", "no picture data", at)
    return _sub_blocks(content, start + 1)[1]


def _control(content: bytes, at: int, report: Report) -> int:
    block = _exactly(content, at, 8)
    # size, flags without reserved bits, delay, a colour only where one is transparent, end
    tidy = block[2] == 4 and not block[3] & 0xE2 and block[7] == 0 and (block[3] & 1 or not block[6])
    report.unless(bool(tidy), "control", "it holds more than times and transparency", at)
    return at + 8 if block[2] == 4 and block[7] == 0 else _sub_blocks(content, at + 2)[1]


def _extension(content: bytes, at: int, report: Report) -> int:
    size, end = _sub_blocks(content, at + 2)
    expected = b"!\xff\x0b" + _LOOP + b"\x03\x01"
    if content[at : at + 16] != expected or size != 14:
        report.note(f"extension {content[at + 1]:02x}", "this extension is not allowed", at)
    return end


def _sub_blocks(content: bytes, at: int) -> tuple[int, int]:
    """The bytes in the sub-blocks that begin here, and where the next block begins."""
    total = 0
    while size := _exactly(content, at, 1)[0]:
        total += size
        at += 1 + size
    return total, at + 1


def _exactly(content: bytes, at: int, size: int) -> bytes:
    part = content[at : at + size]
    if len(part) != size:
        raise Broken("block", "it ends too early", at)
    return part

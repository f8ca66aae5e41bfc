"""Small files that would grow without end: in points, frames, seconds, tracks, depth, count or text."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from tests import samples
from tests.corpus.build.careless import plain
from tests.corpus.build.clean import saved
from tests.corpus.build.films import film
from tests.corpus.build.hostile import _webm
from tests.corpus.build.parts import (
    PNG_START,
    box,
    boxes_of,
    chunk,
    element,
    gif,
    gif_frame,
    header,
    in_segment,
    jpeg_parts,
    jpeg_with,
    jpeg_xmp,
    patched,
    png,
    riff,
    riff_chunk,
    segment,
    sub_blocks,
    tiff,
    webp_chunks,
)

GIF_PLACE = b"\x2c" + struct.pack("<HHHHB", 0, 0, 4_000, 4_000, 0)  # of a picture


def zeros(megabytes: int, more: int = 0) -> bytes:
    """A deflate stream of so many MiB of zero bytes, and so many bytes more, a thousandth of their number long."""
    pack, out = zlib.compressobj(9), bytearray()
    for _ in range(megabytes):
        out += pack.compress(bytes(1 << 20))
    return bytes(out + pack.compress(bytes(more)) + pack.flush())


def _filled_with_zeros(width: int = 10_000, height: int = 9_000) -> bytes:
    """A black picture, with exactly the bytes that it needs."""
    lines = zeros(*divmod(height * (1 + 3 * width), 1 << 20))
    return PNG_START + header(width, height) + chunk(b"IDAT", lines) + chunk(b"IEND")


def _claiming_jpeg() -> bytes:
    whole = bytearray(plain())
    at = whole.index(b"\xff\xc0") + 5
    whole[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    return bytes(whole)


def _frame_count_png() -> bytes:
    """An animation that says it has four thousand million frames and holds one."""
    control = struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0)
    return png(chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0)), chunk(b"fcTL", control))


def _many_frames_png(count: int = 5_000) -> bytes:
    """An animation of frames of one point."""
    dot, number = zlib.compress(b"\0\0\0\0"), 1
    control = struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0)
    more = bytearray()
    for _ in range(count - 1):
        more += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 1, 1, 0, 0, 1, 10, 0, 0))
        more += chunk(b"fdAT", struct.pack(">I", number + 1) + dot)
        number += 2
    return png(chunk(b"acTL", struct.pack(">II", count, 0)), chunk(b"fcTL", control), late=bytes(more))


def _inflating_frame_png() -> bytes:
    """An animation whose second picture goes on for 300 MB behind its last line."""
    first, second = (
        struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0),
        struct.pack(">IIIIIHHBB", 1, 64, 48, 0, 0, 1, 10, 0, 0),
    )
    more = chunk(b"fcTL", second) + chunk(b"fdAT", struct.pack(">I", 2) + zeros(300))
    return png(chunk(b"acTL", struct.pack(">II", 2, 0)), chunk(b"fcTL", first), late=more)


def _many_frames_webp(count: int = 5_000) -> bytes:
    (picture,) = webp_chunks(saved(samples.picture(16, 16), "WEBP", quality=10))
    frame = riff_chunk(b"ANMF", bytes(6) + b"\x0f\0\0\x0f\0\0" + b"\x0a\0\0\0" + picture)
    screen = riff_chunk(b"VP8X", b"\x02\0\0\0\x0f\0\0\x0f\0\0") + riff_chunk(b"ANIM", bytes(6))
    return riff(screen, frame * count)


def _many_scans_jpeg(count: int = 1_500) -> bytes:
    """A progressive JPEG that says the same thing over and over: minutes of work in little space."""
    whole = samples.jpeg(1600, 1200, exif=False, progressive=True)
    parts, rest = jpeg_parts(whole)
    scan = parts[-1] + rest[: rest.index(b"\xff\xc4")]
    return whole[:2] + b"".join(parts[:-1]) + scan * count + rest[rest.index(b"\xff\xc4") :]


def _nested(kind: bytes, depth: int, inside: bytes = b"") -> bytes:
    """So many boxes within one another, written from the outermost on."""
    total = 8 * depth + len(inside)
    return b"".join(struct.pack(">I4s", total - 8 * level, kind) for level in range(depth)) + inside


def _counted(kind: bytes) -> bytes:
    """A film with four thousand million entries in one of its tables."""
    return patched(film(), kind, b"\xff\xff\xff\xff", at=4 if kind != b"stsz" else 8)


def _long_film() -> bytes:
    """A film that says it lasts thirty years."""
    clock = struct.pack(">II", 1, 10**9)
    return patched(patched(film(), b"mvhd", clock, at=12), b"mdhd", clock, at=12)


def _many_tracks(count: int) -> bytes:
    """A film with one track over and over."""
    parts = boxes_of(film(movflags="faststart", audio=""))
    index = next(part for part in parts if part[4:8] == b"moov")
    track = next(part for part in boxes_of(index[8:]) if part[4:8] == b"trak")
    grown = box(b"moov", index[8:], track * count)
    return b"".join(part for part in parts if part[4:8] != b"moov") + grown


def _nested_elements(depth: int) -> bytes:
    """Matroska tags within tags, from the innermost on."""
    inside = element(0x45A3, b"x", width=4)
    for _ in range(depth):
        inside = element(0x67C8, inside, width=4)
    return in_segment(_webm(), element(0x1254C367, element(0x7373, inside)))


def _tiled_heic() -> bytes:
    """A HEIC that says it is 60,000 points wide and high."""
    return patched(samples.heic(exif=False), b"ispe", struct.pack(">II", 60_000, 60_000), at=4)


def _looping_exif() -> bytes:
    """A directory that names itself as the next one."""
    return jpeg_with(segment(0xE1, b"Exif\0\0" + tiff([(0x010F, 2, 4, b"Cam\0")], next_ifd=8)))


def _entities() -> bytes:
    """An XMP packet with entities that grow tenfold eight times."""
    names = "abcdefghi"
    declared = "".join(f'<!ENTITY {name} "{f"&{names[n - 1]};" * 10 if n else "ha"}">' for n, name in enumerate(names))
    return jpeg_xmp(f"<!DOCTYPE x [{declared}]><x>&i;</x>".encode())


FILES: dict[str, Callable[[], bytes]] = {
    "fifty-thousand.png": lambda: samples.png_claiming(50_000, 50_000),
    "four-thousand-million.png": lambda: samples.png_claiming(0x7FFFFFFF, 0x7FFFFFFF),
    "just-too-wide.png": lambda: samples.png_claiming(16_385, 1),
    "filled-with-zeros.png": _filled_with_zeros,
    "claims.jpg": _claiming_jpeg,
    "claims.gif": lambda: gif(gif_frame(), width=65_535, height=65_535),
    "many-frames.gif": lambda: gif(gif_frame(1, 1) * 50_000),
    "frames-that-add-up.gif": lambda: gif(gif_frame(8, 8) * 1_500, width=4_000, height=4_000),
    "frame-count.png": _frame_count_png,
    "many-frames.png": _many_frames_png,
    "many-frames.webp": _many_frames_webp,
    "claims.webp": lambda: riff(riff_chunk(b"VP8X", bytes(4) + b"\xff" * 6), riff_chunk(b"VP8 ", bytes(20))),
    "many-scans.jpg": _many_scans_jpeg,
    "many-segments.jpg": lambda: jpeg_with(segment(0xFE, b"note") * 100_000),
    "many-chunks.png": lambda: png(chunk(b"tEXt", b"a\0b") * 100_000),
    "inflating-text.png": lambda: png(chunk(b"zTXt", b"Comment\0\0" + zeros(300))),
    "inflating-words.png": lambda: png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zeros(300))),
    "inflating-profile.png": lambda: png(chunk(b"iCCP", b"colours\0\0" + zeros(300))),
    "inflating-picture.png": lambda: PNG_START + header(64, 48) + chunk(b"IDAT", zeros(300)) + chunk(b"IEND"),
    "inflating-frame.png": _inflating_frame_png,
    "inflating-frame.gif": lambda: gif(gif_frame(), gif_frame(more=100_000)),
    "emptied-dictionary.gif": lambda: gif(
        GIF_PLACE + b"\x02" + sub_blocks((0o44444444).to_bytes(3, "little") * 2_000_000), width=4_000, height=4_000
    ),
    "looping-exif.jpg": _looping_exif,
    "growing-entities.jpg": _entities,
    "tiled.heic": _tiled_heic,
    "nested.heic": lambda: samples.heic(exif=False) + _nested(b"moov", 10_000),
    "nested.mp4": lambda: film() + _nested(b"moov", 10_000),
    "nested-tracks.mp4": lambda: film() + box(b"moov", _nested(b"trak", 10_000)),
    "counted-samples.mp4": lambda: _counted(b"stsz"),
    "counted-times.mp4": lambda: _counted(b"stts"),
    "counted-chunks.mp4": lambda: _counted(b"stco"),
    "counted-edits.mp4": lambda: _counted(b"elst"),
    "thirty-years.mp4": _long_film,
    "forty-tracks.mp4": lambda: _many_tracks(40),
    "ten-thousand-tracks.mp4": lambda: _many_tracks(10_000),
    "many-boxes.mp4": lambda: film() + box(b"free") * 200_000,
    "claims.mp4": lambda: patched(film(), b"avc1", struct.pack(">HH", 65_535, 65_535), at=24),
    "nested.webm": lambda: _nested_elements(2_000),
    "thirty-years.webm": lambda: patched(_webm(), b"\x44\x89\x88", struct.pack(">d", 1e15), at=-1),
    "million-cues.srt": lambda: b"".join(b"%d\n00:00:00,000 --> 00:00:00,001\n\n" % n for n in range(20_000)),
    "three-hours.srt": lambda: b"1\n02:59:00,000 --> 03:00:00,000\nThe end\n",
    "three-hours.vtt": lambda: b"WEBVTT\n\n02:59:00.000 --> 03:00:00.000\nThe end\n",
    "endless.txt": lambda: b"word " * 150_000,
    "too-large.txt": lambda: b"word " * 210_000,
    "piled-up-accents.txt": ("o" + "\u0301" * 5_000 + "\n").encode,
    "open-tags.vtt": lambda: b"WEBVTT\n\n00:00.000 --> 00:02.000\n" + b"<" * 90_000 + b"\n",
}

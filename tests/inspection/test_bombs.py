"""Small files that would cost much: each is refused with its reason, in seconds and within little memory.

Each is examined in a process of its own, whose peak of memory and processor time are measured.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import samples
from tests.inspection.containers import (
    PNG_SIGNATURE,
    STBL,
    ZIP_ENTRY,
    element,
    full_box,
    png_chunk,
    png_file,
    png_header,
    riff,
    riff_chunk,
    webm_of,
    with_box,
)
from tests.inspection.probing import LIMITS, MARKS
from transfer.inspection.probe import probe
from transfer.model.findings import Code
from transfer.model.search import Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

# As the shipped policy has them.
WIDE = dataclasses.replace(
    LIMITS,
    image_bytes=50_000_000,
    video_bytes=4_000_000_000,
    text_bytes=1_000_000,
    pixels=100_000_000,
    total_pixels=1_000_000_000,
    side=16_384,
    frames=2_000,
    seconds=600,
    streams=16,
    characters=100_000,
)
MOST_SECONDS = 10.0
MOST_PATIENCE = 60.0  # on a busy machine
MOST_MEMORY = 200 << 20  # beyond what the file itself takes

SILENT = samples.mp4(0.2, width=64, height=48, metadata=False, audio="")
ZEROS = zlib.compressobj(9)
GIGABYTE = b"".join(ZEROS.compress(bytes(1 << 20)) for _ in range(1_024)) + ZEROS.flush()  # a megabyte, packed


def cost(content: bytes, suffix: str) -> tuple[list[str], float, int]:
    """The codes, the seconds of processor time and how many bytes the peak of memory grew by, in a fork."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
                facts, findings, _ = probe(file.fileno(), suffix=suffix, limits=WIDE, search=Search(marks=MARKS))
                spent = time.process_time() - begun
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
                codes = [finding.code.value for finding in findings] if facts is None else ["understood"]
                os.write(write, json.dumps([codes, spent, grown]).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
    assert answer, "the process did not come back"
    codes, spent, grown = json.loads(answer)
    return codes, spent, grown


def wide_jpeg() -> bytes:
    whole = samples.jpeg(64, 48, exif=False)
    at = whole.index(b"\xff\xc0")
    return whole[: at + 5] + struct.pack(">HH", 50_000, 50_000) + whole[at + 9 :]


def wide_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 50_000, 50_000) + samples.gif(16, 16)[10:]


def million_frames_gif() -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + frame * 1_000_000 + b"\x3b"


def many_frames_png(announced: int, real: int) -> bytes:
    data = zlib.compress(b"\0\0")
    chunks = [png_chunk(b"acTL", struct.pack(">II", announced, 0))]
    control = struct.pack(">IIIIHHBB", 1, 1, 0, 0, 1, 10, 0, 0)
    chunks += [png_chunk(b"fcTL", struct.pack(">I", 0) + control), png_chunk(b"IDAT", data)]
    for number in range(1, real):
        chunks.append(png_chunk(b"fcTL", struct.pack(">I", 2 * number - 1) + control))
        chunks.append(png_chunk(b"fdAT", struct.pack(">I", 2 * number) + data))
    return PNG_SIGNATURE + png_header() + b"".join(chunks) + png_chunk(b"IEND")


def many_frames_webp() -> bytes:
    picture = samples.webp(1, 1, exif=False, lossless=True)[12:]
    frame = riff_chunk(b"ANMF", bytes(16) + picture)
    return riff(riff_chunk(b"VP8X", b"\x02" + bytes(9)), riff_chunk(b"ANIM", bytes(6)), frame * 400_000)


def tables(samples_declared: int, *, chunk: bytes = b"") -> bytes:
    """A film whose table of sizes has so many samples of one byte."""
    sizes = full_box(b"stsz", struct.pack(">II", 0, samples_declared) + b"\0\0\0\x01" * samples_declared)
    film = with_box(SILENT, (*STBL, b"stsz"), sizes)
    film = with_box(film, (*STBL, b"stts"), full_box(b"stts", struct.pack(">III", 1, samples_declared, 1)))
    return with_box(film, (*STBL, b"stco"), chunk) if chunk else film


def long_film() -> bytes:
    header = full_box(b"mvhd", struct.pack(">IIII", 0, 0, 1, 10**9) + bytes(80))
    return with_box(SILENT, (b"moov", b"mvhd"), header)


def slow_film() -> bytes:
    return with_box(SILENT, (*STBL, b"stts"), full_box(b"stts", struct.pack(">III", 1, 5, 2**24)))


def deep_boxes(kind: bytes) -> bytes:
    content = b""
    for _ in range(10_000):
        content = samples.box(kind, content)
    return samples.box(b"ftyp", b"isom\0\0\0\0isom") + content


def many_boxes() -> bytes:
    return samples.box(b"ftyp", b"isom\0\0\0\0isom") + samples.box(b"free", b"") * 3_000_000


def laced_webm() -> bytes:
    track = element(
        0x1654AE6B, element(0xAE, element(0xD7, b"\x01") + element(0x83, b"\x01") + element(0x86, b"V_VP9"))
    )
    block = b"\xa3\x85\x81\0\0\x84\xff"  # 256 frames of no bytes in seven
    return webm_of(track, element(0x1F43B675, element(0xE7, b"\0") + block * 1_000_000))


def many_blocks() -> bytes:
    track = element(
        0x1654AE6B, element(0xAE, element(0xD7, b"\x01") + element(0x83, b"\x01") + element(0x86, b"V_VP9"))
    )
    return webm_of(track, element(0x1F43B675, element(0xE7, b"\0") + b"\xa3\x85\x81\0\0\0\0" * 3_000_000))


def tiled_heic() -> bytes:
    references = b"\0\0\0\0" + samples.box(b"dimg", struct.pack(">HH", 1, 65_535) + bytes(131_070))
    inside = full_box(b"hdlr", b"\0\0\0\0pict" + bytes(13)) + samples.box(b"iref", references)
    return samples.box(b"ftyp", b"heic\0\0\0\0mif1heic") + full_box(b"meta", inside)


def million_cues() -> bytes:
    return b"1\n00:00:00,000 --> 00:00:01,000\nx\n\n" * 1_000_000


BOMBS: dict[str, tuple[Callable[[], bytes], str, set[str]]] = {
    "picture of 50,000 by 50,000 in PNG": (lambda: samples.png_claiming(50_000, 50_000), ".png", {"too-many-pixels"}),
    "picture of 50,000 by 50,000 in JPEG": (wide_jpeg, ".jpg", {"too-many-pixels"}),
    "picture of 50,000 by 50,000 in GIF": (wide_gif, ".gif", {"too-many-pixels"}),
    "a million frames in GIF": (million_frames_gif, ".gif", {"too-many-frames"}),
    "four thousand million frames announced in PNG": (
        lambda: many_frames_png(2**32 - 1, 1),
        ".png",
        {"malformed-structure", "too-many-frames"},
    ),
    "90,000 frames in PNG": (lambda: many_frames_png(90_000, 90_000), ".png", {"too-many-frames"}),
    "400,000 frames in WebP": (many_frames_webp, ".webp", {"too-many-frames"}),
    "zTXt of a gigabyte": (lambda: png_file(png_chunk(b"zTXt", b"Comment\0\0" + GIGABYTE)), ".png", {"inflates"}),
    "iTXt of a gigabyte": (lambda: png_file(png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + GIGABYTE)), ".png", {"inflates"}),
    "iCCP of a gigabyte": (lambda: png_file(png_chunk(b"iCCP", b"profile\0\0" + GIGABYTE)), ".png", {"inflates"}),
    "a hundred texts of a megabyte": (
        lambda: png_file(*[png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000)))] * 100),
        ".png",
        {"inflates"},
    ),
    "10,000 boxes in each other": (lambda: deep_boxes(b"moov"), ".mp4", {"malformed-structure"}),
    "10,000 boxes of metadata in each other": (lambda: deep_boxes(b"meta"), ".mp4", {"undecodable"}),
    "3,000,000 boxes": (many_boxes, ".mp4", {"malformed-structure"}),
    "a count of 2^32 chunks": (
        lambda: tables(10, chunk=full_box(b"stco", struct.pack(">I", 2**32 - 1))),
        ".mp4",
        {"malformed-structure"},
    ),
    "2^32 samples of one size": (
        lambda: with_box(SILENT, (*STBL, b"stsz"), full_box(b"stsz", struct.pack(">II", 1, 2**32 - 1))),
        ".mp4",
        {"malformed-structure"},
    ),
    "a fragment of 2^31 samples": (
        lambda: with_box(
            samples.mp4(0.2, audio="", options={"movflags": "frag_keyframe+empty_moov"}),
            (b"moof", b"traf", b"trun"),
            full_box(b"trun", struct.pack(">I", 2**31)),
        ),
        ".mp4",
        {"malformed-structure"},
    ),
    "a film that says it lasts 10^9 seconds": (long_film, ".mp4", {"too-long"}),
    "a film whose pictures last for days": (slow_film, ".mp4", {"too-long"}),
    "a million packets of one byte": (lambda: tables(1_000_000), ".mp4", {"malformed-structure"}),
    "10,000 tracks": (
        lambda: samples.box(b"ftyp", b"isom\0\0\0\0isom") + samples.box(b"moov", samples.box(b"trak", b"") * 10_000),
        ".mp4",
        {"too-many-streams"},
    ),
    "10,000 tracks in WebM": (
        lambda: webm_of(element(0x1654AE6B, element(0xAE, b"") * 10_000)),
        ".webm",
        {"too-many-streams"},
    ),
    "256 million laced frames": (laced_webm, ".webm", {"malformed-structure"}),
    "3,000,000 blocks": (many_blocks, ".webm", {"malformed-structure"}),
    "65,535 tiles in HEIC": (tiled_heic, ".heic", {"malformed-structure"}),
    "a million cues": (million_cues, ".srt", {"too-large"}),
    "25,000 cues": (lambda: million_cues()[:900_000], ".srt", {"text-too-long"}),
    "a comment of 40 MB in GIF": (
        lambda: samples.gif(16, 16)[:-1] + b"\x21\xfe" + (b"\xff" + b"PK<MZ" * 51) * 160_000 + b"\0\x3b",
        ".gif",
        {"understood"},
    ),
    "40 MB behind a picture": (lambda: samples.jpeg(exif=False) + b"PK<MZ%PD" * 5_000_000, ".jpg", {"understood"}),
    "a ZIP behind 40 MB behind a picture": (
        lambda: samples.jpeg(exif=False) + b"\x01PK<MZ%P" * 5_000_000 + ZIP_ENTRY,
        ".jpg",
        {"understood"},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_has_its_reason(name: str) -> None:
    make, suffix, expected = BOMBS[name]
    content = make()
    codes, spent, grown = cost(content, suffix)
    allowed = MOST_MEMORY + (2 * len(content) if suffix not in {".mp4", ".webm"} else 0)
    print(f"{name}: {codes} in {spent:.2f} s, {grown >> 20} MB more")
    assert set(codes) & expected, codes
    assert spent < MOST_SECONDS
    assert grown < allowed


def test_a_lax_policy_does_not_let_an_animation_pass_that_nobody_walked_to_its_end() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(million_frames_gif())
        file.flush()
        lax = dataclasses.replace(WIDE, frames=10**7)
        facts, (finding,), _ = probe(file.fileno(), suffix=".gif", limits=lax, search=Search(marks=MARKS))
    assert facts is None
    assert finding.code is Code.MALFORMED_STRUCTURE


def test_reasons_hold_numbers() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(million_frames_gif())
        file.flush()
        _, (finding,), _ = probe(file.fileno(), suffix=".gif", limits=WIDE, search=Search(marks=MARKS))
    assert finding.code is Code.TOO_MANY_FRAMES
    assert finding.detail["limit"] == WIDE.frames
    assert int(finding.detail["frames"]) > WIDE.frames


@pytest.mark.slow
@pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")
def test_a_confined_child_with_little_memory_still_gives_the_reason(tmp_path: Path) -> None:
    limits = ChildLimits(memory_bytes=256 << 20)
    with Pool(role=Role.MEDIA, workers=1, limits=limits) as pool:
        for number, name in enumerate(BOMBS):
            make, suffix, expected = BOMBS[name]
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(make())
            with open(path, "rb") as raw, pool.lease() as child:
                reply = child.examine(
                    raw.fileno(), suffix=suffix, limits=WIDE, search=Search(marks=MARKS), seconds=MOST_PATIENCE
                )
            codes = {finding.code.value for finding in reply.findings} if reply.media is None else {"understood"}
            assert codes & expected, name
            path.unlink()

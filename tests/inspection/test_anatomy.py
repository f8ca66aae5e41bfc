"""The walkers say what a container holds, quietly, whatever stands there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from transfer.inspection.anatomy import MAX_TEXT_BYTES, Anatomy
from transfer.inspection.anatomy_boxes import dissect_boxes
from transfer.inspection.structure_ebml import dissect_ebml
from transfer.inspection.structure_gif import dissect_gif
from transfer.inspection.structure_jpeg import dissect_jpeg
from transfer.inspection.structure_png import dissect_png
from transfer.inspection.structure_webp import dissect_webp


def boxes(data: bytes, *, picture: bool = False) -> Anatomy:
    return dissect_boxes(lambda at, length: data[at : at + length], len(data), picture=picture)


def ebml(data: bytes) -> Anatomy:
    return dissect_ebml(lambda at, length: data[at : at + length], len(data))


WALKERS: list[tuple[Callable[[bytes], Anatomy], bytes]] = [
    (dissect_jpeg, samples.jpeg(64, 48, xmp=True, comment="x", icc=True)),
    (dissect_png, samples.png(64, 48, text={"a": "b", "c": "d", "e": "f"}, exif=True)),
    (dissect_webp, samples.webp(64, 48, xmp=True)),
    (dissect_gif, samples.gif(64, 48, frames=3)),
    (boxes, samples.mp4(0.2, width=64, height=48)),
    (ebml, samples.webm(0.2, width=64, height=48)),
]


@pytest.mark.parametrize(("walk", "content"), WALKERS, ids=lambda value: getattr(value, "__name__", ""))
def test_whole_files_have_nothing_behind_them(walk: Callable[[bytes], Anatomy], content: bytes) -> None:
    found = walk(content)
    assert (found.trailing, found.truncated, found.credentials) == (0, False, False)
    padded = walk(content + bytes(100))
    assert padded.trailing == 0


@pytest.mark.parametrize(("walk", "content"), WALKERS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize(
    ("tail", "looks"),
    [
        (b"PK\x03\x04more and more", "zip"),
        (b"MZ\x90\0 program ....", "program"),
        (b"<script>alert(1)</script>", "markup"),
    ],
)
def test_what_stands_behind_the_end_is_counted(
    walk: Callable[[bytes], Anatomy], content: bytes, tail: bytes, looks: str
) -> None:
    found = walk(content + tail)
    assert [second.looks for second in found.seconds] == [looks]
    assert found.trailing == 0


@pytest.mark.parametrize(("walk", "content"), WALKERS[1:], ids=lambda value: getattr(value, "__name__", ""))
def test_a_file_that_breaks_off_is_seen_to(walk: Callable[[bytes], Anatomy], content: bytes) -> None:
    assert walk(content[:-20]).truncated


@pytest.mark.parametrize(("walk", "content"), WALKERS, ids=lambda value: getattr(value, "__name__", ""))
@given(data=st.data())
def test_mutated_files_end_the_walk_quietly(
    walk: Callable[[bytes], Anatomy], content: bytes, data: st.DataObject
) -> None:
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, min(len(changed) - 1, 400)))] = data.draw(st.integers(0, 255))
    found = walk(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    assert 0 <= found.trailing <= len(content)


@pytest.mark.parametrize("walk", [walk for walk, _ in WALKERS])
@given(content=st.binary(max_size=200))
def test_any_bytes_end_the_walk_quietly(walk: Callable[[bytes], Anatomy], content: bytes) -> None:
    walk(content)


def test_jpeg_kinds() -> None:
    assert dissect_jpeg(samples.jpeg(exif=False, icc=True)).kinds == []
    assert dissect_jpeg(samples.jpeg(xmp=True, comment="x")).kinds == ["EXIF", "XMP", "comment"]
    assert dissect_jpeg(samples.jpeg_with_segment(0xED, b"Photoshop 3.0\0x")).kinds == ["IPTC"]
    assert dissect_jpeg(samples.jpeg_with_segment(0xE7, b"vendor")).kinds == ["APP7"]
    found = dissect_jpeg(samples.jpeg_with_segment(0xEB, samples.content_credentials()))
    assert found.credentials


def test_an_end_marker_inside_a_later_table_is_not_the_end() -> None:
    whole = samples.jpeg(64, 48, exif=False, progressive=True)
    scan = whole.index(b"\xff\xda", whole.index(b"\xff\xda") + 2)
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"  # a comment between two scans that holds end markers
    assert dissect_jpeg(whole[:scan] + comment + whole[scan:]).trailing == 0
    assert dissect_jpeg(whole[:scan] + comment + whole[scan:] + b"tail").trailing == 4


def test_a_motion_photo_has_a_film_behind_it() -> None:
    film = samples.mp4(0.2)
    found = dissect_jpeg(samples.jpeg() + film)
    assert (found.trailing, found.looks) == (len(film), "video")


def test_a_compressed_text_does_not_unpack_without_bound() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(50_000_000))
    chunk = struct.pack(">I", len(bomb)) + b"zTXt" + bomb + struct.pack(">I", zlib.crc32(b"zTXt" + bomb))
    whole = samples.png(16, 16, text={})
    found = dissect_png(whole[:33] + chunk + whole[33:])
    assert found.kinds == ["text"]
    assert max(map(len, found.texts)) <= MAX_TEXT_BYTES


def test_png_credentials_and_unknown_chunks() -> None:
    whole = samples.png(16, 16, text={})
    made = whole[:33] + b"".join(
        struct.pack(">I", 4) + kind + b"data" + struct.pack(">I", zlib.crc32(kind + b"data"))
        for kind in (b"caBX", b"prVt")
    )
    found = dissect_png(made + whole[33:])
    assert found.credentials
    assert found.kinds == ["chunk prVt"]


def test_boxes_of_films_and_pictures() -> None:
    film = samples.mp4(0.2, metadata=False)
    c2pa = samples.box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"manifest")
    xmp = samples.box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + samples.XMP)
    found = boxes(film + c2pa + xmp)
    assert found.credentials
    assert "XMP" in found.kinds
    assert found.texts[-1] == samples.XMP
    assert "box mpvd" in boxes(film + samples.box(b"mpvd", b"x")).kinds
    assert boxes(samples.heic(exif=False), picture=True).kinds == []
    assert boxes(samples.heic() + c2pa, picture=True).credentials


def test_a_webm_of_unknown_size_lasts_to_the_end() -> None:
    whole = samples.webm(0.2)
    at = whole.index(bytes.fromhex("18538067")) + 4
    live = whole[:at] + b"\x01" + b"\xff" * 7 + whole[at + 8 :]
    assert (ebml(live).truncated, ebml(live).trailing) == (False, 0)

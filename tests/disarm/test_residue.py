"""The readers: whatever is put into a rebuilt file again is found, and no file makes them raise."""

from __future__ import annotations

import ast
import functools
import io
import struct
import sys
import zlib
from pathlib import Path

import pillow_heif  # noqa: F401 - its plugin is registered by the tools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import transfer.disarm
from tests import samples
from tests.disarm.tools import remade, residues, whats
from transfer.disarm.residue_view import MOST_FINDINGS
from transfer.model.findings import Code
from transfer.model.media import Format

MAKERS = {
    Format.JPEG: lambda: samples.jpeg(240, 160, icc=True),
    Format.PNG: lambda: samples.png(80, 60, icc=True),
    Format.WEBP: lambda: samples.webp(80, 60, frames=3, alpha=True),
    Format.GIF: lambda: samples.gif(80, 60, frames=3),
    Format.AVIF: lambda: samples.avif(80, 60),
    Format.MP4: lambda: samples.mp4(1, width=160, height=120),
    Format.WEBM: lambda: samples.webm(1, width=160, height=120),
    Format.TEXT: samples.text,
    Format.SRT: samples.srt,
    Format.VTT: samples.vtt,
}
FORMS = list(MAKERS)


ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")


@functools.cache
def clean(form: Format) -> bytes:
    """A rebuilt file, in which nothing is found."""
    return remade(MAKERS[form](), form)[0]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def with_riff(extra: bytes) -> bytes:
    whole = clean(Format.WEBP) + extra
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def in_moov(extra: bytes, *, parents: tuple[bytes, ...] = (b"moov",)) -> bytes:
    """The film with a box more at the end of the last of these parents; the padding behind the header gives room."""
    content = bytearray(clean(Format.MP4))
    starts, at = [], 0
    for parent in parents:
        at = content.index(parent, at)
        starts.append(at - 4)
    end = starts[-1] + struct.unpack_from(">I", content, starts[-1])[0]
    content[end:end] = extra
    for start in starts:
        struct.pack_into(">I", content, start, struct.unpack_from(">I", content, start)[0] + len(extra))
    free = content.index(b"free", end)
    size = struct.unpack_from(">I", content, free - 4)[0]
    struct.pack_into(">I", content, free - 4, size - len(extra))
    del content[free + 4 : free + 4 + len(extra)]
    return bytes(content)


def in_segment(extra: bytes) -> bytes:
    content = clean(Format.WEBM) + extra
    at = content.index(b"\x18\x53\x80\x67") + 4
    size = int.from_bytes(content[at + 1 : at + 8], "big") + len(extra)
    return content[: at + 1] + size.to_bytes(7, "big") + content[at + 8 :]


def replaced(form: Format, old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in clean(form)
    return clean(form).replace(old, new, 1)


def free_filled() -> bytes:
    content = bytearray(clean(Format.MP4))
    at = content.index(b"free") + 100
    content[at : at + 6] = b"SECRET"
    return bytes(content)


def gap_in_media() -> bytes:
    """A film whose first sample says to be four bytes shorter than it is: those belong to nobody."""
    content = bytearray(clean(Format.MP4))
    at = content.index(b"stsz") + 16
    struct.pack_into(">I", content, at, struct.unpack_from(">I", content, at)[0] - 4)
    return bytes(content)


def wide(words: str) -> bytes:
    return words.encode("utf-16-be")


DEPTH = b"\0\x18\xff\xff"  # what follows the compressor's name in a picture's sample entry
PLANTED: list[tuple[str, Format, object]] = [
    ("exif", Format.JPEG, lambda: samples.jpeg_with_segment(0xE1, samples.exif_block(), clean(Format.JPEG))),
    ("comment", Format.JPEG, lambda: samples.jpeg_with_segment(0xFE, b"hello", clean(Format.JPEG))),
    ("c2pa", Format.JPEG, lambda: samples.jpeg_with_segment(0xEB, b"JP" + b"x" * 40, clean(Format.JPEG))),
    ("adobe", Format.JPEG, lambda: samples.jpeg_with_segment(0xEE, b"Adobe\0d\0\0\0\0\0more", clean(Format.JPEG))),
    ("thumbnail", Format.JPEG, lambda: replaced(Format.JPEG, b"JFIF\0\1\1\0\0\1\0\1\0\0", b"JFIF\0\1\1\0\0\1\0\1\1\1")),
    ("long table", Format.JPEG, lambda: samples.jpeg_with_segment(0xDB, b"\5" * 70, clean(Format.JPEG))),
    ("tail", Format.JPEG, lambda: samples.trailed(clean(Format.JPEG))),
    ("two pictures", Format.JPEG, lambda: clean(Format.JPEG) * 2),
    ("profile text", Format.JPEG, lambda: replaced(Format.JPEG, wide("colours"), wide("secrets"))),
    ("profile date", Format.JPEG, lambda: replaced(Format.JPEG, b"\x07\xd0\0\1\0\1", b"\x07\xea\0\1\0\1")),
    ("whole profile", Format.JPEG, lambda: samples.jpeg(exif=False, icc=True)),
    ("text", Format.PNG, lambda: clean(Format.PNG)[:33] + png_chunk(b"tEXt", b"a\0b") + clean(Format.PNG)[33:]),
    ("time", Format.PNG, lambda: clean(Format.PNG)[:33] + png_chunk(b"tIME", bytes(7)) + clean(Format.PNG)[33:]),
    ("private", Format.PNG, lambda: clean(Format.PNG)[:-12] + png_chunk(b"zzAp", b"x") + clean(Format.PNG)[-12:]),
    ("tail", Format.PNG, lambda: samples.trailed(clean(Format.PNG))),
    ("checksum", Format.PNG, lambda: clean(Format.PNG)[:-1] + b"x"),
    ("more data", Format.PNG, lambda: clean(Format.PNG)[:-12] + png_chunk(b"IDAT", b"more") + clean(Format.PNG)[-12:]),
    ("exif", Format.WEBP, lambda: with_riff(riff_chunk(b"EXIF", samples.exif_block()))),
    ("xmp", Format.WEBP, lambda: with_riff(riff_chunk(b"XMP ", samples.XMP))),
    ("unknown", Format.WEBP, lambda: with_riff(riff_chunk(b"abcd", b"x"))),
    ("tail", Format.WEBP, lambda: samples.trailed(clean(Format.WEBP))),
    ("comment", Format.GIF, lambda: clean(Format.GIF)[:-1] + b"\x21\xfe\5hello\0;"),
    ("application", Format.GIF, lambda: clean(Format.GIF)[:-1] + b"\x21\xff\x0bXMP DataXMP\3abc\0;"),
    ("loop twice", Format.GIF, lambda: clean(Format.GIF)[:-1] + b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0;"),
    ("tail", Format.GIF, lambda: samples.trailed(clean(Format.GIF))),
    ("exif", Format.AVIF, lambda: samples.avif(80, 60)),
    ("sequence", Format.AVIF, lambda: samples.avif(80, 60, frames=2, exif=False)),
    ("box", Format.AVIF, lambda: clean(Format.AVIF) + samples.box(b"uuid", b"x" * 20)),
    ("name", Format.AVIF, lambda: replaced(Format.AVIF, b"Color\0", b"Sam S\0")),
    ("media", Format.AVIF, lambda: samples.trailed(clean(Format.AVIF), samples.box(b"mdat", b"more"))),
    ("udta", Format.MP4, lambda: in_moov(samples.box(b"udta", b"hello"))),
    ("meta", Format.MP4, lambda: in_moov(samples.box(b"meta", bytes(4)))),
    ("uuid", Format.MP4, lambda: clean(Format.MP4) + samples.box(b"uuid", b"x" * 30)),
    ("track udta", Format.MP4, lambda: in_moov(samples.box(b"udta", b"x"), parents=(b"moov", b"trak"))),
    ("dynamic range", Format.MP4, lambda: in_moov(samples.box(b"dvvC", b"x" * 24), parents=ENTRY)),
    ("handler", Format.MP4, lambda: replaced(Format.MP4, b"VideoHandler", b"Sam's camera")),
    ("language", Format.MP4, lambda: replaced(Format.MP4, b"\x55\xc4\0\0", b"\x15\xc7\0\0")),
    ("compressor", Format.MP4, lambda: replaced(Format.MP4, bytes(32) + DEPTH, b"\4x264" + bytes(27) + DEPTH)),
    ("date", Format.MP4, lambda: replaced(Format.MP4, b"mvhd" + bytes(8), b"mvhd" + bytes(4) + b"\xe0\0\0\0")),
    ("padding", Format.MP4, free_filled),
    ("tail", Format.MP4, lambda: samples.trailed(clean(Format.MP4))),
    ("gap", Format.MP4, gap_in_media),
    ("raw film", Format.MP4, samples.mp4),
    ("raw film without tags", Format.MP4, lambda: samples.mp4(metadata=False)),
    ("tags", Format.WEBM, lambda: in_segment(b"\x12\x54\xc3\x67\x80")),
    ("attachments", Format.WEBM, lambda: in_segment(b"\x19\x41\xa4\x69\x80")),
    ("chapters", Format.WEBM, lambda: in_segment(b"\x10\x43\xa7\x70\x80")),
    ("void", Format.WEBM, lambda: in_segment(b"\xec\x83abc")),
    ("tail", Format.WEBM, lambda: samples.trailed(clean(Format.WEBM))),
    ("writer", Format.WEBM, lambda: replaced(Format.WEBM, b"Lavf", b"Sam!")),
    ("language", Format.WEBM, lambda: replaced(Format.WEBM, b"und", b"deu")),
    ("raw film", Format.WEBM, samples.webm),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form", "make"), PLANTED, ids=[f"{form.name} {name}" for name, form, _ in PLANTED])
def test_whatever_is_planted_is_found(name: str, form: Format, make: object) -> None:
    findings = residues(make(), form)
    assert findings
    for finding in findings:
        assert finding.code is Code.RESIDUE
        assert set(finding.detail) == {"where", "what", "at"}
        assert str(finding.detail["where"] + finding.detail["what"]).isprintable()


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (Format.JPEG, {"exif": samples.exif_block()}),
        (Format.JPEG, {"comment": "hello"}),
        (Format.JPEG, {"xmp": samples.XMP}),
        (Format.JPEG, {"icc_profile": samples.colour_profile()}),
        (Format.PNG, {"exif": samples.exif_block()}),
        (Format.PNG, {"dpi": (300, 300)}),
        (Format.PNG, {"icc_profile": samples.colour_profile()}),
        (Format.WEBP, {"exif": samples.exif_block()}),
        (Format.WEBP, {"xmp": samples.XMP}),
        (Format.WEBP, {"icc_profile": samples.colour_profile()}),
        (Format.GIF, {"comment": b"hello"}),
        (Format.AVIF, {"exif": samples.exif_block()}),
        (Format.AVIF, {"xmp": samples.XMP}),
        (Format.AVIF, {"icc_profile": samples.colour_profile()}),
    ],
)
def test_whatever_pillow_can_add_is_found(form: Format, options: dict[str, object]) -> None:
    with Image.open(io.BytesIO(clean(form))) as picture:
        picture.load()
        bare = picture.copy()
    bare.info.clear()
    out = io.BytesIO()
    bare.save(out, form.name)
    if form is not Format.GIF:  # Pillow writes GIF87a where it can, we never do
        assert residues(out.getvalue(), form) == ()  # what Pillow writes without being asked for more is clean
    out = io.BytesIO()
    bare.save(out, form.name, **options)
    assert residues(out.getvalue(), form)


def test_every_kind_of_png_text_is_found() -> None:
    for method in ("add_text", "add_itxt"):
        chunks = PngImagePlugin.PngInfo()
        getattr(chunks, method)("Author", samples.AUTHOR)
        out = io.BytesIO()
        samples.picture(20, 20).save(out, "PNG", pnginfo=chunks)
        assert whats(residues(out.getvalue(), Format.PNG)) in (["chunk tEXt"], ["chunk iTXt"])


@pytest.mark.parametrize("form", [Format.HEIC, Format.MOV])
def test_formats_that_are_never_written_are_never_clean(form: Format) -> None:
    assert residues(b"anything", form)


@pytest.mark.parametrize("form", FORMS)
def test_no_file_of_another_format_is_clean(form: Format) -> None:
    for other in FORMS:
        texts = {Format.TEXT, Format.SRT, Format.VTT}
        if other is not form and not (form is Format.TEXT and other in texts):
            assert residues(clean(other), form), f"{other} passed as {form}"
    assert residues(b"", form)


@pytest.mark.parametrize("form", [form for form in FORMS if form.value.startswith(("image", "video"))])
def test_a_file_that_ends_early_is_not_clean(form: Format) -> None:
    whole = clean(form)
    for size in {*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1}:
        assert residues(whole[:size], form), size


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_a_reader_never_raises_and_finds_little_that_is_long(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(FORMS))
    content = bytearray(clean(form))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1) | st.integers(0, min(400, len(content) - 1)))
        new = data.draw(st.binary(max_size=8))
        match data.draw(st.sampled_from(["over", "in", "out"])):
            case "over":
                content[at : at + len(new)] = new
            case "in":
                content[at:at] = new
            case _:
                del content[at : at + len(new)]
        if not content:
            break
    findings = residues(bytes(content), form)
    assert len(findings) <= MOST_FINDINGS
    for finding in findings:
        assert all(len(str(value)) <= 100 for value in finding.detail.values())


@given(st.binary(max_size=200), st.sampled_from([*FORMS, Format.HEIC]))
@settings(max_examples=100, deadline=None)
def test_noise_is_never_clean_but_as_words(noise: bytes, form: Format) -> None:
    findings = residues(noise, form)
    assert findings or form is Format.TEXT


def test_every_byte_of_a_films_header_matters_or_is_a_number() -> None:
    """Zeros set to ones one by one: what stays unnoticed lies in fields that hold numbers, not in reserved ones."""
    whole = clean(Format.MP4)
    end = whole.index(b"free")
    unnoticed = 0
    for at in range(end):
        if whole[at] == 0:
            unnoticed += not residues(whole[:at] + b"\x41" + whole[at + 1 :], Format.MP4)
    # durations, time scales, sizes, times and rates: a film cannot be played without them
    assert unnoticed < 0.45 * whole[:end].count(0)


def test_the_readers_share_no_code_with_the_writers_and_use_no_media_library() -> None:
    folder = Path(transfer.disarm.__file__).parent
    readers = sorted(folder.glob("residue*.py"))
    assert len(readers) > 10
    for path in readers:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                ours = name.startswith(("transfer.model.", "transfer.disarm.residue"))
                assert ours or name.partition(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"

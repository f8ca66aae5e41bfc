"""MP4, MOV, HEIC, AVIF and WebM to the last byte: boxes and elements, their tables, and what nothing refers to."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.containers import (
    STBL,
    ZIP_END,
    ZIP_ENTRY,
    element,
    find_box,
    full_box,
    webm_of,
    with_box,
)
from tests.inspection.probing import LIMITS, refused, understood
from transfer.inspection.anatomy import Anatomy
from transfer.inspection.anatomy_boxes import dissect_boxes
from transfer.inspection.lacing import laced_frames
from transfer.inspection.structure_ebml import dissect_ebml
from transfer.model.findings import Code

FILM = samples.mp4(0.4, width=64, height=48, metadata=False)
SILENT = samples.mp4(0.4, width=64, height=48, metadata=False, audio="")
WEBM = samples.webm(0.4, width=64, height=48, metadata=False)
HEIC = samples.heic(64, 48)


def boxes(data: bytes, *, picture: bool = False) -> Anatomy:
    return dissect_boxes(lambda at, length: data[at : at + length], len(data), picture=picture)


def ebml(data: bytes) -> Anatomy:
    return dissect_ebml(lambda at, length: data[at : at + length], len(data))


def problem(found: Anatomy) -> str:
    assert not found.truncated
    assert found.problems
    return found.problems[0].problem


def looks(found: Anatomy) -> list[tuple[str, str]]:
    return [(second.looks, second.where) for second in found.seconds]


@pytest.mark.parametrize(
    "content",
    [
        FILM,
        SILENT,
        samples.mov(0.2, width=64, height=48),
        samples.mp4(0.2, width=64, height=48, data=True, subtitle=True),
        *(
            samples.mp4(0.2, width=64, height=48, options={"movflags": flags})
            for flags in ("frag_keyframe+empty_moov", "frag_every_frame", "dash", "cmaf")
        ),
        samples.mp4(0.2, width=64, height=48, options={"moov_size": "65536"}),
        samples.mp4(0.2, width=64, height=48, audio="pcm_s16le", form="mov"),
        samples.mp4(0.2, width=64, height=48, codec="libx265"),
        samples.mp4(0.2, width=64, height=48, codec="libsvtav1", audio="libopus"),
    ],
)
def test_what_writers_of_films_write_is_built_as_it_should_be(content: bytes) -> None:
    found = boxes(content)
    assert (found.problems, found.seconds, found.truncated, found.trailing, found.unreferenced) == ([], [], False, 0, 0)
    assert found.tracks
    assert found.packets


def test_packets_are_counted() -> None:
    assert boxes(SILENT).packets == 10
    assert ebml(samples.webm(0.4, width=64, height=48, audio="")).packets == 10
    assert boxes(samples.mp4(0.4, audio="", options={"movflags": "frag_keyframe+empty_moov"})).packets == 10


@pytest.mark.parametrize(
    "content",
    [
        FILM + samples.box(b"free", bytes(100)),
        FILM + samples.box(b"skip", b"GoPro" * 20),
        FILM + samples.box(b"wide", b""),
        FILM + samples.box(b"uuid", bytes(range(16)) + b"vendor"),
        FILM + struct.pack(">I4sQ", 1, b"free", 20) + b"\0" * 4,  # a size of 64 bits
        FILM + b"\0\0\0\0free" + bytes(90),  # to the end of the file
        FILM + bytes(4),
        with_box(FILM, (b"moov", b"udta"), samples.box(b"udta", samples.box(b"\xa9xyz", b"+51") + bytes(4) + b"odd"))
        if b"udta" in FILM
        else FILM,
    ],
)
def test_what_cameras_add_is_no_breach(content: bytes) -> None:
    found = boxes(content)
    assert (found.problems, found.seconds, found.trailing) == ([], [], 0)
    understood(content, ".mp4")


def test_zero_terminators_of_quicktime_pass() -> None:
    start, end = find_box(FILM, b"moov", b"trak")
    assert boxes(with_box(FILM, (b"moov", b"trak"), _grown(FILM[start:end], bytes(4)))).problems == []
    assert "between its boxes" in problem(boxes(with_box(FILM, (b"moov", b"trak"), _grown(FILM[start:end], b"junk"))))


def _grown(box: bytes, more: bytes) -> bytes:
    return struct.pack(">I", len(box) + len(more)) + box[4:] + more


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (FILM + samples.box(b"moov", b""), "twice"),
        (
            with_box(FILM, (b"moov", b"trak", b"edts", b"elst"), full_box(b"elst", struct.pack(">I", 1 << 30))),
            "table of its edits",
        ),
        (FILM + samples.box(b"trak", b""), "where it cannot"),
        (with_box(FILM, (b"moov", b"mvhd"), samples.box(b"moov", b"")), "where it cannot"),
        (with_box(FILM, (b"moov", b"mvhd"), struct.pack(">I", 1 << 20) + b"mvhd"), "beyond the one"),
        (with_box(FILM, (b"moov", b"mvhd"), samples.box(b"cmov", b"zlib")), "packed"),
        (samples.box(b"ftyp", b"isom\0\0\0\0" + b"iso2" * 900) + FILM[32:], "brands"),
        (with_box(FILM, (*STBL, b"stts"), full_box(b"stts", struct.pack(">I", 0xFFFFFFFF))), "longer than the box"),
        (with_box(FILM, (*STBL, b"stsc"), full_box(b"stsc", struct.pack(">I", 0x7FFFFFFF))), "longer than the box"),
        (with_box(FILM, (*STBL, b"stco"), full_box(b"stco", struct.pack(">I", 0xFFFFFFFF))), "longer than the box"),
        (with_box(FILM, (*STBL, b"stsz"), full_box(b"stsz", struct.pack(">II", 0, 0xFFFFFFFF))), "longer than the box"),
        (with_box(FILM, (*STBL, b"stsz"), full_box(b"stz2", struct.pack(">II", 7, 8))), "longer than the box"),
        (
            with_box(FILM, (*STBL, b"stts"), full_box(b"stts", struct.pack(">III", 1, 0xFFFFFFFF, 1))),
            "times to far more samples",
        ),
        (
            with_box(FILM, (*STBL, b"stsc"), full_box(b"stsc", struct.pack(">7I", 2, 5, 1, 1, 1, 1, 1))),
            "not in order",
        ),
    ],
)
def test_breaches_of_boxes_and_tables(content: bytes, words: str) -> None:
    assert words in problem(boxes(content))
    assert refused(content, ".mp4") in {Code.MALFORMED_STRUCTURE, Code.TYPE_UNKNOWN, Code.TOO_LONG}


def test_a_fragment_with_a_table_longer_than_itself() -> None:
    film = samples.mp4(0.2, audio="", options={"movflags": "frag_keyframe+empty_moov"})
    run = full_box(b"trun", struct.pack(">I", 0xFFFFFFF0), flags=0x301)
    assert "longer than the box" in problem(boxes(with_box(film, (b"moof", b"traf", b"trun"), run)))


def test_samples_lie_in_media_data() -> None:
    def moved(by: int) -> bytes:
        at, end = find_box(SILENT, *STBL, b"stco")
        offsets = struct.unpack(f">{(end - at - 16) // 4}I", SILENT[at + 16 : end])
        return (
            SILENT[: at + 16]
            + b"".join(struct.pack(">I", (offset + by) & 0xFFFFFFFF) for offset in offsets)
            + SILENT[end:]
        )

    assert boxes(moved(0)).problems == []
    assert "does not lie" in problem(boxes(moved(len(SILENT))))
    assert "does not lie" in problem(boxes(moved(-40)))
    assert refused(moved(100_000), ".mp4") is Code.MALFORMED_STRUCTURE


def test_samples_that_lie_upon_each_other() -> None:
    count = 20_000
    start, end = find_box(SILENT, b"mdat")
    film = with_box(
        SILENT,
        (*STBL, b"stsz"),
        full_box(b"stsz", struct.pack(">II", 0, count) + struct.pack(">I", end - start - 8) * count),
    )
    film = with_box(
        film, (*STBL, b"stco"), full_box(b"stco", struct.pack(">I", count) + struct.pack(">I", start + 8) * count)
    )
    film = with_box(film, (*STBL, b"stsc"), full_box(b"stsc", struct.pack(">4I", 1, 1, 1, 1)))
    assert "upon each other" in problem(boxes(film))


def test_media_data_of_no_sample_are_noted_and_searched() -> None:
    found = boxes(SILENT + samples.box(b"mdat", b"\x01\x02" * 5_000))
    assert found.unreferenced == 10_000
    assert boxes(SILENT + samples.box(b"mdat", bytes(10_000))).unreferenced == 0
    assert boxes(SILENT + samples.box(b"mdat", b"few")).unreferenced == 0
    archive = boxes(SILENT + samples.box(b"mdat", b"Rar!\x1a\x07\x01\0" + bytes(900)))
    assert looks(archive) == [("rar", "media data that belong to no sample")]
    findings = understood(SILENT + samples.box(b"mdat", b"\x01\x02" * 5_000), ".mp4")[1]
    assert findings[Code.TRAILING_DATA] == {"bytes": 10_000, "looks": "media data of no sample"}


@pytest.mark.parametrize("kind", [b"free", b"skip", b"uuid", b"udta", b"junk"])
def test_a_file_hidden_in_a_box(kind: bytes) -> None:
    hidden = bytes(16) + bytes(1_000) + ZIP_ENTRY + bytes(200_000)
    assert looks(boxes(FILM + samples.box(kind, hidden)))[0][0] == "zip"
    assert understood(FILM + samples.box(kind, hidden), ".mp4")[1][Code.SECOND_FILE]["looks"] == "zip"


def test_a_file_hidden_far_behind_in_metadata() -> None:
    cover = samples.box(b"udta", bytes(900_000) + ZIP_ENTRY + bytes(900_000))
    assert looks(boxes(FILM + cover)) == [("zip", "a box of its own")]


def test_unknown_elements_are_named() -> None:
    assert ebml(webm_of(TRACK, element(0x4DFF, b"harmless"), cluster(BLOCK))).kinds == ["unknown element"]


@pytest.mark.parametrize("walk", [boxes, ebml])
def test_a_zip_that_ends_in_the_tail_is_seen_wherever_it_begins(walk: Callable[[bytes], Anatomy]) -> None:
    inside = (
        FILM + samples.box(b"mdat", bytes(300) + ZIP_END + bytes(400))
        if walk is boxes
        else WEBM + element(0xEC, bytes(300) + ZIP_END)
    )
    assert "zip" in [kind for kind, _ in looks(walk(inside))]


# --- HEIC and AVIF -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [HEIC, samples.heic(64, 48, exif=False), samples.avif(64, 48), samples.avif(64, 48, frames=3)]
)
def test_pictures_in_boxes_are_built_as_they_should_be(content: bytes) -> None:
    found = boxes(content, picture=True)
    assert (found.problems, found.seconds, found.truncated, found.trailing) == ([], [], False, 0)


def test_items_lie_in_media_data() -> None:
    start, end = find_box(HEIC, b"mdat")
    shorter = HEIC[:start] + samples.box(b"free", HEIC[start + 8 : end]) + HEIC[end:]
    assert "an item does not lie" in problem(boxes(shorter, picture=True))
    assert refused(shorter, ".heic") is Code.MALFORMED_STRUCTURE


@pytest.mark.parametrize("kind", [b"iloc", b"iinf"])
def test_tables_of_items_fit_their_box(kind: bytes) -> None:
    at = HEIC.index(kind) + 8
    count = at + (2 if kind == b"iloc" else 0)
    lying = HEIC[:count] + b"\xff\xff" + HEIC[count + 2 :]
    assert boxes(lying, picture=True).problems or kind == b"iinf"
    cut = HEIC.replace(kind, b"free", 1)
    assert boxes(cut, picture=True).problems == []


def test_a_picture_of_too_many_tiles() -> None:
    references = b"\0\0\0\0" + samples.box(b"dimg", struct.pack(">HH", 1, 60_000) + bytes(120_000))
    meta = samples.box(b"meta", b"\0\0\0\0" + samples.box(b"hdlr", bytes(20)) + samples.box(b"iref", references))
    found = boxes(samples.box(b"ftyp", b"heic\0\0\0\0mif1heic") + meta, picture=True)
    assert problem(found) == "one of its pictures is made of 60000 others"


def test_a_file_that_hangs_on_a_picture_as_an_item() -> None:
    entry = full_box(b"infe", struct.pack(">HH", 1, 0) + b"mime\0text/html\0", version=2)
    payload = b"<html><script>alert(1)</script></html>"
    head = samples.box(b"ftyp", b"heic\0\0\0\0mif1heic")
    items = full_box(b"iinf", b"\0\1" + entry)

    def meta(offset: int) -> bytes:
        place = full_box(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(payload)))
        return full_box(b"meta", full_box(b"hdlr", bytes(20)) + items + place)

    content = head + meta(len(head) + len(meta(0)) + 8) + samples.box(b"mdat", payload)
    assert looks(boxes(content, picture=True))[0] == ("markup", "an item of its own")


# --- WebM --------------------------------------------------------------------------------------------------------

TRACK = element(0x1654AE6B, element(0xAE, element(0xD7, b"\x01") + element(0x83, b"\x01") + element(0x86, b"V_VP9")))
BLOCK = element(0xA3, b"\x81\0\0\x80frame")


def cluster(*children: bytes, unknown: bool = False) -> bytes:
    return element(0x1F43B675, element(0xE7, b"\0") + b"".join(children), unknown=unknown)


@pytest.mark.parametrize(
    "content",
    [
        WEBM,
        samples.mp4(0.4, width=64, height=48, codec="libvpx", audio="vorbis", form="webm"),
        samples.mp4(0.4, width=64, height=48, codec="libvpx", audio="vorbis", form="webm", options={"live": "1"}),
        webm_of(TRACK, cluster(BLOCK), cluster(BLOCK)),
        webm_of(TRACK, cluster(BLOCK, unknown=True), cluster(BLOCK, unknown=True), element(0x1254C367, b"")),
        webm_of(TRACK, cluster(element(0xA0, element(0xA1, b"\x81\0\0\0frame")))) + element(0xEC, bytes(30)),
        webm_of(TRACK, element(0x1549A966, b""), element(0x4DFF, b"unknown and harmless"), cluster(BLOCK)),
    ],
)
def test_what_writers_of_webm_write_is_built_as_it_should_be(content: bytes) -> None:
    found = ebml(content)
    assert (found.problems, found.seconds, found.truncated, found.trailing) == ([], [], False, 0)
    assert found.tracks
    assert found.packets


def nested_tags(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = element(0x67C8, content)
    return content


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ((TRACK, b"\0\0\0\0"), "between its elements"),
        ((TRACK, element(0x1254C367, element(0x7373, nested_tags(2_000)))), "too deep"),
        ((TRACK, BLOCK), "where it cannot"),
        ((TRACK, cluster(element(0x18538067, b""))), "where it cannot"),
        ((TRACK, cluster(b"\xa3\x84ab")), "beyond the one"),
        ((element(0x1654AE6B, b"", unknown=True),), "how long it is"),
        ((TRACK, cluster(element(0xA3, b"\x81"))), "shorter than its header"),
        ((TRACK, cluster(element(0xA3, b"\x81\0\0\x84\xff"))), "not as long as it says"),
        (
            (
                element(
                    0x1654AE6B, element(0xAE, element(0x6D80, element(0x6240, element(0x5034, element(0x4254, b"\0")))))
                ),
            ),
            "packed",
        ),
        ((element(0x1654AE6B, element(0xAE, element(0x6D80, element(0x6240, element(0x5035, b""))))),), "encrypted"),
    ],
)
def test_breaches_of_elements(children: tuple[bytes, ...], words: str) -> None:
    assert words in problem(ebml(webm_of(*children)))
    assert refused(webm_of(*children), ".webm") is Code.MALFORMED_STRUCTURE


def test_attachments_are_counted_and_searched() -> None:
    attached = element(0x1941A469, element(0x61A7, element(0x466E, b"a.exe") + element(0x465C, samples.program())) * 2)
    found = ebml(webm_of(TRACK, cluster(BLOCK), attached))
    assert found.attachments == 2
    assert looks(found) == [("program", "an element of its own")]


def test_a_file_hidden_in_padding() -> None:
    assert looks(ebml(webm_of(TRACK, element(0xEC, bytes(50) + ZIP_ENTRY), cluster(BLOCK)))) == [("zip", "padding")]


@pytest.mark.parametrize(
    ("lacing", "data", "length", "frames"),
    [
        (1, b"\x02\x03\x05" + bytes(20), 23, 3),
        (1, b"\x01\xff\x01" + bytes(300), 303, 2),
        (1, b"\x01\x00" + bytes(10), 12, 0),
        (1, b"\x01\x0a", 4, 0),
        (1, b"\x05\x01", 2, 0),
        (2, b"\x03", 13, 4),
        (2, b"\x03", 12, 0),
        (2, b"\xff", 1, 0),
        (3, b"\x02\x84\xc1", 30, 3),  # 4, then 4 + 2 more
        (3, b"\x01\x80", 30, 0),
        (3, b"\x02\x84\x80", 30, 0),
        (3, b"\x01", 1, 0),
        (1, b"", 0, 0),
    ],
)
def test_lacing(lacing: int, data: bytes, length: int, frames: int) -> None:
    assert laced_frames(data, length, lacing) == frames


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(1, 3))
def test_lacing_never_announces_more_frames_than_bytes(data: bytes, length: int, lacing: int) -> None:
    assert laced_frames(data, max(length, len(data)), lacing) <= max(length, len(data))


@given(st.data())
def test_elements_in_any_order_end_the_walk_quietly(data: st.DataObject) -> None:
    names = st.sampled_from([0xA3, 0xA0, 0xA1, 0xE7, 0x1F43B675, 0x1654AE6B, 0xAE, 0x1941A469, 0x61A7, 0xEC, 0x6D80])
    trees = st.recursive(
        st.builds(element, names, st.binary(max_size=12), unknown=st.booleans()),
        lambda inner: st.builds(element, names, st.lists(inner, max_size=4).map(b"".join), unknown=st.booleans()),
    )
    found = ebml(webm_of(*data.draw(st.lists(trees, max_size=6))))
    assert found.trailing >= 0


@given(st.data())
def test_boxes_in_any_order_end_the_walk_quietly(data: st.DataObject) -> None:
    structure = b"moov trak mdia minf stbl stsz stco stsc stts hdlr moof traf trun"
    names = st.sampled_from([*structure.split(), *b"mdat meta iloc iinf iref free uuid idat".split()])
    trees = st.recursive(
        st.builds(samples.box, names, st.binary(max_size=40)),
        lambda inner: st.builds(samples.box, names, st.lists(inner, max_size=5).map(b"".join)),
    )
    content = b"".join(data.draw(st.lists(trees, max_size=6)))
    for picture in (False, True):
        assert boxes(content, picture=picture).trailing >= 0


def test_limits_of_the_policy_hold_for_what_is_counted() -> None:
    count = 1_000 * LIMITS.seconds + 1
    film = with_box(SILENT, (*STBL, b"stsz"), full_box(b"stsz", struct.pack(">II", 0, count) + bytes(4 * count)))
    assert refused(film, ".mp4") is Code.MALFORMED_STRUCTURE
    assert refused(FILM, ".mp4", streams=1) is Code.TOO_MANY_STREAMS

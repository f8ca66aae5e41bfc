"""What metadata says of people and devices is counted by kind, in every form that files keep it in."""

from __future__ import annotations

import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests import samples
from tests.inspection.probing import understood
from transfer.inspection.exif import exif_identities, without_thumbnail
from transfer.inspection.identities import identities_in
from transfer.inspection.markings import text_of
from transfer.model.findings import Code
from transfer.model.identities import Identity
from transfer.model.marks import find_marks


def camera_exif() -> bytes:
    """What a camera and an editor leave behind in EXIF."""
    exif = Image.Exif()
    exif.update({0x010F: "Canon", 0x0110: "EOS R5", 0x013B: "Jane Doe", 0x8298: "Jane Doe 2024", 0x0131: "Darktable"})
    exif.update({0x013C: "janes-laptop", 0x0132: "2024:10:12 09:30:15", 0x010E: "Garden party"})
    inner = exif.get_ifd(0x8769)
    inner.update({0x9003: "2024:10:12 09:30:15", 0xA430: "Jane Doe", 0xA431: "012345678901", 0xA435: "9876543210"})
    inner.update({0xA434: "RF24-105mm", 0xA420: "0123456789abcdef", 0x927C: b"Canon\0" + bytes(range(200))})
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 45.0, 0.0), 3: "W", 4: (1.0, 15.0, 0.0)})
    return exif.tobytes()


def test_exif_is_counted_by_kind() -> None:
    assert exif_identities(camera_exif()) == {
        Identity.PEOPLE: 3,
        Identity.SERIALS: 2,
        Identity.DEVICES: 3,
        Identity.SOFTWARE: 2,
        Identity.TIMES: 2,
        Identity.IDS: 1,
        Identity.DESCRIPTIONS: 1,
        Identity.MAKERS: 1,
        Identity.PLACES: 1,
    }


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_in_both_orders_with_a_thumbnail(order: str) -> None:
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    block += struct.pack(f"{order}HHHI4sI", 1, 0x013B, 2, 4, b"Jane", 26)
    block += struct.pack(f"{order}HHHIII", 1, 0x0201, 4, 1, 99, 0)
    assert exif_identities(block) == {Identity.PEOPLE: 1, Identity.THUMBNAILS: 1}
    assert exif_identities(b"Exif\0\0" + block) == exif_identities(block)


def test_a_thumbnail_is_no_text() -> None:
    def block(thumbnail: bytes) -> bytes:
        directories = b"II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x013B, 2, 4, b"Jane", 26)
        directories += struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(thumbnail), 0)
        return directories + thumbnail + b"SECRET"

    small = b"\xff\xd8" + bytes(range(200))
    assert without_thumbnail(block(small)) == block(small)[:56] + b"SECRET"
    assert without_thumbnail(b"Exif\0\0" + block(small)) == b"Exif\0\0" + block(small)[:56] + b"SECRET"
    for kept in (block(b"words that are no picture"), b"II*\0", b"", b"words", block(small)[:40]):
        assert without_thumbnail(kept) == kept


def test_blank_entries_say_nothing() -> None:
    exif = Image.Exif()
    exif.update({0x013B: "   ", 0x8298: " ", 0x010E: "                    "})
    exif.get_ifd(0x8769).update({0x9286: b"ASCII\0\0\0" + bytes(30), 0xA431: ""})
    exif.get_ifd(0x8825).update({0: b"\2\3\0\0"})
    assert exif_identities(exif.tobytes()) == {}


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core"><rdf:RDF><rdf:Description
 xmp:CreatorTool="Lightroom" xmpMM:DocumentID="xmp.did:1" xmpMM:InstanceID="xmp.iid:2" aux:SerialNumber="0123"
 exif:GPSLatitude="51,45N" photoshop:City="Oxford" xmp:CreateDate="2024-10-12">
 <dc:creator><rdf:Seq><rdf:li>Jane Doe</rdf:li></rdf:Seq></dc:creator><dc:rights>Jane</dc:rights>
 <mwg-rs:Regions><mwg-rs:RegionList/></mwg-rs:Regions><xmpMM:History><rdf:Seq/></xmpMM:History>
 <Iptc4xmpCore:CreatorContactInfo Iptc4xmpCore:CiEmailWork="jane@example.org"/></rdf:Description></rdf:RDF>
</x:xmpmeta>"""


def test_xmp_is_counted_by_kind() -> None:
    assert identities_in([XMP]) == {
        Identity.PEOPLE: 2,
        Identity.CONTACTS: 3,
        Identity.SERIALS: 1,
        Identity.SOFTWARE: 2,
        Identity.TIMES: 1,
        Identity.PLACES: 2,
        Identity.IDS: 2,
        Identity.FACES: 1,
        Identity.HISTORY: 1,
    }


def test_iptc_is_counted_by_kind() -> None:
    sets = b"".join(b"\x1c\x02" + bytes([number]) + b"\0\x04Jane" for number in (80, 116, 118, 65, 90, 25, 55))
    block = (
        b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(sets)) + sets + b"8BIM\x04\x0c\0\0\0\0\0\x04abcd"
    )
    assert identities_in([block]) == {
        Identity.PEOPLE: 2,
        Identity.CONTACTS: 1,
        Identity.SOFTWARE: 1,
        Identity.TIMES: 1,
        Identity.PLACES: 1,
        Identity.THUMBNAILS: 1,
        Identity.DESCRIPTIONS: 1,
    }


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("Author", Identity.PEOPLE),
        ("copyright", Identity.PEOPLE),
        ("com.apple.quicktime.author", Identity.PEOPLE),
        ("com.apple.quicktime.make", Identity.DEVICES),
        ("com.apple.quicktime.model", Identity.DEVICES),
        ("com.apple.quicktime.camera.lens_model", Identity.DEVICES),
        ("com.apple.quicktime.software", Identity.SOFTWARE),
        ("com.apple.quicktime.creationdate", Identity.TIMES),
        ("com.apple.quicktime.location.ISO6709", Identity.PLACES),
        ("com.apple.quicktime.content.identifier", Identity.IDS),
        ("com.android.version", Identity.SOFTWARE),
        ("encoder", Identity.SOFTWARE),
        ("Software", Identity.SOFTWARE),
        ("creation_time", Identity.TIMES),
        ("Creation Time", Identity.TIMES),
        ("camera_serial_number", Identity.SERIALS),
        ("title", Identity.DESCRIPTIONS),
        ("Comment", Identity.DESCRIPTIONS),
    ],
)
def test_tags_of_films_and_texts_of_png(key: str, kind: Identity) -> None:
    assert identities_in([f"{key}=some words".encode()]) == {kind: 1}
    assert identities_in([f"{key}= ".encode()]) == {}


def test_a_tag_of_no_known_kind_says_nothing() -> None:
    assert identities_in([b"major_brand=isom", b"gamma=2.2", b"no tag at all", b"", b"=x"]) == {}


def test_whole_files() -> None:
    _, findings = understood(samples.jpeg(exif=True, gps=True, xmp=True), ".jpg")
    assert findings[Code.IDENTIFYING_METADATA] == {"people": 2, "devices": 1, "places": 1, "descriptions": 1}
    _, findings = understood(samples.png(text={"Author": "Sam", "Software": "x", "Title": "y"}), ".png")
    assert findings[Code.IDENTIFYING_METADATA] == {"people": 1, "software": 1, "descriptions": 1}
    _, findings = understood(samples.jpeg(exif=False), ".jpg")
    assert Code.IDENTIFYING_METADATA not in findings


def test_films_say_it_in_their_tags() -> None:
    _, findings = understood(samples.mp4(0.2, comment="a comment"), ".mp4")
    assert findings[Code.IDENTIFYING_METADATA]["descriptions"] >= 1
    assert findings[Code.IDENTIFYING_METADATA]["software"] >= 1  # the encoder names itself


def test_no_value_reaches_a_finding() -> None:
    content = samples.jpeg_with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    _, findings = understood(content, ".jpg")
    for word in ("Jane", "Oxford", "Lightroom", "0123", "example"):
        assert word not in repr(findings)


def test_words_in_latin_1_and_in_numbers_of_xml_are_read() -> None:
    mark = ("NUR FÜR DEN DIENSTGEBRAUCH",)
    assert find_marks(text_of(b"\xff\xfe\0\1Comment: NUR F\xdcR DEN DIENSTGEBRAUCH\0\x80"), mark) == mark
    assert find_marks(text_of(b"<x>&#83;&#x45;CRET</x>"), ("SECRET",)) == ("SECRET",)


# --- hostile blocks ------------------------------------------------------------------------------------------------


@given(
    st.binary(max_size=200),
    st.sampled_from([b"II*\0", b"MM\0*", b"Exif\0\0II*\0", b"Photoshop 3.0\0", b"<rdf:RDF ", b""]),
)
def test_any_block_can_be_counted(rest: bytes, head: bytes) -> None:
    counted = identities_in([head + rest])
    assert all(number > 0 for number in counted.values())


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_real_block_with_any_byte_changed_or_cut_off(at: int, value: int) -> None:
    block = bytearray(camera_exif())
    at = min(at, len(block) - 1)
    block[at] = value
    exif_identities(bytes(block))
    exif_identities(bytes(block[:at]))
    without_thumbnail(bytes(block[:at]))


def test_directories_that_name_each_other_end() -> None:
    entries = 20_000
    block = b"II*\0" + struct.pack("<IH", 8, entries) + struct.pack("<HHII", 0x8825, 4, 1, 8) * entries
    started = time.process_time()
    exif_identities(block + struct.pack("<I", 8))
    exif_identities(block.replace(b"\x25\x88", b"\x69\x87") + struct.pack("<I", 8))
    identities_in([b"<rdf:RDF" + b" a:creator=" * 20_000])
    assert time.process_time() - started < 2

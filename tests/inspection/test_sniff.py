"""Content and name have to agree, and what agrees on nothing of ours is unknown."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.probing import refused, understood
from transfer.inspection.brands import film_type
from transfer.inspection.noticed import Unfit, noticed, printable
from transfer.inspection.sniff import Sniffer, agreed_format, format_of_suffix, libmagic_version
from transfer.model.findings import Code
from transfer.model.media import Format


def test_every_suffix_of_every_format_leads_back_to_it() -> None:
    for form in Format:
        for suffix in form.suffixes:
            assert format_of_suffix(suffix) is form
            assert format_of_suffix(suffix.upper()) is form


def test_libmagic_is_the_one_that_came_with_its_own_database() -> None:
    assert libmagic_version() == "5.41"
    assert Sniffer().media_type(samples.jpeg()) == "image/jpeg"


def test_libmagic_is_found_whatever_was_imported_before() -> None:
    program = "import transfer.inspection.probe as p; p.warm(); import sys; sys.exit('PIL' not in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_a_picture_under_another_picture_s_name_does_not_agree() -> None:
    assert refused(samples.jpeg(), ".png") is Code.TYPE_MISMATCH
    assert refused(samples.png(), ".jpg") is Code.TYPE_MISMATCH
    assert refused(samples.heic(), ".avif") is Code.TYPE_MISMATCH


def test_a_film_under_another_container_s_name_does_not_agree(mp4: bytes, webm: bytes) -> None:
    assert refused(mp4, ".mov") is Code.TYPE_MISMATCH
    assert refused(webm, ".mp4") is Code.TYPE_MISMATCH
    assert refused(samples.mp4(form="matroska"), ".webm") is Code.TYPE_MISMATCH


@pytest.mark.parametrize("suffix", [".jpg", ".mp4", ".gif"])
def test_a_program_under_a_medium_s_name_does_not_agree(suffix: str) -> None:
    assert refused(samples.program(), suffix) is Code.TYPE_MISMATCH


def test_what_libmagic_does_not_know_is_unknown() -> None:
    assert refused(b"\x01\x02\x03\x04" * 20, ".jpg") is Code.TYPE_UNKNOWN


@pytest.mark.parametrize("suffix", ["", ".exe", ".svg", ".pdf", ".jpg.exe", "\N{RIGHT-TO-LEFT OVERRIDE}gpj"])
def test_a_suffix_that_is_not_ours_is_unknown_whatever_the_content(suffix: str) -> None:
    assert refused(samples.jpeg(), suffix) is Code.TYPE_UNKNOWN


def test_an_empty_file_is_empty() -> None:
    assert refused(b"", ".jpg") is Code.EMPTY


def test_a_medium_under_a_text_s_name_does_not_agree() -> None:
    assert refused(samples.jpeg(), ".txt") is Code.TYPE_MISMATCH
    with pytest.raises(Unfit) as caught:
        agreed_format("application/pdf", ".txt")
    assert caught.value.finding.detail["content"] == "application/pdf"


@pytest.mark.parametrize(
    ("brand", "suffix"), [(b"avif", ".avif"), (b"mif1", ".avif"), (b"avif", ".heic"), (b"mif1", ".heic")]
)
def test_the_brand_that_heic_and_avif_share(brand: bytes, suffix: str) -> None:
    content = samples.avif(exif=False).replace(b"ftypavif", b"ftyp" + brand, 1)
    if suffix == ".avif":
        assert understood(content, suffix)[0].format is Format.AVIF
    else:
        assert refused(content, suffix) in {Code.TYPE_MISMATCH, Code.UNDECODABLE}


@pytest.mark.parametrize("brand", [b"mp42", b"iso6", b"M4V ", b"dash", b"MSNV", b"3gp5"])
def test_brands_that_cameras_give_their_mp4(mp4: bytes, brand: bytes) -> None:
    assert understood(mp4.replace(b"ftypisom", b"ftyp" + brand, 1), ".mp4")[0].format is Format.MP4


def test_what_libmagic_takes_for_a_mail_may_be_a_caption() -> None:
    assert agreed_format("message/rfc822", ".txt") is Format.TEXT
    understood(b"From: the choir\nTo: all of you\n\nCome!\n", ".txt")


def test_details_are_short_printable_ascii() -> None:
    assert printable("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n\x1b[31m\n") == "gr?n?[31m?"
    finding = noticed(Code.METADATA, kinds="x" * 500, count=3)
    assert finding.detail == {"kinds": "x" * 80, "count": 3}


def branded(mp4: bytes, brands: bytes) -> bytes:
    """The film as a camera writes it: its maker's brand first. The list grows into padding, so that nothing moves."""
    old = int.from_bytes(mp4[:4], "big")
    assert mp4[4:8] == b"ftyp"
    assert mp4[old + 4 : old + 8] == b"free" or len(brands) + 12 <= old
    new = (len(brands) + 12).to_bytes(4, "big") + b"ftyp" + brands[:4] + bytes(4) + brands[4:]
    rest = old - len(new)
    assert rest == 0 or rest >= 8
    return new + (rest.to_bytes(4, "big") + b"free" + bytes(rest - 8) if rest else b"") + mp4[old:]


@pytest.mark.parametrize("brands", [b"XAVCmp42", b"CAEPisom", b"pana\0\0\0\0isom", b"OLYMmp42", b"hvc1iso5"])
def test_a_camera_s_own_brand_does_not_matter_where_it_names_a_standard(mp4: bytes, brands: bytes) -> None:
    film = branded(mp4, brands)
    assert Sniffer().media_type(film[:2048]) == "video/mp4"
    assert understood(film, ".mp4")[0].format is Format.MP4
    assert refused(film, ".mov") is Code.TYPE_MISMATCH


@pytest.mark.parametrize("brands", [b"XAVC", b"XAVCXAVC", b"CRAWcrx "])
def test_a_brand_that_names_no_standard_stays_unknown(mp4: bytes, brands: bytes) -> None:
    assert refused(branded(mp4, brands), ".mp4") in {Code.TYPE_UNKNOWN, Code.TYPE_MISMATCH}


@pytest.mark.parametrize("kind", [b"wide", b"free", b"skip"])
def test_a_quicktime_film_without_brands_is_one(kind: bytes) -> None:
    mov = samples.mov()
    size = int.from_bytes(mov[:4], "big")
    old = size.to_bytes(4, "big") + kind + bytes(size - 8) + mov[size:]
    assert understood(old, ".mov")[0].format is Format.MOV
    assert refused(old, ".jpg") is Code.TYPE_MISMATCH


@given(head=st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda rest: b"\0\0\0\x20ftyp" + rest)))
def test_brands_of_any_bytes(head: bytes) -> None:
    assert film_type(head) in {"", "video/mp4", "video/quicktime"}

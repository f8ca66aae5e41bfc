"""Marks are found as people really write them, and not inside other words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.probing import understood
from transfer.inspection.markings import labels_in, text_of, tiktok_marks_in
from transfer.model.findings import Code
from transfer.model.marks import MAX_TEXT, find_marks

MARKS = ("official-sensitive", "SECRET", "tlp:red", "NUR FÜR DEN DIENSTGEBRAUCH")
LABEL = "MSIP_Label_9d258917-277f-42cd-a3cd-14c4e9ee58bc"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("OFFICIAL-SENSITIVE", ("official-sensitive",)),
        ("official sensitive: budget", ("official-sensitive",)),
        ("Official_Sensitive", ("official-sensitive",)),
        ("OFFICIAL \n  SENSITIVE", ("official-sensitive",)),
        ("OFFICIAL\N{EN DASH}SENSITIVE", ("official-sensitive",)),
        ("O\N{ZERO WIDTH SPACE}FFICIAL-SENS\N{SOFT HYPHEN}ITIVE", ("official-sensitive",)),
        ("\uff33\uff25\uff23\uff32\uff25\uff34", ("SECRET",)),  # full-width letters
        ("TLP:RED and SECRET", ("SECRET", "tlp:red")),
        ("tlp red", ("tlp:red",)),
        ("Nur für den Dienstgebrauch", ()),
        ("NUR FU\N{COMBINING DIAERESIS}R DEN DIENSTGEBRAUCH", ("NUR FÜR DEN DIENSTGEBRAUCH",)),
        ("a secret garden", ()),
        ("SECRETARY", ()),
        ("TOPSECRET", ()),
        ("unofficial sensitive skin", ()),
        ("", ()),
    ],
)
def test_marks(text: str, found: tuple[str, ...]) -> None:
    assert find_marks(text, MARKS) == found


def test_no_marks_find_nothing_and_an_empty_mark_is_none() -> None:
    assert find_marks("SECRET", ()) == ()
    assert find_marks("SECRET", ("", " ", "--")) == ()


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_mark_between_any_texts_is_found(before: str, after: str) -> None:
    assert "SECRET" in find_marks(f"{before}\nSECRET\n{after}", MARKS)


@given(st.text())
def test_no_text_breaks_the_search(text: str) -> None:
    assert set(find_marks(text, MARKS)) <= set(MARKS)
    labels_in(text)
    tiktok_marks_in(text)


def test_sensitivity_labels_and_tiktok_marks() -> None:
    assert labels_in(f'x {LABEL}_Name="Internal" {LABEL}_Enabled') == (LABEL[11:],)
    assert labels_in("MSIP_Label_short") == ("unreadable",)  # whatever it was, somebody labelled the file
    assert tiktok_marks_in("comment=vid:v0900fg10000abc\naigc_info={}") == ("vid", "aigc_info")
    assert tiktok_marks_in("vid:video of the day; david:v0900") == ()
    assert tiktok_marks_in("Canonvid:v09044g40000cabcdefghijk") == ("vid",)


@pytest.mark.parametrize(
    "comment",
    [
        b"ASCII\0\0\0vid:v0900fg10000abc",
        b"UNICODE\0" + "vid:v0900fg10000abc".encode("utf-16-le"),
        b"UNICODE\0" + "vid:v0900fg10000abc".encode("utf-16-be"),
    ],
)
def test_exif_s_own_comment_is_read_behind_the_name_of_its_letters(comment: bytes) -> None:
    assert tiktok_marks_in(text_of(b"\x01\x02\xff" + comment)) == ("vid",)
    assert find_marks(text_of(b"\x01ASCII\0\0\0SECRET"), MARKS) == ("SECRET",)


def test_utf_16_texts_are_read_too() -> None:
    assert find_marks(text_of("SECRET".encode("utf-16-le")), MARKS) == ("SECRET",)


def test_very_long_texts_are_searched_up_to_a_bound() -> None:
    assert find_marks("SECRET" + " " * MAX_TEXT, MARKS) == ("SECRET",)
    assert find_marks("x" * MAX_TEXT + " SECRET", MARKS) == ()


def test_a_mark_in_a_caption_and_in_each_kind_of_metadata() -> None:
    marked = {
        ".txt": samples.text("Budget (Official-Sensitive)"),
        ".srt": samples.srt(["this is SECRET"]),
        ".jpg": samples.jpeg(exif=False, comment="Official Sensitive"),
        ".png": samples.png(text={"a": "plain", "Comment": "OFFICIAL-SENSITIVE", "c": "x"}),
        ".gif": samples.gif(comment="SECRET"),
        ".mp4": samples.mp4(0.2, comment="SECRET"),
    }
    for suffix, content in marked.items():
        _, findings = understood(content, suffix)
        assert findings[Code.MARKING]["mark"] in {"OFFICIAL-SENSITIVE", "SECRET"}, suffix


def test_a_sensitivity_label_in_xmp_is_a_marking() -> None:
    packet = b"http://ns.adobe.com/xap/1.0/\0<x pdfx:" + LABEL.encode() + b"_Name='Internal'/>"
    _, findings = understood(samples.jpeg_with_segment(0xE1, packet), ".jpg", marks=())
    assert findings[Code.MARKING] == {"mark": "sensitivity label", "label": LABEL[11:], "where": "metadata"}


def test_the_words_of_a_file_never_reach_a_finding() -> None:
    _, findings = understood(samples.text("SECRET meeting with Jo Public at nine"), ".txt")
    assert "Jo Public" not in repr(findings)


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_a_mark_between_any_bytes_of_metadata_is_found(before: bytes, after: bytes, encoding: str) -> None:
    block = before + "\n\nSECRET\n\n".encode(encoding) + after
    assert "SECRET" in find_marks(text_of(block), MARKS)

"""SafeName: from any bytes a name that is safe everywhere, as near to the original as that allows."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transfer.model.names import MAX_BYTES, MAX_CHARACTERS, SafeName, parse_safe_name, safe_name

SUFFIXES = st.sampled_from([".jpg", ".png", ".mp4", ".webm", ".txt", ".srt", ".vtt"])

HARD = st.one_of(
    st.binary(max_size=400),
    st.text(max_size=200),
    st.text(alphabet="aé\u0301\u1100\u1161\u11a8\U0001f468\u200d.-~ /\\\u202e\x00", max_size=150),
    st.text(alphabet="\U0001f600\u0301", min_size=40, max_size=120),
    st.sampled_from(
        ["con", "CON.txt", "nul.", "LPT1.jpg", "aux .png", ".", "..", "...", "-rf", "~", " ", "", "a" * 255]
    ),
)


def assert_safe(name: SafeName) -> None:
    text = name.text
    assert 0 < len(text) <= MAX_CHARACTERS
    assert len(text.encode()) <= MAX_BYTES
    assert text == unicodedata.normalize("NFC", text)
    assert not set(text) & set('<>:"/\\|?*')
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in text)
    assert text[0] not in ".-~ "
    assert text[-1] not in ". "
    stem = text.split(".")[0].strip().lower()
    assert stem not in {
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
    }
    assert parse_safe_name(text) == name


@given(HARD)
@example(b"\xff" * 300)
@example("\u0344" * 100)  # composed only after decomposing: normalising makes it longer
@example("a" * 96 + " .jpg")
@example("x.con")
@example("con.")
@example("AUX .0")
@example("a" * 90 + " .abcdefghijklmnop")
@example("e\u200d\u0301.jpg")  # composes once the joiner is gone
@example("COM\u00b9.jpg")
def test_any_name_becomes_safe_and_stays_what_it_became(untrusted: bytes | str) -> None:
    name = safe_name(untrusted)
    assert_safe(name)
    assert safe_name(name.text) == name
    assert safe_name(name.text.encode()) == name


@given(HARD, SUFFIXES, st.integers(2, 10**6))
@example("a" * 95 + " " + "b" * 10, ".jpg", 2)
@example(" .jpg", ".png", 2)
def test_other_suffixes_and_numbers_stay_safe(untrusted: bytes | str, suffix: str, number: int) -> None:
    name = safe_name(untrusted)
    other = name.with_suffix(suffix)
    assert_safe(other)
    assert other.suffix == suffix
    numbered = other.numbered(number)
    assert_safe(numbered)
    assert numbered.suffix == suffix
    assert numbered.stem.endswith(f"-{number}")
    assert numbered != other
    assert_safe(name.numbered(number))


@given(HARD, SUFFIXES, st.integers(2, 10**6), st.integers(2, 10**6))
def test_different_numbers_never_meet(untrusted: bytes | str, suffix: str, one: int, two: int) -> None:
    name = safe_name(untrusted).with_suffix(suffix)
    assert (name.numbered(one) == name.numbered(two)) == (one == two)


@given(st.text(max_size=120))
def test_only_safe_text_is_parsed(text: str) -> None:
    try:
        name = parse_safe_name(text)
    except ValueError:
        return
    assert_safe(name)
    assert safe_name(text) == name, "what is safe is left alone"


@given(HARD)
def test_a_safe_name_is_one_entry_of_its_folder(
    tmp_path_factory: pytest.TempPathFactory, untrusted: bytes | str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    folder.mkdir(exist_ok=True)
    name = safe_name(untrusted)
    path = folder / name.text
    path.touch()
    try:
        assert os.listdir(folder) == [name.text]
        assert path.resolve().parent == folder.resolve()
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("untrusted", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Grüße aus Zürich.jpg", "Grüße aus Zürich.jpg"),
        ("写真.jpg", "写真.jpg"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("-rf", "rf"),
        (".hidden.jpg", "hidden.jpg"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\nb.jpg", "a_b.jpg"),
        ("  a   b  .jpg", "a b.jpg"),
        ("AUX .png", "_AUX.png"),
        ("con.jpg", "_con.jpg"),
        (b"\xff\xfe.jpg", "\ufffd\ufffd.jpg"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("photo.jpg.", "photo.jpg"),
        ("what?.jpg", "what_.jpg"),
    ],
)
def test_what_people_will_see(untrusted: bytes | str, expected: str) -> None:
    assert safe_name(untrusted).text == expected


def test_long_names_keep_their_suffix() -> None:
    assert safe_name("x" * 300 + ".jpeg").text == "x" * 95 + ".jpeg"
    long = safe_name("é" * 300 + ".mp4")
    assert long.suffix == ".mp4"
    assert len(long.text.encode()) <= MAX_BYTES


def test_numbers_and_suffixes_people_will_see() -> None:
    name = safe_name("holiday.HEIC")
    assert (name.stem, name.suffix) == ("holiday", ".heic")
    assert name.with_suffix(".jpg").text == "holiday.jpg"
    assert name.with_suffix(".jpg").numbered(2).text == "holiday-2.jpg"
    assert safe_name("no suffix").numbered(3).text == "no suffix-3"


def test_it_is_made_in_one_way_only() -> None:
    for text in ("../up", "", ".", "a/b", "a\x00", "e\u0301", "-x", "x" * 101, "con"):
        with pytest.raises(ValueError, match="SafeName"):
            SafeName(text)

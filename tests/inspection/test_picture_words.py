"""Words read in pictures are answered as a caption's, and nothing that was to be read passes unread."""

from __future__ import annotations

import tempfile

import pytest
from PIL import Image

from tests import samples
from tests.inspection.probing import LIMITS
from transfer.inspection.ocr import load
from transfer.inspection.picture_words import MAX_PICTURES, Reader, Words
from transfer.inspection.probe import probe
from transfer.model.findings import Code, Finding
from transfer.model.search import PersonalKind, Search

SEARCH = Search(marks=("SECRET",), personal=tuple(PersonalKind), regions=("GB",), pictures=True)


def read_nothing(_picture: Image.Image) -> str:
    return ""


def looked(content: bytes, suffix: str, read: Reader | None, search: Search = SEARCH) -> dict[Code, Finding]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        facts, findings, _ = probe(file.fileno(), suffix=suffix, limits=LIMITS, search=search, read=read)
    assert facts is not None, findings
    return {finding.code: finding for finding in findings}


FILES = {
    ".jpg": samples.jpeg(exif=False),
    ".png": samples.png(text={}),
    ".gif": samples.gif(frames=3),
    ".webp": samples.webp(frames=3),
    ".mp4": samples.mp4(0.4),
}


@pytest.mark.parametrize("suffix", FILES)
def test_what_is_read_goes_through_the_lists(suffix: str) -> None:
    found = looked(FILES[suffix], suffix, lambda _picture: "SECRET\nring 01865 270001")
    assert found[Code.MARKING].detail == {"mark": "SECRET", "where": "picture"}
    assert found[Code.PERSONAL_DATA].detail == {"kind": "telephone numbers", "count": 1, "where": "picture"}
    assert Code.TEXT_UNREAD not in found
    assert not {Code.MARKING, Code.TEXT_UNREAD} & looked(FILES[suffix], suffix, read_nothing).keys()


@pytest.mark.parametrize("suffix", FILES)
def test_without_a_reader_a_file_is_unread(suffix: str) -> None:
    assert looked(FILES[suffix], suffix, None)[Code.TEXT_UNREAD].detail == {
        "problem": "what reads them is not installed"
    }


def test_a_reader_that_gives_up_leaves_a_file_unread() -> None:
    def gives_up(_picture: Image.Image) -> str:
        raise ValueError("words of the file")

    assert looked(FILES[".jpg"], ".jpg", gives_up)[Code.TEXT_UNREAD].detail == {"problem": "what reads them gave up"}


def test_no_memory_is_the_sandbox_s_affair() -> None:
    def too_much(_picture: Image.Image) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        looked(FILES[".jpg"], ".jpg", too_much)


def test_nothing_is_read_that_is_not_to_be_read() -> None:
    seen: list[Image.Image] = []

    def read(picture: Image.Image) -> str:
        seen.append(picture)
        return "SECRET"

    looked(FILES[".jpg"], ".jpg", read, Search(marks=("SECRET",)))
    looked(samples.text("an open day"), ".txt", read)
    assert not seen


def test_so_many_pictures_of_one_file_are_read() -> None:
    count = 0

    def read(_picture: Image.Image) -> str:
        nonlocal count
        count += 1
        return ""

    words = Words(read)
    for _ in range(3 * MAX_PICTURES):
        words.look(Image.new("RGB", (8, 8)))
    assert count == MAX_PICTURES
    looked(samples.gif(frames=12), ".gif", read)
    assert MAX_PICTURES < count <= 2 * MAX_PICTURES


@pytest.mark.slow
def test_the_real_reader_reads_a_slide() -> None:
    from PIL import ImageDraw, ImageFont

    slide = Image.new("RGB", (1280, 720), "navy")
    draw = ImageDraw.Draw(slide)
    draw.text((80, 60), "CONFIDENTIAL", font=ImageFont.load_default(48), fill="white")
    draw.text((80, 300), "Call 01865 270001", font=ImageFont.load_default(32), fill="white")
    read = load()
    assert "CONFIDENTIAL" in read(slide.rotate(3, fillcolor="navy"))
    assert "01865 270001" in read(slide)
    assert read(samples.picture(64, 48, mode="RGBA")) == ""
    assert read(Image.new("L", (1, 1))) == ""

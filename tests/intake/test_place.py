"""Where a file belongs, from nothing but the bytes of its path."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.intake.place import is_leftover, place
from transfer.model.findings import Code
from transfer.model.names import parse_safe_name


def codes(path: bytes) -> list[Code]:
    return [finding.code for finding in place(path).findings]


def test_a_file_of_a_campaign() -> None:
    where = place(b"open-day/photo.jpg")
    assert (where.campaign, where.post, where.name.text, where.findings) == ("open-day", None, "photo.jpg", ())


def test_a_file_of_a_post() -> None:
    where = place("open-day/Tag 1/Grüße.txt".encode())
    assert where.post is not None
    assert (where.campaign, where.post.text, where.name.text) == ("open-day", "Tag 1", "Grüße.txt")
    assert where.findings == ()


@pytest.mark.parametrize(
    ("path", "campaign"),
    [
        (b"photo.jpg", None),
        (b"open-day/post/deeper/photo.jpg", "open-day"),
        (b"Open Day/photo.jpg", None),
        (b"-open/photo.jpg", None),
        (b"\xff/photo.jpg", None),
        (b"x" * 65 + b"/photo.jpg", None),
        (b"../photo.jpg", None),
    ],
)
def test_outside_of_any_campaign(path: bytes, campaign: str | None) -> None:
    where = place(path)
    assert codes(path) == [Code.OUTSIDE_CAMPAIGN]
    assert (where.campaign, where.post) == (campaign, None)


def test_a_name_that_had_to_change_is_noted() -> None:
    assert codes(b"open-day/\xe2\x80\xaegpj.exe") == [Code.NAME_CHANGED]
    assert codes(b"open-day/ a.jpg") == [Code.NAME_CHANGED]
    assert codes(b"open-day/\xff.jpg") == []  # shown as a replacement character, which hides nothing
    assert codes("open-day/cafe\u0301.jpg".encode()) == [], "the same name in another normal form"


@pytest.mark.parametrize(
    "name",
    ["~$report.docx", "x.tmp", "X.TMP", "clip.mp4.partial", "clip.mp4.crdownload", "desktop.ini", "Desktop.INI",
     ".DS_Store", "Thumbs.db", "._photo.jpg", ".~lock.caption.txt#", "clip.mp4.part", ".~photo.jpg",
     "photo.jpg.download"],
)  # fmt: skip
def test_leftovers(name: str) -> None:
    assert is_leftover(b"open-day/" + name.encode())
    assert is_leftover(b"open-day/post/" + name.encode())


@pytest.mark.parametrize("folder", ["$RECYCLE.BIN", ".Trash-1000", "__MACOSX", "@eaDir", "System Volume Information"])
def test_leftover_folders(folder: str) -> None:
    assert is_leftover(b"open-day/" + folder.encode() + b"/photo.jpg")


@pytest.mark.parametrize(
    "name",
    ["photo.jpg", "tmp", "part.jpg", "my.partner.jpg", "~photo.jpg", ".hidden.jpg", "thumbs.jpg", "$x.jpg", "_.jpg"],
)
def test_what_people_drop_is_no_leftover(name: str) -> None:
    assert not is_leftover(b"open-day/" + name.encode())


@given(st.binary(max_size=400))
def test_any_bytes_have_a_safe_place(path: bytes) -> None:
    where = place(path)
    parse_safe_name(where.name.text)
    if where.campaign is not None:
        assert re.fullmatch(r"[a-z0-9-]{1,64}", where.campaign)
        assert path.startswith(where.campaign.encode() + b"/")
    inside = path.count(b"/") in {1, 2} and where.campaign is not None
    assert inside == (Code.OUTSIDE_CAMPAIGN not in codes(path))
    assert (where.post is not None) <= (path.count(b"/") == 2)
    assert isinstance(is_leftover(path), bool)

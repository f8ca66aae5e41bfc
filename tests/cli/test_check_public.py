"""What keeps a file from being PUBLIC, told by the command line: people, labels, words in pictures."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from tests.cli.rooms import Room, call

GUID = "9d258917-277f-42cd-a3cd-14c4e9ee58bc"
SITE = f"""

[pictures]
read_text = true

[[label]]
id = "{GUID}"
name = "Public"
public = true

[personal]
student_numbers = ['s\\d{{7}}']
allowed = ["@university.example"]
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    root = tmp_path_factory.mktemp("public") / "site"
    assert call("init", root, "--demo").code == 0
    return Room(root)


def told(room: Room, path: Path) -> tuple[str, str | None, str]:
    """Outcome, what it would wait for, and all sentences."""
    (file,) = room.call("check", path, "--json").json["files"]
    return file["outcome"], file["waiting_for"], " ".join(reason["message"] for reason in file["reasons"])


def slide(words: str, label: str = "") -> bytes:
    picture = Image.new("RGB", (1280, 720), "white")
    ImageDraw.Draw(picture).text((80, 60), words, font=ImageFont.load_default(48), fill="black")
    chunks = PngImagePlugin.PngInfo()
    if label:
        chunks.add_text("Comment", f"MSIP_Label_{label}_Enabled=true")
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=chunks)
    return out.getvalue()


def test_personal_data_makes_a_caption_wait_for_a_person(room: Room, tmp_path: Path) -> None:
    (tmp_path / "caption.txt").write_text("Ask Jane: 07911 123456, jane@example.org\n")
    outcome, waiting_for, said = told(room, tmp_path / "caption.txt")
    assert (outcome, waiting_for) == ("held", "review")
    assert "telephone numbers, 1 found" in said
    assert "e-mail addresses, 1 found" in said
    assert "jane" not in said
    (tmp_path / "for jane@example.org.txt").write_text("An open day.\n")
    assert told(room, tmp_path / "for jane@example.org.txt")[:2] == ("held", "review")


@pytest.mark.slow
def test_what_the_site_says_of_itself(room: Room, tmp_path: Path) -> None:
    (tmp_path / "labelled.png").write_bytes(slide("Open day", GUID))
    (tmp_path / "slide.png").write_bytes(slide("CONFIDENTIAL"))
    (tmp_path / "caption.txt").write_text("Write to openday@university.example\n")
    (tmp_path / "winner.txt").write_text("s1234567 has won\n")
    assert told(room, tmp_path / "labelled.png")[0] == "refused"
    assert told(room, tmp_path / "slide.png")[:2] == ("held", "approval")
    policy = room.root / "policy.toml"
    before = policy.read_text()
    policy.write_text(before + SITE)
    try:
        outcome, waiting_for, said = told(room, tmp_path / "labelled.png")
        assert (outcome, waiting_for) == ("held", "approval")
        assert "means PUBLIC: Public" in said
        outcome, _, said = told(room, tmp_path / "slide.png")
        assert outcome == "refused"
        assert "CONFIDENTIAL, found in its picture" in said
        assert told(room, tmp_path / "caption.txt")[:2] == ("held", "approval")
        assert any(
            check["sentence"] == "Words in pictures can be read."
            for check in room.call("doctor", "--json").json["checks"]
        )
        assert "student numbers, 1 found" in told(room, tmp_path / "winner.txt")[2]
    finally:
        policy.write_text(before)

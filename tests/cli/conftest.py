"""A workspace that has lived, made once; each test gets a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.rooms import Room, call

FILES = ("released", "approved", "held", "asked")


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Four captions: one released, one approved and not yet released, two held. Do not change it."""
    room = Room(tmp_path_factory.mktemp("lived") / "w")
    assert call("init", room.root, "--demo").code == 0
    for name in FILES:
        (room.root / "staging" / "open-day" / f"{name}.txt").write_text(f"Come and see us: {name}.\n")
    room.gateway()
    for name in ("released", "approved"):
        approve(room, name)
        if name == "released":
            room.gateway()
    room.publish()
    return room


@pytest.fixture
def room(lived: Room, tmp_path: Path) -> Room:
    """A copy of the workspace that has lived."""
    return lived.copy(tmp_path / "w")


LONG = "a very long name of a caption that somebody wrote without ever looking at how long it was, part two.txt"


@pytest.fixture(scope="session")
def dropped(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """The demo's samples, one of them in a post with another file, and names as people and attackers choose them.

    Everything is judged, nothing decided. Do not change it.
    """
    room = Room(tmp_path_factory.mktemp("dropped") / "w")
    assert call("init", room.root, "--demo").code == 0
    campaign = room.root / "staging" / "open-day"
    for sample in (room.root / "demo" / "samples").iterdir():
        (campaign / sample.name).write_bytes(sample.read_bytes())
    (campaign / "post").mkdir()
    (campaign / "post" / "photo.jpg").write_bytes((campaign / "campus.jpg").read_bytes())
    (campaign / "post" / "words.txt").write_text("Words for the photo.\n")
    (campaign / LONG).write_text("Long.\n")
    (campaign / "開放日的照片說明文字以及其他很多很多字開放日的照片說明文字.txt").write_text("照片\n")
    (campaign / "evil\x1b[31m\u202etxt.exe\n.txt").write_text("Evil name.\n")
    (campaign.parent.joinpath("loose.txt")).write_text("Outside of every campaign.\n")
    with open(bytes(campaign) + b"/caf\xe9.txt", "w") as file:
        file.write("Not UTF-8.\n")
    room.gateway()
    return room


@pytest.fixture
def studio(dropped: Room, tmp_path: Path) -> Room:
    """A copy of the workspace where everything is judged and nothing decided."""
    return dropped.copy(tmp_path / "s")


def approve(room: Room, name: str) -> None:
    """The demo's approver signs."""
    item = room.items()[f"{name}.txt"].item
    room.must("approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low")

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


def approve(room: Room, name: str) -> None:
    """The demo's approver signs."""
    item = room.items()[f"{name}.txt"].item
    room.must("approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low")

"""A staging folder in an emulated OneDrive for the tests of that source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulated import emulator as emulator  # noqa: PLC0414 - a fixture
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application
from tests.intake.drive_place import SAM, Place
from transfer.store.blobs import Blobs


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("staging")
    emulator.world.allow(emulator.world.sign_in("reader", application("reader")), "read", drive)
    drive.by(SAM).folder("in")
    return drive


@pytest.fixture
def place(emulator: Emulator, drive: Drive, tmp_path: Path) -> Iterator[Place]:
    made = Place(emulator, drive, tmp_path)
    yield made
    made.close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    for folder in ("state", "state/raw", "state/clean"):
        (tmp_path / folder).mkdir(mode=0o700)
    return Blobs(tmp_path / "state")

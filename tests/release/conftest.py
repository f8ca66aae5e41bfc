"""A release folder in an emulated OneDrive for the tests of that end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulated import emulator as emulator  # noqa: PLC0414 - a fixture
from tests.graph.emulator.emulator import Emulator
from tests.release.onedrive_rig import End, Shore
from transfer.graph.writer import STEP


@pytest.fixture
def shore(emulator: Emulator) -> Iterator[Shore]:
    """At the end nothing of the folder was read, and no token went to an upload address."""
    shore = Shore(emulator)
    yield shore
    assert shore.downloads() == 0
    assert emulator.world.counted("leaked_authorization") == 0


@pytest.fixture
def end(shore: Shore, tmp_path: Path) -> Iterator[End]:
    """The gateway's side of it, in chunks of the smallest size."""
    end = End(shore, tmp_path, chunk=STEP)
    yield end
    end.close()

"""The fixture `emulator`, for the conftest of every folder whose tests talk to Graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import Emulator


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A tenant with nothing in it: `emulator.world` fills it, `emulator.base_url` is where it answers."""
    with Emulator(tmp_path / "tenant") as running:
        yield running
        assert running.world.counted("errors") == 0, "the emulator failed; its traceback is above"

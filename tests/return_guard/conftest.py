"""A release folder in an emulated OneDrive for the tests of the guard of such a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import Emulator
from tests.return_guard.onedrive_rig import Coast


@pytest.fixture
def coast(tmp_path: Path) -> Iterator[Coast]:
    """At the end nothing of it was read."""
    with Emulator(tmp_path / "tenant") as running:
        coast = Coast(running)
        yield coast
        coast.close()
        assert running.world.counted("errors") == 0, "the emulator failed; its traceback is above"

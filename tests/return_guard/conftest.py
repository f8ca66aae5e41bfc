"""A release folder in an emulated OneDrive for the tests of the guard of such a folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.graph.emulated import emulator as emulator  # noqa: PLC0414 - a fixture
from tests.graph.emulator.emulator import Emulator
from tests.return_guard.onedrive_rig import Coast


@pytest.fixture
def coast(emulator: Emulator) -> Iterator[Coast]:
    """At the end nothing of it was read."""
    coast = Coast(emulator)
    yield coast
    coast.close()

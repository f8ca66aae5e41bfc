"""The release folder in OneDrive: the sink's contract over an emulated drive, and what only a service can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import Emulator
from tests.release.onedrive_rig import End, Shore
from tests.release.sink_contract import SinkContract
from transfer.model.ends import Sink


@pytest.fixture
def shore(tmp_path: Path) -> Iterator[Shore]:
    with Emulator(tmp_path / "tenant") as running:
        yield Shore(running)
        assert running.world.counted("errors") == 0
        assert running.world.counted("content_bytes") == running.world.counted("content_requests") == 0
        assert running.world.counted("leaked_authorization") == 0


class TestOneDriveSink(SinkContract):
    takes_empty = False

    @pytest.fixture(autouse=True)
    def _service(self, shore: Shore) -> Iterator[None]:
        self.shore = shore
        self.ends: list[End] = []
        yield
        for end in self.ends:
            end.close()

    def sink(self, place: Path) -> Sink:
        end = End(self.shore, place)
        self.ends.append(end)
        return end.sink

    def everything(self, place: Path) -> dict[str, bytes]:
        return self.shore.everything()

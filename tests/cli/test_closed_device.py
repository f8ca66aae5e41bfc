"""A device that was disabled gets nothing any more (G2)."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.rooms import Room
from transfer.model.states import State


def test_nothing_is_released_to_a_disabled_device(room: Room) -> None:
    room.must("device", "disable", "ipad")
    command = [sys.executable, "-m", "transfer", "run", "--once", "-q", "-w", str(room.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done
    assert "disabled" in done.stderr
    assert room.state("approved.txt") is State.APPROVED
    assert not (room.root / "release" / "approved.txt").exists()
    assert room.call("doctor").code == 2

    room.must("device", "add", "ipad-2")
    settings = room.workspace.settings_file
    settings.write_text(settings.read_text().replace('device = "ipad"', 'device = "ipad-2"'))
    room.gateway()
    assert room.state("approved.txt") is State.RELEASED

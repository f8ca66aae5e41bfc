"""Nothing of OneDrive's SDK is loaded, by any process, before OneDrive is configured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call
from transfer.model.states import State

# Whoever looks for one of these ends on the spot, whatever it would have made of an ImportError.
ENDING = """
import os, sys
class Ending:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("msgraph", "msgraph_core", "kiota_abstractions", "kiota_http", "azure", "httpx",
                                      "msal", "aiohttp", "opentelemetry", "certifi"):
            os.write(2, f"looked for {name}".encode())
            os._exit(97)
sys.meta_path.insert(0, Ending())
"""


def test_a_gateway_with_folders_only_loads_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(ENDING)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "path")}
    ended = subprocess.run([sys.executable, "-c", "import httpx"], env=environment, capture_output=True, check=False)
    assert ended.returncode == 97  # the trap works
    assert call("init", tmp_path / "workspace", "--demo").code == 0
    room = Room(tmp_path / "workspace")
    (room.root / "staging" / "open-day").mkdir(exist_ok=True)
    (room.root / "staging" / "open-day" / "caption.txt").write_text("The open day begins at ten.\n")
    for arguments in (["--help"], ["run", "--once", "-q", "-w", str(room.root)], ["status", "-w", str(room.root)]):
        done = subprocess.run(
            [sys.executable, "-m", "transfer", *arguments],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done
        assert "looked for" not in done.stderr
    assert room.state("caption.txt") is State.HELD


@pytest.mark.parametrize("module", ["wiring", "assembly", "gateway", "supervisor", "child"])
def test_what_the_processes_are_made_of_loads_none_of_it(module: str) -> None:
    program = (
        f"import sys, transfer.{module}\n"
        "print([name for name in ('msgraph', 'kiota_http', 'azure', 'httpx', 'certifi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

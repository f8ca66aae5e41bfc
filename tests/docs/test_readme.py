"""The README's commands, run as shown: from another folder, on a machine whose packages are there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_scripts_run_makes_a_workspace_and_takes_a_dropped_file_to_its_decision(tmp_path: Path) -> None:
    workspace = tmp_path / "a folder with blanks"
    for _ in range(2):  # the second time there is a workspace, with a file in it
        done = subprocess.run(
            [TOP / "scripts" / "run", workspace, "--once"],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        dropped = workspace / "staging" / "open-day" / "caption.txt"
        dropped.write_text("Open day on Saturday\n")
    assert "open-day/caption.txt  waits for approval" in done.stdout
    assert "approve i-" in done.stdout
    assert "Traceback" not in done.stderr


def test_scripts_fail_with_one_sentence_without_python(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    for name in ("scripts/run", "scripts/prepare.sh", "requirements.lock", "pyproject.toml"):
        target = checkout / name
        target.write_bytes((TOP / name).read_bytes())
        target.chmod(0o755)
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("bash", "dirname", "basename", "sha256sum", "cut", "env", "cat"):
        (bare / tool).symlink_to(f"/usr/bin/{tool}")
    done = subprocess.run(
        ["/usr/bin/bash", checkout / "scripts" / "run"],
        env={"PATH": str(bare)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "Python 3.11 or newer is needed" in done.stderr

"""Wrong order does not type-check: each file in rejects/ is a mistake that mypy must refuse, on the marked line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REJECTS = Path(__file__).parent / "rejects"
TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def verdict() -> dict[str, set[int]]:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, sorted(REJECTS.glob("*.py")))],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, set[int]] = {}
    for file, line in re.findall(r"(\w+\.py):(\d+): error", done.stdout):
        found.setdefault(file, set()).add(int(line))
    return found


@pytest.mark.parametrize("path", sorted(REJECTS.glob("*.py")), ids=lambda path: path.stem)
def test_the_mistake_is_refused_and_nothing_else(path: Path, verdict: dict[str, set[int]]) -> None:
    lines = path.read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if line.endswith("# refused")}
    assert expected, "the file marks no line"
    assert verdict.get(path.name, set()) == expected

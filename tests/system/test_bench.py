"""The bench really runs: small sizes here, whatever they measure; what it writes has the form that the docs state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.clamd import running_clamd

TOP = Path(__file__).resolve().parents[2]
FORM = Draft202012Validator(json.loads((TOP / "scripts" / "benchmarks" / "bench.schema.json").read_text()))
SMALL = (
    "--quick",
    *("--pictures", "6", "--entries", "3000", "--items", "300", "--video", "3", "--large", "3"),
    *("--files", "2", "--released", "40", "--drive-files", "2", "--drive-large", "2"),
)


def bench(
    tmp_path: Path, *arguments: str, within: float = 240, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[str], Any]:
    """`scripts/bench` in this interpreter's environment, and what it wrote."""
    tmp_path.mkdir(exist_ok=True)
    written = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--json", str(written), "--folder", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{TOP}:{TOP / 'scripts'}", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done, json.loads(written.read_text()) if written.exists() else None


def test_quick_measures_write_what_the_format_says(tmp_path: Path) -> None:
    done, found = bench(tmp_path, *SMALL, "--only", "help", "--only", "log-append", "--only", "log-large")
    assert done.returncode in {0, 1}, done.stderr
    FORM.validate(found)
    large = ("write", "verify", "prove", "prove-command", "disk-database", "disk-published", "memory", "rotate")
    names = ["help", "log-append", "log-fsync", "log-hash", *(f"log-{name}" for name in large)]
    assert [measure["name"] for measure in found["measures"]] == names
    assert found["met"] is (done.returncode == 0)
    assert found["met"] is all(measure["met"] for measure in found["measures"])
    for measure in found["measures"]:
        assert measure["ours"]["value"] > 0
        assert measure["ratio"] == pytest.approx(measure["ours"]["value"] / measure["beside"]["value"], rel=0.01)
        assert measure["what"] in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json"], "it clears up"


def _clamd(folder: str) -> AbstractContextManager[Path]:
    return running_clamd(Path(folder), stream_max=50_000_000)  # more than the film has


def test_what_each_station_costs(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder, _clamd(folder) as clamd:
        done, found = bench(tmp_path, *SMALL, "--only", "stations", "--clamd", str(clamd))
    assert done.returncode == 0, done.stderr
    FORM.validate(found)
    kinds = {measure["name"].removeprefix("stations-"): measure for measure in found["measures"]}
    assert list(kinds) == ["jpeg", "png", "mp4", "caption"]
    everywhere = {
        "admit",
        "clamd",
        "clamd itself",
        "sniff",
        "rebuild",
        "residue proof",
        "YARA",
        "decide",
        "log entries",
        "commit",
        "hash and keep",
    }
    seen = {"structure walk", "decode, probe", "fingerprint", "markings, personal data"}
    for kind, measure in kinds.items():
        stations = measure["details"]["stations"]
        passed = everywhere | (seen if kind != "caption" else {"decode, probe", "markings, personal data"})
        assert measure["details"]["clamd"]
        idle = sorted(name for name in passed if not stations[name]["ms"])
        assert not idle, f"{kind}: no time was measured at {idle}"
        assert sum(station["ms"] for station in stations.values()) == pytest.approx(measure["ours"]["value"], abs=0.01)
        assert sum(station["share"] for station in stations.values()) == pytest.approx(1, abs=0.01)
    assert list(kinds["jpeg"]["details"]["likeness_search_ms"]) == ["0", "40"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json"], "it clears up"


@pytest.mark.slow
def test_the_measures_with_a_running_gateway(tmp_path: Path) -> None:
    names = ("pictures", "pictures-released", "growth", "video", "memory")
    done, found = bench(tmp_path, *SMALL, *(word for name in names for word in ("--only", name)))
    assert done.returncode in {0, 1}, done.stderr
    FORM.validate(found)
    assert [measure["name"] for measure in found["measures"]] == list(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json"]


RCLONE = pytest.mark.skipif(shutil.which("rclone") is None, reason="rclone is not installed (apt install rclone)")


@RCLONE
def test_files_go_from_drive_to_drive_beside_rclone(tmp_path: Path) -> None:
    done, found = bench(tmp_path, *SMALL, "--only", "onedrive", "--only", "onedrive-memory")
    assert done.returncode == 0, done.stderr
    FORM.validate(found)
    measures = {measure["name"]: measure for measure in found["measures"]}
    assert list(measures) == ["onedrive", "onedrive-four", "onedrive-far", "onedrive-memory"]
    assert found["left_out"] == {}
    memory = measures.pop("onedrive-memory")
    assert memory["beside"]["value"] < memory["ours"]["value"] < memory["budget"]["value"] == 300
    for measure in measures.values():
        details = measure["details"]
        for side in (details["ours"], details["beside"], details.get("rclone_four", details["beside"])):
            assert side["downloaded"] == side["files"] * details["bytes"], "the bytes travelled, once each"
            assert side["cpu_ms_a_file"] > 0
        assert details["ours"]["requests_a_file"] < 11, "six to take a file in, three to release it, and the listing"
        assert details["peak_mb"] < 300
    far, near = measures["onedrive-far"]["details"], measures["onedrive"]["details"]
    assert min(far["ours"]["ms_a_file"]) > min(near["ours"]["ms_a_file"]) + 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.json"], "it clears up"


def test_what_needs_rclone_is_left_out_without_it_and_says_so(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path / "nothing here")}
    done, found = bench(tmp_path, *SMALL, "--only", "onedrive", "--only", "help", environment=nothing)
    assert done.returncode in {0, 1}, done.stderr
    FORM.validate(found)
    assert [measure["name"] for measure in found["measures"]] == ["help"]
    assert found["left_out"] == {"onedrive": "rclone is not installed (on Debian and Ubuntu: apt-get install rclone)."}
    assert "onedrive: left out. rclone is not installed" in done.stdout
    done, found = bench(tmp_path / "more", *SMALL, "--only", "onedrive", environment=nothing)
    assert (done.returncode, found) == (3, None)
    assert "nothing was measured" in done.stderr


def test_what_needs_the_packages_of_onedrive_is_left_out_without_them_and_says_so(tmp_path: Path) -> None:
    hiding = tmp_path / "sitecustomize.py"
    hiding.write_text(
        "import importlib.util\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'msgraph' else find(name, *more)\n"
    )
    only = ("--only", "onedrive", "--only", "onedrive-memory")
    where = {"PYTHONPATH": f"{tmp_path}:{TOP}:{TOP / 'scripts'}"}
    done, found = bench(tmp_path / "more", *SMALL, *only, environment=where)
    assert (done.returncode, found) == (3, None)
    assert done.stdout.count("left out. What OneDrive takes is not installed; ./scripts/bench --only onedrive") == 2


def test_a_missed_budget_is_told(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from benchmarks import __main__, command_line\n"
        "from benchmarks.results import FEWER, Budget\n"
        "measure = command_line.measure\n"
        "def strict(*, rounds):\n"
        "    result = measure(rounds=1)\n"
        "    result.budget = Budget(kind=FEWER, value=0.001, of='ratio')\n"
        "    return result\n"
        "command_line.measure = strict\n"
        "sys.exit(__main__.main())\n"
    )
    written = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-c", program, "--only", "help", "--json", str(written), "--folder", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{TOP}:{TOP / 'scripts'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "over budget: help" in done.stderr
    assert "✗ help" in done.stdout
    assert json.loads(written.read_text())["met"] is False


@pytest.mark.parametrize("arguments", [("--only", "speed"), ("--pictures", "0"), ("--folder", "/nowhere/at/all")])
def test_wrong_options_are_misuse(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env={**os.environ, "PYTHONPATH": f"{TOP}:{TOP / 'scripts'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert arguments[0] in done.stderr or arguments[1] in done.stderr

"""Files from one folder in OneDrive into another by our two ends, beside rclone; and what memory a large one takes."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.drive_place import Ours, Rclone, Turn, find_rclone, rclone, require_packages, tenant
from benchmarks.results import FEWER, Budget, Result, Side

_SIZE = 5_000_000
_ONE = ("--transfers", "1", "--checkers", "1")
_FOUR = ("--transfers", "4")  # its default
_FAR = 0.05  # seconds before every answer
_MB = 1_000_000
_MEBIBYTE = 1 << 20


def measure(folder: Path, *, files: int, rounds: int) -> list[Result]:
    """Rounds of us and rclone in turn against the same stand-in. Raises LeftOut, Stopped."""
    require_packages()
    find_rclone()
    each = max(1, files // rounds)
    near: dict[str, list[Turn]] = {"ours": [], "one": [], "four": []}
    far: dict[str, list[Turn]] = {"ours": [], "one": [], "four": []}
    with (
        tenant(folder) as service,
        Ours(service, folder / "ours") as ours,
        rclone(service, folder / "rclone") as theirs,
    ):
        ours.turn(1, _SIZE)  # every part has worked once
        start = theirs.run("lsf", "staging:theirs")
        for number in range(rounds):
            order = sorted(near, key=lambda name: (list(near).index(name) + number) % len(near))
            for name in order:
                near[name].append(_turn(ours, theirs, name, each))
        service.world.switch(latency=_FAR)
        for _ in range(min(rounds, 2)):
            for name, turns in far.items():
                turns.append(_turn(ours, theirs, name, max(1, each // 2)))
    common = {"bytes": _SIZE, "rclone_start_ms": 1000 * start["seconds"]}
    four = {**common, "rclone_four": _details(far["four"])}
    what = "a file of 5 MB from one folder in OneDrive into another, verified"
    one = "rclone, one transfer at a time"
    return [
        _result("onedrive", what, near["ours"], near["one"], one, common),
        _result("onedrive-four", what, near["ours"], near["four"], "rclone as it is set: four at a time", common),
        _result("onedrive-far", f"{what}, each answer {1000 * _FAR:.0f} ms away", far["ours"], far["one"], one, four),
    ]


def _turn(ours: Ours, theirs: Rclone, name: str, files: int) -> Turn:
    if name == "ours":
        return ours.turn(files, _SIZE)
    return theirs.turn(files, _SIZE, options=_ONE if name == "one" else _FOUR)


def _result(name: str, what: str, ours: list[Turn], beside: list[Turn], whose: str, common: dict[str, Any]) -> Result:
    count = sum(turn.files for turn in ours)
    return Result(
        name=name,
        what=what,
        ours=Side(
            what=f"one taken in while one is released; {_words(ours)}, {count} files", value=_ms(ours), unit="ms"
        ),
        beside=Side(what=f"{whose}; {_words(beside)}", value=_ms(beside), unit="ms"),
        details={
            "ours": _details(ours),
            "beside": _details(beside),
            "peak_mb": max(turn.peak for turn in ours) / _MB,
            **common,
        },
    )


def _ms(turns: list[Turn]) -> float:
    return median(1000 * turn.seconds / turn.files for turn in turns)


def _words(turns: list[Turn]) -> str:
    details = _details(turns)
    return f"{details['requests_a_file']:.1f} requests, {details['cpu_ms_a_file']:.0f} ms of processor time"


def _details(turns: list[Turn]) -> dict[str, Any]:
    files = sum(turn.files for turn in turns)
    return {
        "files": files,
        "ms_a_file": [1000 * turn.seconds / turn.files for turn in turns],
        "requests_a_file": sum(turn.requests for turn in turns) / files,
        "cpu_ms_a_file": 1000 * sum(turn.cpu for turn in turns) / files,
        "tenant_cpu_ms_a_file": 1000 * sum(turn.tenant_cpu for turn in turns) / files,
        "downloaded": sum(turn.downloaded for turn in turns),
    }


def measure_memory(folder: Path, *, size: int) -> Result:
    """One large file through both ends. Raises LeftOut, Stopped."""
    require_packages()
    with tenant(folder) as service, Ours(service, folder / "ours") as ours:
        small = ours.turn(1, _MEBIBYTE)
        large = ours.turn(1, size)
    return Result(
        name="onedrive-memory",
        what=f"both ends in OneDrive while a file of {size / _MEBIBYTE:,.0f} MiB passes",
        ours=Side(what="largest resident memory of their process", value=large.peak / _MB, unit="MB"),
        beside=Side(what="the same after a file of 1 MiB", value=small.peak / _MB, unit="MB"),
        budget=Budget(kind=FEWER, value=300, of="ours"),
        details={
            "bytes": size,
            "seconds": large.seconds,
            "cpu_seconds": large.cpu,
            "tenant_cpu_seconds": large.tenant_cpu,
            "requests": large.requests,
            "resting_mb": ours.resting / _MB,
        },
    )

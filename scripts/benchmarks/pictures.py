"""Pictures: many at once beside merely decoding and encoding them, and a single one on an idle gateway."""

from __future__ import annotations

import io
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean, median

from PIL import Image

from benchmarks.material import make_picture, make_pictures
from benchmarks.place import TOP, Place
from benchmarks.released import release
from benchmarks.results import FEWER, MORE, Budget, Result, Side
from transfer.policy.rulebook import load_policy

_WITHIN = 900
_PROCESSES = 2


def measure(folder: Path, *, count: int, released: int = 0) -> Result:
    """Ours between two halves of the bare side, so that a machine that changes its pace does so for both.

    Each picture is compared with so many fingerprints that were `released`.
    """
    paths = make_pictures(folder / "photos", count)
    quality = policy_quality()
    place = Place(folder / "pictures")
    if released:
        release(place.root, released)
    with place:
        before = bare_rate(paths[: count // 2], quality)
        ready = folder / "ready"
        ready.mkdir()
        copies = [Path(shutil.copyfile(path, ready / path.name)) for path in paths]  # neither side's work
        used = place.cpu_seconds()
        started = time.perf_counter()
        for copy in copies:
            place.move_in(copy)
        moved = time.perf_counter()
        took = place.wait_for([path.name for path in paths], within=_WITHIN, pause=0.02) - started
        used = place.cpu_seconds() - used
        after = bare_rate(paths[count // 2 :], quality)
    bare = 2 / (1 / before + 1 / after)
    return Result(
        name="pictures-released" if released else "pictures",
        what=f"{count:,} pictures of 1080p moved in at once, until all are judged"
        + (f", each compared with {released:,} released ones" if released else ""),
        ours=Side(what="pictures judged", value=count / took, unit="a second"),
        beside=Side(what=f"decoded and encoded by Pillow in {_PROCESSES} processes", value=bare, unit="a second"),
        budget=Budget(kind=MORE, value=0.5, of="ratio"),
        details={
            "seconds": took,
            "seconds_of_moving_in": moved - started,
            "mean_bytes": mean(path.stat().st_size for path in paths),
            "quality": quality,
            "beside_before": before,
            "beside_after": after,
            "cpu_ms_a_picture": 1000 * used / count,
            "beside_cpu_ms_a_picture": bare_cpu_ms(paths[:20], quality),
        },
    )


def measure_latency(folder: Path, *, drops: int) -> Result:
    """One picture of 2 MB at a time; from its writer's closing it to the note for staff."""
    paths = []
    for number in range(drops):
        paths.append(folder / f"large-{number}.jpg")
        make_picture(paths[-1], seed=f"large {number}", size=(4000, 3000), quality=80, grain=0.06)
    ours, bare = [], []
    with Place(folder / "latency") as place:
        for path in paths:
            time.sleep(1.5)  # idle again, and at another moment between two looks of any loop
            bare.append(_timed(path, policy_quality()))
            closed = place.drop(path, path.name)
            ours.append(place.wait_for([path.name], within=60, pause=0.001) - closed)
    return Result(
        name="latency",
        what=f"one picture of {mean(path.stat().st_size for path in paths) / 1e6:.1f} MB (12 megapixels), idle gateway",
        ours=Side(what=f"from closed to judged and told, median of {drops}", value=median(ours), unit="s"),
        beside=Side(what="decoded and encoded by Pillow", value=median(bare), unit="s"),
        budget=Budget(kind=FEWER, value=0.5, of="ours"),
        details={"ours": ours, "beside": bare},
    )


def policy_quality() -> int:
    """The quality with which the shipped policy has pictures written."""
    return load_policy(TOP / "policies" / "university.toml").recipe.quality


def bare_rate(paths: list[Path], quality: int) -> float:
    """Pictures a second that two processes merely decode and encode."""
    with ProcessPoolExecutor(_PROCESSES) as pool:
        list(pool.map(_again, paths[:4], [quality] * 4))
        started = time.perf_counter()
        list(pool.map(_again, paths, [quality] * len(paths), chunksize=8))
        return len(paths) / (time.perf_counter() - started)


def bare_cpu_ms(paths: list[Path], quality: int) -> float:
    """What one of them costs in processor time."""
    started = time.process_time()
    for path in paths:
        _again(path, quality)
    return 1000 * (time.process_time() - started) / len(paths)


def _timed(path: Path, quality: int) -> float:
    started = time.perf_counter()
    _again(path, quality)
    return time.perf_counter() - started


def _again(path: Path, quality: int) -> int:
    picture = Image.open(path)
    picture.load()
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return len(out.getvalue())

"""One large film: from its writer's closing it to the note that it waits for approval, beside `cp` and `sha256sum`."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from statistics import median

from benchmarks.material import make_film
from benchmarks.place import Place
from benchmarks.results import FEWER, Budget, Result, Side

_WITHIN = 600


def measure(folder: Path, *, size: int, rounds: int) -> Result:
    """Rounds of both sides in turn; each side's median."""
    film = folder / "film.mp4"
    seconds = make_film(film, size)
    film.read_bytes()[:0]  # both sides find it in the page cache, as a file that was just copied is
    bare, ours = [], []
    with Place(folder / "video") as place:
        for number in range(rounds):
            bare.append(_bare(film, folder / "copy.mp4"))
            closed = place.drop(film, f"film-{number}.mp4")
            ours.append(place.wait_for([f"film-{number}.mp4"], within=_WITHIN) - closed)
            (place.staging / f"film-{number}.mp4").unlink()
    return Result(
        name="video",
        what=f"a film of {film.stat().st_size / 2**20:,.0f} MiB and {seconds} s, from closed to ready for approval",
        ours=Side(what="copied, hashed, examined, rebuilt, proven, judged, told", value=median(ours), unit="s"),
        beside=Side(what="cp and sha256sum of the same file on the same disk", value=median(bare), unit="s"),
        budget=Budget(kind=FEWER, value=3.0, of="ratio"),
        details={"bytes": film.stat().st_size, "ours": ours, "beside": bare},
    )


def _bare(film: Path, copy: Path) -> float:
    started = time.perf_counter()
    subprocess.run(["cp", film, copy], check=True)
    subprocess.run(["sha256sum", copy], check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - started
    copy.unlink()
    return took

"""Memory: all processes together while one very large film passes, beside the same gateway at rest."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from benchmarks.material import make_film
from benchmarks.place import TOP, Place
from benchmarks.results import FEWER, Budget, Result, Side

_WITHIN = 3600
_EVERY = 0.2
_MB = 1_000_000


def measure(folder: Path, *, size: int) -> Result:
    """The strict policy with raised limits; the film is moved into the staging folder, not copied."""
    film = folder / "large.mp4"
    make_film(film, size)
    length = film.stat().st_size
    with Place(folder / "memory", policy=_raised(length)) as place:
        resting = place.pss_bytes()
        watch = Watch(place)
        watch.start()
        os.rename(film, place.staging / "large.mp4")
        place.wait_for(["large.mp4"], within=_WITHIN, pause=0.1)
        watch.stop()
        count = len(place.processes())
    return Result(
        name="memory",
        what=f"all processes together while a film of {length / 1e9:.1f} GB passes",
        ours=Side(
            what=f"largest sum of PSS over {count} processes, {watch.samples} samples",
            value=watch.most / _MB,
            unit="MB",
        ),
        beside=Side(what="the same before, at rest", value=resting / _MB, unit="MB"),
        budget=Budget(kind=FEWER, value=400, of="ours"),
        details={"bytes": length, "samples": watch.samples},
    )


class Watch(threading.Thread):
    """Adds up the memory of a place's processes again and again."""

    def __init__(self, place: Place) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._over = threading.Event()
        self.most = self.samples = 0

    def run(self) -> None:
        while not self._over.wait(_EVERY):
            self.most = max(self.most, self._place.pss_bytes())
            self.samples += 1

    def stop(self) -> None:
        """No more samples."""
        self._over.set()
        self.join()


def _raised(length: int) -> str:
    """The strict policy for a film of this length in bytes."""
    policy = (TOP / "policies" / "university.toml").read_text()
    policy = re.sub(r'(?m)^name = ".*"', 'name = "bench"', policy, count=1)
    policy = re.sub(r"(?m)^video_bytes = .*", f"video_bytes = {length + 1}", policy, count=1)
    return re.sub(r"(?m)^seconds = .*", "seconds = 100_000", policy, count=1)

"""A workspace with its gateway running, as the measures drop files into it; and its processes, as the kernel counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Self

from benchmarks.material import make_picture

TOP = Path(__file__).resolve().parents[2]
CAMPAIGN = "open-day"

_TICK = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 60


class Stopped(Exception):
    """The gateway could not be measured; the words say why."""


class LeftOut(Exception):
    """A measure needs what is not there; the words say what."""


def command(*arguments: str | Path) -> list[str]:
    """`transfer ARGUMENTS`, of this checkout."""
    return [sys.executable, "-m", "transfer", *map(str, arguments)]


def environment() -> dict[str, str]:
    """Of every process that is measured."""
    return {**os.environ, "PYTHONPATH": str(TOP), "NO_COLOR": "1"}


class Place:
    """One demo workspace under `root`. As a context, its gateway runs and has judged a first picture."""

    def __init__(self, root: Path, *, policy: str | None = None) -> None:
        self.root = root
        self.staging = root / "staging" / CAMPAIGN
        self.feedback = root / "feedback" / CAMPAIGN
        self._gateway: subprocess.Popen[bytes] | None = None
        done = subprocess.run(
            command("init", "--demo", root), env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Stopped(f"The workspace could not be made: {done.stderr.strip()}")
        if policy is not None:
            (root / "policy.toml").write_text(policy)

    def __enter__(self) -> Self:
        self._said = (self.root / "said").open("wb")
        self._gateway = subprocess.Popen(
            command("run", "-w", self.root, "-q"), env=environment(), stdout=self._said, stderr=self._said
        )
        for number in range(2 * len(os.sched_getaffinity(0))):  # so that every sandbox child has worked once
            make_picture(self.staging / f"warm-{number}.jpg", seed=f"warm {self.root.name} {number}", size=(320, 240))
        self.wait_for([f"warm-{number}.jpg" for number in range(2)], within=_START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._gateway is not None:
            self._gateway.terminate()
            self._gateway.wait(60)
        self._said.close()

    def drop(self, source: Path, name: str) -> float:
        """Copies a file into the staging folder; the instant its writer closed it."""
        shutil.copyfile(source, self.staging / name)
        return time.perf_counter()

    def move_in(self, path: Path) -> float:
        """Renames a file into the staging folder, and opens and closes it as its writer would; the instant of that."""
        there = path.rename(self.staging / path.name)
        there.open("ab").close()
        return time.perf_counter()

    def notice(self, name: str) -> Path:
        """What tells that the file of this name waits for its approval."""
        return self.feedback / f"WAITING {name}.txt"

    def wait_for(self, names: Collection[str], *, within: float, pause: float = 0.002) -> float:
        """Waits until every one of these files was judged; the instant it was. Raises Stopped."""
        end = time.perf_counter() + within
        left = list(names)
        while left:
            name = left[-1]
            if self.notice(name).exists():
                left.pop()
                continue
            refused = self.feedback / f"REFUSED {name}.txt"
            if refused.exists():
                raise Stopped(f"{name} was refused: {refused.read_text()}")
            if time.perf_counter() > end:
                raise Stopped(f"{name} was not judged within {within:g} s. {self._words()}")
            if self._gateway is not None and self._gateway.poll() is not None:
                raise Stopped(f"The gateway ended. {self._words()}")
            time.sleep(pause)
        return time.perf_counter()

    def cpu_seconds(self) -> float:
        """What all processes of this gateway have used so far."""
        return sum(cpu_seconds_of(pid) for pid in self.processes())

    def pss_bytes(self) -> int:
        """The memory of all processes of this gateway: what several share is counted once, in parts."""
        return sum(_pss(pid) for pid in self.processes())

    def processes(self) -> list[int]:
        """The gateway's process and all below it."""
        if self._gateway is None:
            return []
        below: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and (fields := _stat(int(entry))):
                below.setdefault(int(fields[1]), []).append(int(entry))
        found = [self._gateway.pid]
        for pid in found:
            found.extend(below.get(pid, []))
        return found

    def _words(self) -> str:
        return re.sub(r"\s+", " ", (self.root / "said").read_text(errors="replace"))[-2000:]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the command's name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_seconds_of(pid: int) -> float:
    """What a process and its ended children have used so far."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICK if fields else 0.0


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0

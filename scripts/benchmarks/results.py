"""What a measure found: two sides, their ratio, a budget; as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
FEWER, MORE = "at most", "at least"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One figure and what it is of."""

    what: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{_figure(self.value)} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """`of` says which figure it bounds: the ratio, or our own side."""

    kind: str
    value: float
    of: str

    def __str__(self) -> str:
        return f"{'≤' if self.kind == FEWER else '≥'} {_figure(self.value)}{'' if self.of == 'ratio' else ' (ours)'}"


@dataclass(kw_only=True)
class Result:
    """One measure. `ratio` is ours by theirs; `load` the machine's load average before and after."""

    name: str
    what: str
    ours: Side
    beside: Side
    budget: Budget | None = None
    details: dict[str, Any] = field(default_factory=dict)
    load: tuple[float, float] = (0.0, 0.0)

    @property
    def ratio(self) -> float:
        return self.ours.value / self.beside.value if self.beside.value else float("inf")

    @property
    def met(self) -> bool:
        if self.budget is None:
            return True
        bounded = self.ratio if self.budget.of == "ratio" else self.ours.value
        return bounded <= self.budget.value if self.budget.kind == FEWER else bounded >= self.budget.value

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "ours": asdict(self.ours),
            "beside": asdict(self.beside),
            "ratio": round(self.ratio, 7),
            "budget": None if self.budget is None else asdict(self.budget),
            "met": self.met,
            "load": list(self.load),
            "details": self.details,
        }


def load() -> float:
    """How many processes wanted a core during the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def machine(folder: Path) -> dict[str, Any]:
    """What it was measured on."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "file_system": _file_system(folder),
    }


def write_json(
    path: Path, results: list[Result], *, quick: bool, at: str, folder: Path, left_out: dict[str, str]
) -> None:
    """The whole run. `left_out`: why, for each measure that was."""
    document = {
        "version": VERSION,
        "at": at,
        "quick": quick,
        "machine": machine(folder),
        "measures": [result.as_json() for result in results],
        "left_out": left_out,
        "met": all(result.met for result in results),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def table(results: list[Result]) -> str:
    """One block a measure: its name and what it is, then both sides, the ratio and the budget."""
    lines: list[str] = []
    for result in results:
        mark = "·" if result.budget is None else "✓" if result.met else "✗"
        ratio = f"ratio {_figure(result.ratio)}"
        budget = "" if result.budget is None else f"   budget {result.budget}"
        lines += [
            f"{mark} {result.name}: {result.what}",
            f"    ours    {result.ours!s:>18}   {result.ours.what}",
            f"    beside  {result.beside!s:>18}   {result.beside.what}",
            f"    {ratio}{budget}   load {result.load[0]:g} → {result.load[1]:g}",
        ]
    return "\n".join(lines)


def _figure(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """Type and options of the file system that `folder` lies on."""
    best, found = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if (str(folder) + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best):
            best, found = where, f"{kind} ({options})"
    return found

"""The command line: how long `transfer --help` takes, beside the library that every command needs."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from benchmarks.place import command, environment
from benchmarks.results import FEWER, Budget, Result, Side


def measure(*, rounds: int) -> Result:
    """Both in turn; each side's median."""
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(_timed([sys.executable, "-c", "import typer"]))
        ours.append(_timed(command("--help")))
    return Result(
        name="help",
        what="`transfer --help`",
        ours=Side(what=f"median of {rounds}", value=median(ours), unit="s"),
        beside=Side(what='python -c "import typer"', value=median(bare), unit="s"),
        budget=Budget(kind=FEWER, value=2.0, of="ratio"),
        details={"ours": ours, "beside": bare},
    )


def _timed(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(arguments, env=environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started

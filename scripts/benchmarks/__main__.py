"""`scripts/bench`: runs the measures, prints both sides of each, writes JSON; 1 if a budget is missed, 3 if not run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import command_line, growth, log, log_large, memory, onedrive, pictures, stations, video
from benchmarks.place import TOP, LeftOut, Stopped
from benchmarks.results import Result, load, machine, table, write_json

Measure = Callable[[Path], Result | list[Result]]

NAMES = (
    "help",
    "log-append",
    "log-large",
    "stations",
    "latency",
    "pictures",
    "pictures-released",
    "growth",
    "video",
    "memory",
    "onedrive",
    "onedrive-memory",
)
_SOME_RELEASED = 1_000  # fingerprints
_BUSY = 0.5  # processes wanting a core, for each core: beyond that the machine is not ours alone
_MEBIBYTE = 1 << 20


def main() -> int:
    """Exit code."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="oneway-bench-", dir=options.folder))
    results: list[Result] = []
    left_out: dict[str, str] = {}
    facts = machine(folder)
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, {facts['file_system']}")
    if load() > _BUSY * facts["cores"]:
        print(f"The load is {load()}: others use this machine, and the ratios vary with what they do.")
    try:
        for name in options.only or NAMES:
            try:
                found = _measured(_measure(name, options), folder / name)
            except LeftOut as reason:
                left_out[name] = str(reason)
                print(f"· {name}: left out. {reason}", flush=True)
                continue
            results += found
            print(table(found), flush=True)
    except Stopped as stopped:
        print(f"bench: {stopped}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not results:
        print("bench: nothing was measured.", file=sys.stderr)
        return 3
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_json(options.json, results, quick=options.quick, at=at, folder=options.folder, left_out=left_out)
    missed = [result.name for result in results if not result.met]
    print(f"{len(results) - len(missed)} of {len(results)} within budget, written to {options.json}")
    if missed:
        print(f"bench: over budget: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def _measured(measure: Measure, folder: Path) -> list[Result]:
    folder.mkdir()
    before = load()
    found = measure(folder)
    shutil.rmtree(folder)
    results = found if isinstance(found, list) else [found]
    for result in results:
        result.load = (before, load())
    return results


def _measure(name: str, options: argparse.Namespace) -> Measure:
    quick: bool = options.quick
    measures: dict[str, Measure] = {
        "help": lambda _: command_line.measure(rounds=5 if quick else 15),
        "log-append": lambda folder: log.measure_appending(folder, rounds=5 if quick else 20),
        "log-large": lambda folder: log_large.measure(folder, entries=options.entries),
        "latency": lambda folder: pictures.measure_latency(folder, drops=5 if quick else 15),
        "stations": lambda folder: stations.measure(
            folder,
            files=options.files,
            released=sorted({min(_SOME_RELEASED, options.released), options.released}),
            clamd=options.clamd,
        ),
        "pictures": lambda folder: pictures.measure(folder, count=options.pictures),
        "pictures-released": lambda folder: pictures.measure(
            folder, count=options.pictures, released=min(_SOME_RELEASED, options.released)
        ),
        "growth": lambda folder: growth.measure(folder, items=options.items, pictures=40 if quick else 100),
        "video": lambda folder: video.measure(folder, size=options.video * _MEBIBYTE, rounds=2 if quick else 3),
        "memory": lambda folder: memory.measure(folder, size=options.large * _MEBIBYTE),
        "onedrive": lambda folder: onedrive.measure(
            folder, files=options.drive_files, rounds=min(2 if quick else 4, options.drive_files)
        ),
        "onedrive-memory": lambda folder: onedrive.measure_memory(folder, size=options.drive_large * _MEBIBYTE),
    }
    return measures[name]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures the performance budget: each figure beside a bare one, in the same run.",
        epilog=f"Measures: {', '.join(NAMES)}. docs/performance.md says what each of them is.",
    )
    number = {"type": int, "metavar": "N"}
    parser.add_argument("--quick", action="store_true", help="smaller sizes: some minutes instead of half an hour")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help="one measure; can be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", default=TOP / "bench.json", help="default: bench.json")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", default=Path("/var/tmp"), help="a folder on the disk to measure"
    )
    parser.add_argument("--pictures", **number, help="how many are dropped at once: 1000, quick 100")
    parser.add_argument("--video", **number, help="MiB of the film that is timed: 1024, quick 256")
    parser.add_argument("--large", **number, help="MiB of the film for the memory: 9540 (10 GB), quick 1024")
    parser.add_argument("--entries", **number, help="entries of the large log: 1000000, quick 100000")
    parser.add_argument("--items", **number, help="items in the register for the growth: 50000, quick 5000")
    parser.add_argument("--files", **number, help="files of each kind that go from station to station: 40, quick 10")
    parser.add_argument("--released", **number, help="fingerprints of releases, at most: 100000, quick 10000")
    parser.add_argument("--drive-files", **number, help="files of 5 MB from a drive into another: 200, quick 20")
    parser.add_argument("--drive-large", **number, help="MiB of the file for OneDrive's memory: 2048, quick 256")
    parser.add_argument(
        "--clamd", type=Path, metavar="SOCKET", default=Path("/run/clamav/clamd.ctl"), help="asked too if it is there"
    )
    options = parser.parse_args()
    full = {"pictures": 1000, "video": 1024, "large": 9540, "entries": 1_000_000, "items": 50_000}
    full |= {"files": 40, "released": 100_000, "drive_files": 200, "drive_large": 2048}
    quick = {"pictures": 100, "video": 256, "large": 1024, "entries": 100_000, "items": 5_000}
    quick |= {"files": 10, "released": 10_000, "drive_files": 20, "drive_large": 256}
    for name, size in (quick if options.quick else full).items():
        given = getattr(options, name)
        if given is not None and given < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
        setattr(options, name, size if given is None else given)
    if not options.folder.is_dir():
        parser.error(f"there is no folder {options.folder}")
    return options


if __name__ == "__main__":
    sys.exit(main())

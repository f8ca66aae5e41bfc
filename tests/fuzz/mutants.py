"""The corpus again with every name and in pieces, through the real stations: nothing breaks, hangs or leaks.

What enters: the corpus. Of each file: every other format's extension, ten other names, twenty cuts and two hundred
copies with one byte changed. What leaves: a report; a file is wrong if the gateway fails on it, if its verdict takes
too long, or if it passes and exiftool or ffprobe find something in what was made of it.
"""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.corpus import cabinet
from tests.corpus.independent import TOOLS, remains
from tests.corpus.stations import Judged, stations
from transfer.errors import TransferError
from transfer.model.media import Format

CUTS, FLIPS = 20, 200
LARGE = 1 << 20  # bytes: of larger files there are a tenth as many mutants, they take that much longer
PATIENCE = 60.0  # seconds for one file, on a busy machine
BATCH = 400
_NAMES = (
    "-rf{0}", "..{0}", "photo{0} ", "a" * 240 + "{0}", "\u202egpj{0}", "line\nbreak{0}", "caf\u00e9{0}", "con{0}",
    "$(id){0}", "%s%n{0}",
)  # fmt: skip
_RULES_OF_A_FAULT = {"gateway-failed"}  # where the second reader refuses what the first wrote, nothing left


@dataclass(slots=True, kw_only=True)
class Report:
    """What a run came to. `verdicts` has the verdict and rules of each file, `problems` the sentences."""

    tried: int = 0
    passed: int = 0
    verdicts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def mutants_of(key: str, content: bytes, chance: random.Random) -> Iterator[tuple[str, str, bytes]]:
    """What was done, the name and the bytes of every mutant of one file."""
    name = Path(key).name
    suffix = Path(name).suffix
    few = 10 if len(content) > LARGE else 1
    for form in Format:
        if form.suffixes[0] != suffix:
            yield "called", f"renamed{form.suffixes[0]}", content
    for pattern in _NAMES[:: few if few == 1 else 5]:
        called = pattern.format(suffix)
        yield "named", called if called != ".." else "..dots", content
    for number in range(1, CUTS + 1, few):
        yield "cut", f"cut{suffix}", content[: len(content) * number // (CUTS + 1)]
    for _ in range(FLIPS // few if content else 0):
        flipped = bytearray(content)
        flipped[chance.randrange(len(flipped))] ^= chance.randrange(1, 256)
        yield "changed", f"changed{suffix}", bytes(flipped)


def everything(seed: int, files: str = "") -> Iterator[tuple[str, str, str, bytes]]:
    """Every mutant of every file whose name has `files` in it: key, what was done, name, bytes."""
    for key in cabinet.names():
        if files in key:
            content = cabinet.path_of(key).read_bytes()
            for what, name, mutant in mutants_of(key, content, random.Random(f"{seed} {key}")):
                yield key, what, name, mutant


def some(seed: int) -> Iterator[tuple[str, str, str, bytes]]:
    """A few mutants of one file after another, without end, in an order that the seed decides; large ones left out."""
    chance = random.Random(seed)
    small = [key for key in cabinet.names() if 0 < cabinet.path_of(key).stat().st_size <= LARGE // 4]
    while True:
        chance.shuffle(small)
        for key in small:
            content = cabinet.path_of(key).read_bytes()
            mutants = list(mutants_of(key, content, chance))
            for what, name, mutant in chance.sample(mutants, 3):
                yield key, what, name, mutant


def hunt(*, seed: int = 1, seconds: float | None = None, files: str = "", keep: Path | None = None) -> Report:
    """Judges mutants until all are tried or the time is over; `keep` is where those that are wrong are put."""
    source = everything(seed, files) if seconds is None else some(seed)
    until = float("inf") if seconds is None else time.monotonic() + seconds
    report = Report()
    with stations() as running:
        while time.monotonic() < until:
            with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
                written = dict(_written(itertools.islice(source, BATCH if seconds is None else 120), Path(folder)))
                if not written:
                    break
                made = Path(folder) / "made"
                made.mkdir()
                came_of: dict[Path, Path] = {}
                try:
                    for path, told, took in _timed(running.judge_all(written)):
                        report.tried += 1
                        report.verdicts.append(f"{told.verdict} {' '.join(told.rules)}")
                        _look(path, told, took, written[path], report, keep)
                        if told.content is not None:
                            came_of[_made(made, told, len(came_of))] = path
                except TransferError as error:  # no file may bring the stations down
                    report.problems.append(f"the stations stopped: {error}")
                    break
                report.passed += len(came_of)
                for path, left in (remains(came_of) if TOOLS else {}).items():
                    if left:
                        _wrong(came_of[path], f"left in what was made: {left[:3]}", written, report, keep)
    return report


def replay(path: Path) -> int:
    """One kept file again: 1 if it is still wrong."""
    report = Report()
    with stations(workers=1) as running, tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        again = Path(folder) / path.name.partition("-")[2]
        shutil.copy(path, again)
        for _, told, took in _timed(running.judge_all([again], threads=1)):
            _look(again, told, took, path.name, report, None)
            if told.content is not None and TOOLS:
                left = remains([_made(Path(folder), told, 0)])
                report.problems += [f"left: {one}" for one in left.values() if one]
            print(told.verdict, *(reason.message for reason in told.reasons), sep="\n  ")
    print(*report.problems or ["Nothing is wrong with it any more."], sep="\n")
    return 1 if report.problems else 0


def _written(some_of: Iterable[tuple[str, str, str, bytes]], folder: Path) -> Iterator[tuple[Path, str]]:
    for number, (key, what, name, content) in enumerate(some_of):
        path = folder / str(number) / name
        path.parent.mkdir()
        path.write_bytes(content)
        yield path, f"{key}, {what}"


def _timed(told: Iterator[tuple[Path, Judged]]) -> Iterator[tuple[Path, Judged, float]]:
    began = time.monotonic()
    for path, one in told:
        now = time.monotonic()
        yield path, one, now - began
        began = now


def _made(folder: Path, told: Judged, number: int) -> Path:
    form = Format(told.media_type)
    suffix = {Format.HEIC: ".jpg", Format.MOV: ".mp4"}.get(form, form.suffixes[0])
    path = folder / f"{number}{suffix}"
    path.write_bytes(told.content or b"")
    return path


def _look(path: Path, told: Judged, took: float, what: str, report: Report, keep: Path | None) -> None:
    fault = _RULES_OF_A_FAULT & set(told.rules)
    if fault:
        _wrong(path, f"{fault.pop()}", {path: what}, report, keep)
    if took > PATIENCE:
        _wrong(path, f"it took {took:.0f} seconds", {path: what}, report, keep)


def _wrong(path: Path, why: str, written: dict[Path, str], report: Report, keep: Path | None) -> None:
    said = f"{written[path]}: {why}"
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        kept = keep / f"{len(report.problems)}-{path.name[-80:]}"
        shutil.copy(path, kept)
        said += f"; again: ./scripts/fuzz --replay {kept}"
    report.problems.append(said)

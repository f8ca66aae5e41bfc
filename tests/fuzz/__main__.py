"""`scripts/fuzz`: tries every parser for a time, and the whole corpus in every mutation, and keeps what was wrong."""

from __future__ import annotations

import argparse
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.engine import Failure, Target, fuzz, tried
from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"
MEMORY = 6 << 30  # bytes: a parser that wants more than that has failed


def main() -> int:
    """0: nothing wrong. 1: something was, and each has its file and the command that replays it. 2: misuse."""
    asked = _arguments()
    warnings.simplefilter("ignore")  # of decoders, about broken files
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if asked.list:
        print("\n".join(sorted(TARGETS)), "corpus", sep="\n")
        return 0
    if asked.replay:
        return _replay(asked.replay)
    names = asked.targets or sorted(TARGETS)
    unknown = [name for name in names if name != "corpus" and not _named(name)]
    if unknown:
        print(f"There is no target {unknown[0]!r}; `scripts/fuzz --list` names them all.", file=sys.stderr)
        return 2
    targets = [target for name in names for target in _named(name)]
    wrong = _parsers(targets, seconds=asked.seconds, seed=asked.seed)
    if "corpus" in names:
        wrong += _corpus(seed=asked.seed, seconds=asked.corpus_seconds, files=asked.files)
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a parser's name or the beginning of it; `corpus`")
    parser.add_argument("--seconds", type=float, default=5, help="for each parser (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="decides every choice (default: 1)")
    parser.add_argument("--corpus-seconds", type=float, default=0, help="for the corpus (default: until all is tried)")
    parser.add_argument("--files", default="", help="of the corpus, only those whose name has this in it")
    parser.add_argument("--replay", type=Path, help="try one file that was found")
    parser.add_argument("--list", action="store_true", help="name all targets")
    return parser.parse_args()


def _named(name: str) -> list[Target]:
    exactly = [target for target in TARGETS.values() if target.name == name]
    return exactly or [target for target in TARGETS.values() if target.name.startswith(name)]


def _parsers(targets: list[Target], *, seconds: float, seed: int) -> int:
    wrong = 0
    for target in targets:
        tally = fuzz(target, seconds=seconds, seed=seed, alarm=True)
        print(
            f"{target.name:24} {tally.tried:8,} tried {tally.accepted:8,} accepted {len(tally.failures):3} wrong",
            flush=True,
        )
        for failure in tally.failures:
            _keep(failure)
        wrong += len(tally.failures)
    return wrong


def _keep(failure: Failure) -> None:
    folder = FOUND / failure.target.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / failure.file_name
    path.write_bytes(failure.content)
    print(f"  {failure.what.strip()}\n  again: ./scripts/fuzz --replay {path}")


def _replay(path: Path) -> int:
    folder = path.parent.name
    target = next((each for each in TARGETS.values() if each.name.replace(" ", "-") == folder), None)
    if target is None:
        from tests.fuzz.mutants import replay

        return replay(path)
    _, failure = tried(target, path.read_bytes(), alarm=True)
    print(failure.what if failure else "Nothing is wrong with it any more.")
    return 1 if failure else 0


def _corpus(*, seed: int, seconds: float, files: str) -> int:
    from tests.fuzz.mutants import hunt

    began = time.monotonic()
    report = hunt(seed=seed, seconds=seconds or None, files=files, keep=FOUND / "corpus")
    print(f"corpus: {report.tried:,} files in {time.monotonic() - began:.0f} s; {report.passed:,} passed")
    for what, count in Counter(report.verdicts).most_common(12):
        print(f"  {count:8,} {what}")
    for problem in report.problems:
        print(f"  wrong: {problem}")
    return len(report.problems)


if __name__ == "__main__":
    sys.exit(main())

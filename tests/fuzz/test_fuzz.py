"""Every parser for a moment, what was wrong once, and a sample of the corpus in pieces; `scripts/fuzz` does more."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.clamd import CLAMD
from tests.fuzz.engine import Failure, Target, fuzz, kept_seeds, tried
from tests.fuzz.mutants import CUTS, FLIPS, hunt, mutants_of
from tests.fuzz.targets import TARGETS
from transfer.sandbox.profiles import kernel_support

SECONDS = float(os.environ.get("TRANSFER_FUZZ_SECONDS", "0.5"))
CORPUS_SECONDS = float(os.environ.get("TRANSFER_FUZZ_CORPUS_SECONDS", "45"))
pytestmark = pytest.mark.slow


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith("log ")])  # tests/audit has those
def test_no_input_breaks_a_parser(name: str) -> None:
    tally = fuzz(TARGETS[name], seconds=SECONDS, seed=1)
    assert not tally.failures, tally.failures[0].what
    assert tally.tried > 10
    assert tally.accepted, "no seed is valid"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_what_was_wrong_once_is_no_more(name: str) -> None:
    for path in kept_seeds(name):
        _, failure = tried(TARGETS[name], path.read_bytes())
        assert failure is None, f"{path.name}: {failure.what}"


def test_an_unexpected_error_is_found() -> None:
    def parse(content: bytes) -> None:
        if b"\xff" in content:
            raise KeyError("a defect")
        if len(content) < 4:
            raise ValueError("as it may")

    target = Target(name="made up", seeds=lambda: [b"abcdefgh"], parse=parse, errors=(ValueError,))
    tally = fuzz(target, seconds=10, seed=1)
    assert {type(failure) for failure in tally.failures} == {Failure}
    assert "a defect" in tally.failures[0].what
    assert [one.content for one in fuzz(target, seconds=10, seed=1).failures] == [f.content for f in tally.failures]


def test_what_never_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(content: bytes) -> None:
        while content:
            pass

    monkeypatch.setattr("tests.fuzz.engine.SLOW", 0.2)
    _, failure = tried(Target(name="endless", seeds=list, parse=parse), b"x", alarm=True)
    assert failure is not None


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `scripts/fuzz` runs."""
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)


def test_the_command_lists_and_tries() -> None:
    assert {"corpus", "structure png", "words"} <= set(ask("--list").stdout.splitlines())
    done = ask("names", "--seconds", "0.2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 wrong" in done.stdout
    assert ask("no-such").returncode == 2


def test_each_file_has_all_its_mutants() -> None:
    done = Counter(what for what, _, _ in mutants_of("clean/a.jpg", b"x" * 1000, random.Random(1)))
    assert done == {"called": 11, "named": 10, "cut": CUTS, "changed": FLIPS}


@pytest.mark.clamd
@pytest.mark.timeout(600)
@pytest.mark.skipif(CLAMD is None, reason="clamd is not installed")
@pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")
def test_no_mutant_breaks_the_stations_or_leaks() -> None:
    report = hunt(seed=1, seconds=CORPUS_SECONDS)
    assert report.problems == []
    assert report.tried > 100
    assert report.passed

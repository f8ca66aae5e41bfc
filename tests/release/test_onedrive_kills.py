"""A process that sends to OneDrive is killed at any moment: the next one ends in exactly one whole file."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import EmulatorProcess
from tests.release.onedrive_child import BLOCK, Content
from tests.release.onedrive_rig import PLACE, End, Shore
from tests.release.rig import TOP
from tests.release.test_onedrive import placed, row_of, sessions
from transfer.graph.writer import CHUNK, STEP

pytestmark = pytest.mark.slow

SIZE = 24 * STEP + 5


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Shore]:
    with EmulatorProcess(tmp_path / "tenant") as running:
        shore = Shore(running)
        yield shore
        assert shore.downloads() == 0
        assert shore.world.counted("leaked_authorization") == 0


def begin(top: Path, *, size: int, chunk: int, seed: int = 1) -> subprocess.Popen[str]:
    given = [str(value) for value in (top / "tenant", top, size, seed, chunk)]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.release.onedrive_child", *given],
        cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def end_of(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return said


def is_whole(shore: Shore, size: int, seed: int = 1) -> bool:
    item = shore.drive.item(f"{PLACE}/photo.jpg")
    content = Content(size, seed)
    with open(shore.drive.service.tree.blob(str(item.content)), "rb") as stored:
        while block := content.read(BLOCK):
            if stored.read(len(block)) != block:
                return False
        return not stored.read(1)


def check(shore: Shore, top: Path) -> None:
    assert shore.drive.names(PLACE) == ["photo.jpg"]
    assert is_whole(shore, SIZE)
    end = End(shore, top)
    assert row_of(end) is None
    found = placed(end)
    assert found is not None
    assert found.drive_item == shore.drive.item(f"{PLACE}/photo.jpg").id
    end.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_it_ends_in_one_whole_file(served: Shore, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    served.world.switch(latency=0.02)
    for _ in range(3):
        process = begin(tmp_path, size=SIZE, chunk=STEP)
        time.sleep(chance.uniform(0.05, 0.9))
        process.kill()
        process.communicate()
        assert served.drive.names(PLACE) in ([], ["photo.jpg"])
    end_of(begin(tmp_path, size=SIZE, chunk=STEP))
    check(served, tmp_path)
    chunks = len(served.world.asked(method="PUT"))
    assert chunks <= 25 + 2 * 3 + 1  # after a kill one goes on; at most the chunk that was on its way goes again
    assert sessions(served) == 0


def test_killed_thirty_times_with_faults_at_random_it_ends_in_one_whole_file(served: Shore, tmp_path: Path) -> None:
    chance, through = random.Random(7), 0
    served.world.switch(latency=0.02, retry_after=0)
    served.world.random_faults(0.05, seed=7)
    for _ in range(30):
        process = begin(tmp_path, size=SIZE, chunk=STEP)
        time.sleep(chance.uniform(0.01, 1.2))
        process.kill()
        process.communicate()
        assert served.drive.names(PLACE) in ([], ["photo.jpg"])
        if served.drive.names(PLACE):  # it came through: begun anew half of the times
            assert is_whole(served, SIZE)
            if chance.random() < 0.5:
                served.drive.by(None).remove(served.drive.item(f"{PLACE}/photo.jpg"))
                (tmp_path / "state.db").unlink()
                through += 1
    assert through < 15
    served.world.no_faults()
    end_of(begin(tmp_path, size=SIZE, chunk=STEP))
    check(served, tmp_path)


def test_the_emulated_service_is_killed_too_and_its_upload_goes_on(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "tenant") as running:
        shore = Shore(running)
        shore.world.switch(latency=0.02)
        process = begin(tmp_path, size=SIZE, chunk=STEP)
        time.sleep(0.4)
        running.kill()
        time.sleep(0.2)
        running.start()
        end_of(process)
        check(shore, tmp_path)


def test_memory_does_not_grow_with_the_file(served: Shore, tmp_path: Path) -> None:
    """200 MiB in chunks of 10 MiB: the first put of a process imports and warms up, so a small one comes first."""
    grown = {}
    for size in (CHUNK + 1, 200 << 20):
        said = end_of(begin(tmp_path, size=size, chunk=CHUNK))
        grown[size] = int(said.split()[-1])
        assert is_whole(served, size)
        served.drive.by(None).remove(served.drive.item(f"{PLACE}/photo.jpg"))
        (tmp_path / "state.db").unlink()
    assert grown[200 << 20] < 80 << 20
    assert grown[200 << 20] - grown[CHUNK + 1] < 30 << 20

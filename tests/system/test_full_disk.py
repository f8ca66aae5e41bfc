"""A disk that is full, at every station: nothing is lost, the gateway says what it waits for, and goes on by itself."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.store.disks import fill, small_disk
from tests.system.place import Place, Running, run_command, running, wait_for
from transfer.model.states import State

pytestmark = pytest.mark.slow

GOES_ON = 25  # seconds: the longest pause between two tries is 15
LEAVES = (0, 5_000, 40_000, 120_000, 300_000)  # bytes left on the disk: enough for one station more each time


@pytest.fixture
def small(place: Place, request: pytest.FixtureRequest) -> Iterator[Path]:
    """One folder of the workspace on a disk of its own."""
    with on_small_disk(place, request.param) as disk:
        yield disk
        place.close()


@contextlib.contextmanager
def on_small_disk(place: Place, name: str, *, kibibytes: int = 12 * 1024) -> Iterator[Path]:
    """The disk's own root: what fills it lies outside the workspace."""
    folder, before = place.root / name, place.root / f"{name}.before"
    folder.rename(before)
    with small_disk(place.root.parent / "disk", kibibytes=kibibytes) as disk:
        shutil.copytree(before, disk / name)
        folder.mkdir()
        subprocess.run(["mount", "--bind", str(disk / name), str(folder)], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("small", ["state"], indirect=True)
def test_a_full_state_at_every_station(place: Place, small: Path) -> None:
    """Spooling, examining, rebuilding, deciding, entries: whichever step finds no room waits, and is done later."""
    waited = 0
    with running(place) as gateway:
        for number, leave in enumerate(LEAVES):
            waited += _one_while_full(place, gateway, small, number, leave=leave)
            place.verify()
        assert waited >= 2
        place.approve_all()
        filler = fill(small)
        filler.unlink()
        wait_for(lambda: place.counts() == {"released": 3 * len(LEAVES)}, GOES_ON, "the releases")
    _all_in_order(place)


def _one_while_full(place: Place, gateway: Running, small: Path, number: int, *, leave: int) -> bool:
    """Three files on a disk with so much room, then with enough; whether the gateway had to wait."""
    filler = fill(small, leave=leave)
    place.drop(f"photo-{number}.jpg", samples.jpeg(900 + number, 700))
    place.drop(f"film-{number}.mp4", samples.mp4(0.5, width=320 + number * 2))
    place.drop(f"words-{number}.txt", samples.text(f"Number {number}\n"))

    def done() -> bool:
        return place.counts().get("held") == 3 * (number + 1)

    def no_room() -> bool:  # noticed before the copy, or while something was written
        return _waits(gateway, "The disk is full") or _waits(gateway, "There is no room")

    wait_for(lambda: done() or no_room(), 20, "a word about the full disk")
    waited = no_room()
    filler.unlink()
    wait_for(done, GOES_ON, f"going on after {leave} bytes were left")
    gateway.err.write_bytes(b"")
    return waited


@pytest.mark.parametrize("small", ["state"], indirect=True)
def test_a_full_state_while_files_are_released(place: Place, small: Path) -> None:
    number = 12
    for each in range(number):
        place.drop(f"words-{each}.txt", samples.text(f"Number {each}\n"))
    with running(place) as gateway:
        wait_for(lambda: place.counts().get("held") == number, 20, "the verdicts")
        place.approve_all()
        filler = fill(small)
        (place.release / "planted.txt").write_bytes(b"just now")
        wait_for(lambda: _waits(gateway, "The disk is full"), 20, "a word about the full disk")
        wait_for(lambda: not (place.release / "planted.txt").exists(), 3, "the guard, who needs no room")
        assert len(place.entries("file.released")) < number
        filler.unlink()
        wait_for(lambda: place.counts() == {"released": number}, GOES_ON, "the releases")
        wait_for(lambda: place.entries("return.refused"), GOES_ON, "the entry about what was planted")
    _all_in_order(place)


def test_a_full_device_side(place: Place) -> None:
    with on_device_disk(place, kibibytes=512) as disk:
        place.drop("photo.jpg", samples.jpeg(1200, 900))
        place.drop("words.txt", samples.text())
        with running(place) as gateway:
            wait_for(lambda: place.counts().get("held") == 2, 15, "the verdicts")
            filler = fill(disk)
            place.approve_all()
            wait_for(lambda: _waits(gateway, "The disk is full while writing"), 10, "a word about the full disk")
            assert place.counts() == {"approved": 2}
            assert [path.name for path in place.release.iterdir()] in ([], ["manifest.note"])
            filler.unlink()
            wait_for(lambda: place.counts() == {"released": 2}, GOES_ON, "the releases")
        _all_in_order(place)
        place.close()


@pytest.mark.parametrize("small", ["log"], indirect=True)
def test_a_full_log_folder(place: Place, small: Path) -> None:
    with running(place) as gateway:
        filler = fill(small)
        place.drop("words.txt", samples.text())
        wait_for(lambda: _waits(gateway, "The disk is full while publishing"), 15, "a word about the full disk")
        wait_for(lambda: place.counts().get("held") == 1, 15, "the verdict")
        filler.unlink()
        place.approve_all()
        wait_for(lambda: place.counts() == {"released": 1}, GOES_ON, "the release")
    _all_in_order(place)


@pytest.mark.parametrize("small", ["feedback"], indirect=True)
def test_a_full_feedback_folder(place: Place, small: Path) -> None:
    filler = fill(small)
    with running(place) as gateway:
        place.drop("words.txt", samples.text())
        wait_for(lambda: _waits(gateway, "The disk is full while writing feedback"), 15, "a word about the full disk")
        wait_for(lambda: place.counts().get("held") == 1, 15, "the verdict")
        filler.unlink()
        wait_for((place.workspace.feedback / "open-day" / "WAITING words.txt.txt").exists, GOES_ON, "the feedback")
        place.approve_all()
        wait_for((place.workspace.feedback / "open-day" / "RELEASED words.txt.txt").exists, GOES_ON, "the feedback")
    _all_in_order(place)


@pytest.mark.parametrize("small", ["state", "log", "feedback"], indirect=True)
def test_once_on_a_full_disk_ends_with_3_and_loses_nothing(place: Place, small: Path) -> None:
    dropped = place.drop("words.txt", samples.text())
    filler = fill(small)
    answer = place.command("run", "--once", "--quiet")
    assert answer.code == 3, answer
    assert "The disk is full" in answer.err
    assert "→ Free some space" in answer.err
    assert dropped.exists()
    filler.unlink()
    place.must("run", "--once", "--quiet")
    assert place.counts() == {"held": 1}
    place.approve_all()
    fill(small)
    again = place.command("run", "--once", "--quiet")
    assert again.code == 3, again
    (small / "filler").unlink()
    place.must("run", "--once", "--quiet")
    assert place.counts() == {"released": 1}
    _all_in_order(place)


@pytest.mark.parametrize("small", ["state"], indirect=True)
def test_once_on_a_disk_that_fills_up_half_way(place: Place, small: Path) -> None:
    """Wherever it ends, it ends, and the next round goes on from there."""
    for number, leave in enumerate(LEAVES[::2]):
        place.drop(f"photo-{number}.jpg", samples.jpeg(900 + number, 700))
        place.drop(f"words-{number}.txt", samples.text(f"Number {number}\n"))
        filler = fill(small, leave=leave + 150_000)
        answer = place.command("run", "--once", "--quiet")
        filler.unlink()
        assert answer.code in {0, 3}, answer
        assert answer.code == 0 or "The disk is full" in answer.err or "There is no room" in answer.err, answer
    place.must("run", "--once", "--quiet")
    assert place.counts() == {"held": 2 * len(LEAVES[::2])}
    place.approve_all()
    place.must("run", "--once", "--quiet")
    _all_in_order(place)


def test_once_with_a_full_device_side_ends_with_3(place: Place) -> None:
    with on_device_disk(place, kibibytes=256) as disk:
        place.drop("words.txt", samples.text())
        place.must("run", "--once", "--quiet")
        place.approve_all()
        filler = fill(disk)
        answer = place.command("run", "--once", "--quiet")
        assert answer.code == 3, answer
        assert "The disk is full" in answer.err
        filler.unlink()
        place.must("run", "--once", "--quiet")
        _all_in_order(place)
        place.close()


def test_too_little_room_is_said_before_it_is_too_late(place: Place) -> None:
    place.set("intake", min_free_bytes='"900 TB"')
    place.drop("words.txt", samples.text())
    answer = place.command("run", "--once", "--quiet")
    assert answer.code == 3, answer
    assert "no room in the spool" in answer.err
    assert place.counts() == {}
    place.set("intake", min_free_bytes="0")
    place.must("run", "--once", "--quiet")
    assert place.counts() == {"held": 1}


def test_init_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=256) as disk:
        fill(disk, leave=30_000)
        answer = run_command("init", disk / "w", "--demo", cwd=tmp_path)
        assert answer.code == 3, answer
        assert "The disk is full" in answer.err
        assert [path.name for path in disk.iterdir()] == ["filler"]
        (disk / "filler").unlink()


@contextlib.contextmanager
def on_device_disk(place: Place, *, kibibytes: int) -> Iterator[Path]:
    """Release and aside together on a disk of their own."""
    place.set("release", path='"device/release"', aside='"device/aside"')
    with small_disk(place.root / "device", kibibytes=kibibytes) as disk:
        place.release = disk / "release"
        place.release.mkdir()
        (disk / "aside").mkdir()
        yield disk


def _waits(gateway: Running, words: str) -> bool:
    return words in gateway.complained()


def _all_in_order(place: Place) -> None:
    place.verify()
    place.check_release()
    assert place.leftovers() == []
    assert all(row.state is State.RELEASED and row.retired for row in place.rows())

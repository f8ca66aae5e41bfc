"""Processes that hang instead of dying, rights that are missing, and what happened while nothing ran."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import (
    Place,
    Running,
    end_family,
    family,
    running,
    source_environment,
    start,
    stop,
    wait_for,
)

pytestmark = pytest.mark.slow


def test_what_happened_while_nothing_ran_is_found_by_the_next_round(place: Place) -> None:
    for name in ("altered", "removed", "kept"):
        place.drop(f"{name}.txt", f"{name}\n".encode())
    place.must("run", "--once", "--quiet")
    place.approve_all()
    place.must("run", "--once", "--quiet")
    genuine = (place.release / "altered.txt").read_bytes()
    (place.release / "altered.txt").write_bytes(b"other words\n")
    (place.release / "removed.txt").unlink()
    (place.release / "manifest.note").write_bytes(b"another list\n")
    (place.release / "planted.jpg").write_bytes(samples.jpeg(32, 32))
    (place.release / "planted").mkdir()
    place.must("run", "--once", "--quiet")
    assert sorted(os.listdir(place.release)) == ["altered.txt", "kept.txt", "manifest.note"]
    assert (place.release / "altered.txt").read_bytes() == genuine
    assert b"another list" not in (place.release / "manifest.note").read_bytes()
    assert {entry["facts"]["kind"] for entry in place.entries("return.refused")} == {"file", "folder"}
    found = [entry.get("item") for entry in place.entries("release.altered")]
    assert sorted(found, key=str) == sorted([place.by_name("altered.txt").item, None], key=str)  # the manifest is none
    assert [entry["item"] for entry in place.entries("release.restored")] == [place.by_name("altered.txt").item]
    assert [entry["item"] for entry in place.entries("release.removed")] == [place.by_name("removed.txt").item]
    place.verify()


def test_without_an_answering_guard_nothing_is_released(place: Place) -> None:
    place.drop("words.txt", samples.text())
    with running(place) as gateway:
        wait_for(lambda: place.counts().get("held"), 15, "the verdict")
        with stopped(gateway, "guard"):
            time.sleep(1.5)  # longer than a heartbeat may stay away
            place.approve_all()
            wait_for(lambda: "The return guard" in gateway.complained(), 10, "a word about the guard")
            time.sleep(1)
            assert place.counts() == {"approved": 1}
            assert os.listdir(place.release) in ([], ["manifest.note"])
        wait_for(lambda: place.counts() == {"released": 1}, 25, "the release")
    place.check_release()
    place.verify()


def test_whoever_fell_is_started_again_and_that_is_said(place: Place) -> None:
    with running(place) as gateway:
        wait_for((place.release / "manifest.note").exists, 15, "the guard and the manifest")
        for role in ("guard", "gateway"):
            [pid] = [member.pid for member in family(gateway.process.pid) if member.role == role]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: f"The {role} was killed by signal 9" in gateway.complained(), 5, "a word about it")  # noqa: B023
            wait_for(lambda: f"The {role} is back." in gateway.complained(), 25, "a word that it is back")  # noqa: B023
    place.verify()


def test_the_guard_works_while_the_gateway_hangs(place: Place) -> None:
    with running(place) as gateway:
        wait_for((place.release / "manifest.note").exists, 15, "the guard and the manifest")
        with stopped(gateway, "gateway"):
            (place.release / "planted.txt").write_bytes(b"now")
            wait_for(lambda: not (place.release / "planted.txt").exists(), 2, "the guard alone")
        wait_for(lambda: place.entries("return.refused"), 15, "the entry")
    place.verify()


def test_a_child_that_hangs_costs_one_file_and_no_more_time_than_the_settings_say(place: Place) -> None:
    place.set("sandbox", seconds="5", workers="1")
    place.drop("first.txt", b"first\n")
    with running(place) as gateway:
        wait_for(lambda: place.counts().get("held"), 15, "the verdict")
        with stopped(gateway, "media child"):
            place.drop("second.jpg", samples.jpeg())
            place.drop("third.txt", b"third\n")
            wait_for(lambda: place.counts() == {"held": 2, "refused": 1}, 20, "the verdicts")
    [refused] = place.entries("file.refused")
    assert [finding["code"] for finding in refused["facts"]["findings"]] == ["sandbox-timeout"]
    place.verify()


def test_without_any_capability(place: Place) -> None:
    """As the ordinary user that it should run as: nothing rests on root's powers."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not here")
    place.drop("words.txt", samples.text())
    hidden = place.drop("hidden.txt", b"nobody may read this\n")
    hidden.chmod(0)
    assert _powerless(place, "run", "--once", "--quiet") == 0
    assert place.counts() == {"held": 1, "refused": 1}
    assert "unreadable" in str(place.entries("file.refused")[0]["facts"]["findings"])
    hidden.chmod(0o600)
    place.approve_all()
    assert _powerless(place, "run", "--once", "--quiet") == 0
    assert place.counts() == {"held": 1, "refused": 1, "released": 1}  # readable now: it is taken up anew
    assert _powerless(place, "doctor") == 0
    place.check_release()
    place.verify()


@pytest.mark.parametrize("both", [False, True], ids=["standard output", "standard error too"])
def test_nobody_listens_to_the_terminal_any_more(place: Place, both: bool) -> None:
    """As in `transfer run | head`: what is shown is a convenience, and its end is not the gateway's."""
    command = [sys.executable, "-m", "transfer", "run", "-w", str(place.root)]
    err = place.root.parent / "closed.err"
    with err.open("wb") as complains:
        process = subprocess.Popen(
            command,
            env=source_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if both else complains,
        )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        for number in range(8):
            place.drop(f"{number}.txt", b"number %d\n" % number)
            wait_for(lambda: place.counts().get("held") == number + 1, 15, "the verdict")  # noqa: B023 - used at once
        [guard] = [member.pid for member in family(process.pid) if member.role == "guard"]
        os.kill(guard, signal.SIGKILL)  # the supervisor has something to say, and a loop that nothing can be released
        place.approve_all()
        wait_for(lambda: place.counts() == {"released": 8}, 15, "the releases")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        end_family(process.pid)
        process.wait()
    assert "defect" not in err.read_text()
    assert "Exception" not in err.read_text()


def test_a_staging_folder_that_is_away_for_a_while(place: Place) -> None:
    """What is in the spool goes on to the device's side, and is listed there; its original is removed later."""
    place.drop("words.txt", samples.text())
    with running(place) as gateway:
        wait_for(lambda: place.counts().get("held"), 15, "the verdict")
        staging, away = place.root / "staging", place.root / "away"
        staging.rename(away)
        place.approve_all()
        wait_for(lambda: place.counts() == {"released": 1}, 15, "the release")
        wait_for((place.release / "manifest.note").exists, 5, "the first list")
        wait_for(lambda: b"words.txt" in (place.release / "manifest.note").read_bytes(), 5, "the list")
        wait_for(lambda: "staging folder" in gateway.complained(), 10, "a word about the folder")
        assert (away / "open-day" / "words.txt").exists()
        away.rename(staging)
        wait_for(lambda: not (place.drop_folder / "words.txt").exists(), 25, "the original's end")
    assert place.rows()[0].retired
    place.verify()


def test_the_database_taken_away_from_under_a_running_gateway(place: Place) -> None:
    """What it went on to write would be lost: it stops at once, and says so."""
    gateway = start(place)
    try:
        place.close()
        place.workspace.db.rename(place.root.parent / "kept")
        assert gateway.process.wait(10) == 4
        gateway.ended = True
    finally:
        end_family(gateway.process.pid)
    assert "database" in gateway.complained()
    (place.root.parent / "kept").rename(place.workspace.db)
    stop(gateway)
    place.drop("words.txt", samples.text())
    place.must("run", "--once", "--quiet")
    assert place.counts() == {"held": 1}
    place.verify()


@contextlib.contextmanager
def stopped(gateway: Running, role: str) -> Iterator[int]:
    """The process of this role hangs for the length of the block, if it lives that long."""
    [pid] = [member.pid for member in family(gateway.process.pid) if member.role == role]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _powerless(place: Place, *words: str) -> int:
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "transfer", *words]
    done = subprocess.run(
        [*command, "-w", str(place.root)],
        cwd=Path(place.root).parent,
        env=source_environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode

"""One gateway a workspace: the second refuses and says who has it; what a killed one leaves does not block the next."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests import samples
from tests.system.place import Place, end_family, family, running, source_environment, start, stop, wait_for


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--once"),
        pytest.param(("run",), marks=pytest.mark.slow),
        pytest.param(("process", "gateway"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_the_second_refuses_and_says_who_holds_it(place: Place, arguments: tuple[str, ...]) -> None:
    with running(place) as first:
        [gateway] = [member.pid for member in family(first.process.pid) if member.role == "gateway"]
        second = place.command(*arguments)
        assert second.code == 3, second
        assert second.out == ""
        named = re.search(r"Another gateway holds this workspace: process (\d+), running since 20\S+Z\.", second.err)
        assert named, second.err
        assert int(named[1]) == gateway
        assert "→" in second.err
        place.drop("after.txt", samples.text())
        wait_for(lambda: place.counts().get("held"), 15, "the first one's work")
        assert (place.release / "manifest.note").exists()
    assert place.entries("return.refused") == []  # the second one's guard did nothing meanwhile
    place.verify()


def test_after_a_kill_of_the_supervisor_nobody_is_left_and_the_next_one_starts(place: Place) -> None:
    first = start(place)
    members = family(first.process.pid)
    assert {"supervisor", "gateway", "guard", "media zygote", "residue zygote"} <= {each.role for each in members}
    first.kill()
    wait_for(lambda: not any(_lives(member.pid) for member in members), 5, "the end of all others")
    with running(place):
        place.drop("after.txt", samples.text())
        wait_for(lambda: place.counts().get("held"), 15, "the next one's work")
    assert len(place.entries("gateway.started")) == 2
    assert len(place.entries("gateway.stopped")) == 1
    place.verify()


@pytest.mark.slow
def test_a_supervisor_killed_while_it_starts_the_others_leaves_no_orphan(place: Place) -> None:
    """The others may not even have begun when their parent dies."""
    for others, delay in ((1, 0.0), (1, 0.1), (1, 0.3), (2, 0.0), (2, 0.1)):
        _kill_while_starting(place, others=others, after=delay)
    place.must("run", "--once", "--quiet")


@pytest.mark.slow
def test_killed_children_of_a_dead_gateway_hold_nothing(place: Place) -> None:
    """Stopped processes cannot die on their own: even those do not keep the workspace."""
    first = start(place)
    members = family(first.process.pid)
    stopped = [member.pid for member in members if "zygote" in member.role or "child" in member.role]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for member in members:
            if member.pid not in stopped:
                os.kill(member.pid, signal.SIGKILL)
        first.process.wait()
        second = start(place)
        stop(second)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end_family(first.process.pid)


@pytest.mark.slow
def test_gateway_and_guard_as_units_of_their_own(place: Place) -> None:
    """As systemd would run them: without the supervisor, in any order, each ended by itself."""

    def begin(name: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "transfer", "process", name, "-w", str(place.root)]
        return subprocess.Popen(words, env=source_environment(), cwd=place.root.parent, stderr=subprocess.PIPE)

    guard, gateway = begin("guard"), begin("gateway")
    try:
        place.drop("one.txt", samples.text())
        wait_for(lambda: place.counts().get("held"), 20, "the verdict")
        place.approve_all()
        wait_for(lambda: place.counts().get("released"), 10, "the release")
        gateway.terminate()
        assert gateway.wait(20) == 0
        (place.release / "planted").write_bytes(b"while no gateway runs")
        wait_for(lambda: not (place.release / "planted").exists(), 2, "the guard alone")
        gateway = begin("gateway")
        wait_for(lambda: len(place.entries("return.refused")) == 1, 20, "the entry, later")
    finally:
        for process in (gateway, guard):
            process.terminate()
            process.wait(20)
    place.check_release()
    place.verify()


@pytest.mark.parametrize("where", ["staging", pytest.param("release", marks=pytest.mark.slow)])
def test_another_folder_in_the_place_of_one_is_found_by_a_new_gateway(place: Place, where: str) -> None:
    """A sync client starts afresh: what the kernel let the old gateway into is gone."""
    with running(place) as first:
        [before] = [member.pid for member in family(first.process.pid) if member.role == "gateway"]
        folder = place.root / where
        folder.rename(place.root / "former")
        folder.mkdir()
        place.drop_folder.mkdir(exist_ok=True)
        wait_for(lambda: not _lives(before), 10, "the end of the old one")
        assert f"Another folder stands at {folder}" in first.complained()
        place.drop("after.txt", samples.text())
        wait_for(lambda: place.counts().get("held"), 20, "the new one's work")
        place.approve_all()
        wait_for(lambda: place.counts().get("released"), 20, "the release")
    place.check_release()
    place.verify()


def test_ctrl_c_ends_a_round_that_waits(place: Place) -> None:
    """`--once` that waits for a file to settle, or for a guard, is ended at once all the same."""
    place.set("intake", settle_seconds="30")
    dropped = place.drop("words.txt", samples.text())
    first = start(place, "--once")
    stamps = dropped.stat()
    os.utime(dropped, ns=(stamps.st_atime_ns, stamps.st_mtime_ns + 1))
    began = time.monotonic()
    stop(first, expect=None)
    assert time.monotonic() - began < 5


def _kill_while_starting(place: Place, *, others: int, after: float) -> None:
    first = start(place, ready=False)
    wait_for(lambda: len(_started(first.process.pid)) >= others, 20, "gateway and guard")
    members = _started(first.process.pid)
    time.sleep(after)
    first.kill()
    wait_for(lambda: not any(_lives(pid) for pid in members), 5, "the end of the others")


def _started(supervisor: int) -> list[int]:
    return [member.pid for member in family(supervisor) if member.pid != supervisor]


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False

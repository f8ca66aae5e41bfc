"""The workspace's lock: one process has it, the second one learns who, and a dead one's children do not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.store.pieces import SteppingClock
from transfer.errors import Unavailable
from transfer.model.clock import parse_time
from transfer.store.lock import hold_workspace, who_holds

HOLDER = textwrap.dedent(
    """
    import os, subprocess, sys, time
    from pathlib import Path
    from tests.store.pieces import SteppingClock
    from transfer.store.lock import hold_workspace
    with hold_workspace(Path(sys.argv[1]), clock=SteppingClock()):
        child = os.fork() if sys.argv[2] == "with a child" else os.getpid()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        print(f"held, {child}", flush=True)
        sys.stdin.read()
    """
)


def start_holder(lock: Path, how: str = "alone") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_second_gateway_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert who_holds(lock) is None
    with start_holder(lock) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"held, {process.pid}\n"
        with (
            pytest.raises(Unavailable, match=rf"process {process.pid}, running since 2026-01-01T00:00:01.000Z"),
            hold_workspace(lock, clock=SteppingClock()),
        ):
            pass
        holder = who_holds(lock)
        assert holder is not None
        assert (holder.pid, holder.since) == (process.pid, parse_time("2026-01-01T00:00:01.000Z"))
    assert process.returncode == 0, "it was not disturbed"
    assert who_holds(lock) is None
    with hold_workspace(lock, clock=SteppingClock()):
        pass


def test_the_children_of_a_dead_gateway_do_not_hold_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with start_holder(lock, "with a child") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline().removeprefix("held, "))
        process.kill()
        process.wait()
        try:
            Path(f"/proc/{child}").stat()  # the orphan lives
            with hold_workspace(lock, clock=SteppingClock()):
                pass
        finally:
            subprocess.run(["kill", "-9", str(child)], check=True)


def test_nonsense_in_the_file_is_no_obstacle(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text('["nonsense"')
    assert who_holds(lock) is None
    with hold_workspace(lock, clock=SteppingClock()):
        pass
    with start_holder(lock) as process:
        assert process.stdout is not None
        process.stdout.readline()
        lock.write_text('{"pid": 1, "since": "then"}')
        holder = who_holds(lock)
        assert holder is not None
        assert (holder.pid, holder.since) == (process.pid, None)


def test_no_folder_for_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable), hold_workspace(tmp_path / "none" / "lock", clock=SteppingClock()):
        pass


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable), hold_workspace(tmp_path / "lock", clock=SteppingClock()):
        pass
    assert (tmp_path / "elsewhere").read_text() == "precious"

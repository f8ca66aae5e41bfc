"""A year ends while the gateway runs; a backup and a rotation meet; the running gateway prunes: with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call
from tests.cli.test_log_key import name
from tests.system.ahead import HOUR, VARIABLE
from tests.system.place import source_environment
from transfer.audit.entries import parse_leaf
from transfer.audit.notes import parse_vkey
from transfer.audit.receipts import parse_receipt
from transfer.audit.shards import archived
from transfer.auditing import audit_folder
from transfer.model.clock import parse_time
from transfer.model.states import State
from transfer.store.apart import is_busy
from transfer.store.shards import archives

pytestmark = pytest.mark.slow

YEAR = datetime.now(UTC).year
ORIGIN = f"h.example/audit/{YEAR}"
BOUNDARY = datetime(YEAR + 1, 1, 1, tzinfo=UTC)
TOP = Path(__file__).parents[2]
_WITHIN = 120.0


def until(true: Callable[[], bool], what: str, within: float = _WITHIN) -> None:
    end = time.monotonic() + within
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def ahead_of(seconds: float) -> float:
    """By how much a clock is ahead that shows now so many seconds after the year's end, before it if negative."""
    return (BOUNDARY - datetime.now(UTC)).total_seconds() + seconds


def at(ahead: float, *arguments: str | Path) -> None:
    """A command in that present, which has to succeed: approvals and campaigns have their days."""
    environment = source_environment(**{VARIABLE: str(ahead), HOUR: "3600"})
    command = [sys.executable, "-m", "tests.system.ahead", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=TOP, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done


def approve(room: Room, caption: str, ahead: float) -> None:
    """By helen, in that present."""
    item = room.items()[f"{caption}.txt"].item
    at(ahead, "approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low", "-w", room.root)


@contextlib.contextmanager
def gateway(
    room: Room, ahead: float, said: Path, *, shards_seconds: float = 3600.0
) -> Iterator[subprocess.Popen[bytes]]:
    """The supervised gateway whose clock is ahead; what it says goes into a file."""
    environment = source_environment(**{VARIABLE: str(ahead), HOUR: str(shards_seconds)})
    command = [sys.executable, "-m", "tests.system.ahead", "run", "-q", "-w", str(room.root)]
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=TOP, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Two captions that wait for approval, an hour before the year's end."""
    made, ahead = Room(tmp_path / "w"), ahead_of(-3600)
    at(ahead, "init", made.root, "--demo", "--origin", ORIGIN)
    for caption in ("before", "after"):
        (made.root / "staging" / "open-day" / f"{caption}.txt").write_text(f"Come and see us, {caption}.\n")
    at(ahead, "run", "--once", "-q", "-w", made.root)
    return made


def test_a_year_ends_while_the_gateway_runs(room: Room, tmp_path: Path) -> None:
    old, said = parse_vkey(room.vkey.read_text().strip()), tmp_path / "said"
    approve(room, "before", ahead_of(-1800))
    ahead = ahead_of(-30)  # seconds of the old year that are left to the gateway when it is started
    with gateway(room, ahead, said) as process:
        until(lambda: room.state("before.txt") is State.RELEASED, "nothing was released in the old year")
        assert not archived(room.workspace.log)
        until(lambda: b"A year is over" in said.read_bytes(), "the year's end was not noticed")
        until(lambda: b"The gateway is back" in said.read_bytes(), "it did not come back")
        assert process.poll() is None, "the supervisor went on"
        assert [shard.folder.name for shard in archived(room.workspace.log)] == [str(YEAR)]
        approve(room, "after", ahead)
        until(lambda: room.state("after.txt") is State.RELEASED, "nothing was released in the new year")
    assert process.returncode == 0
    assert b"Traceback" not in said.read_bytes()
    audit = audit_folder(room.workspace.log, [old])
    assert audit.folder.origin == f"h.example/audit/{YEAR + 1}"
    assert audit.covered.releases == 2
    room.must("audit", "verify")


def test_with_a_key_kept_elsewhere_it_goes_on_and_says_so(room: Room, tmp_path: Path) -> None:
    key, said = tmp_path / "elsewhere.key", tmp_path / "said"
    (room.workspace.keys / "log.key").rename(key)
    name(room, str(key))
    ahead = ahead_of(60)
    with gateway(room, ahead, said) as process:
        until(lambda: b"its key is kept elsewhere" in said.read_bytes(), "it was not said")
        approve(room, "before", ahead)
        until(lambda: room.state("before.txt") is State.RELEASED, "nothing was released")
        time.sleep(1)
        assert process.poll() is None
    assert process.returncode == 0
    assert not archived(room.workspace.log)
    assert b"--next-key" in said.read_bytes()


def starts(room: Room) -> int:
    """How often the gateway has started."""
    return len(room.must("audit", "show", "--event", "gateway.started", "--json").json["entries"])


def test_a_running_gateway_prunes(room: Room, tmp_path: Path) -> None:
    at(ahead_of(-1800), "audit", "rotate", "--as", "helen", "-w", room.root)
    text = room.workspace.settings_file.read_text()
    room.workspace.settings_file.write_text(text.replace("[log]\n", "[log]\nkeep_days = 1\n"))
    said = tmp_path / "said"
    # At its start the shard is some seconds too young; an hour of the upkeep is a second here.
    shard = archived(room.workspace.log)[0]
    label, receipt = shard.folder.name, parse_receipt(shard.sealed() or b"")
    sealed = parse_time(parse_leaf(receipt.entry or b"").at)
    ahead = (sealed - datetime.now(UTC)).total_seconds() + 86_400 - 30
    before = starts(room)
    with gateway(room, ahead, said, shards_seconds=1.0):
        until(lambda: starts(room) > before, "it did not start")
        assert label in archives(room.workspace.database), "it was old enough at the start already"
        # The new year has sealed another shard at this start, which is too young all the while.
        until(lambda: label not in archives(room.workspace.database), "the rows are still there")
    assert archived(room.workspace.log)[0].is_pruned()
    room.must("audit", "verify")


def has_said_so(room: Room, pid: int) -> bool:
    """Whether this process has written into the lock what it does: it takes it first, so "busy" alone is too early."""
    try:
        return f'"pid": {pid},' in room.workspace.records_lock.read_text()
    except FileNotFoundError:
        return False


def stopped_while_busy(room: Room, *arguments: str | Path, said: Path) -> subprocess.Popen[bytes]:
    """A command of the program, halted in the middle of what must not happen beside another."""
    for _ in range(20):
        command = [sys.executable, "-m", "transfer", *map(str, arguments), "-w", str(room.root)]
        with said.open("wb") as output:
            process = subprocess.Popen(command, env=source_environment(), cwd=TOP, stdout=output, stderr=output)
        while process.poll() is None and not has_said_so(room, process.pid):
            pass
        os.kill(process.pid, signal.SIGSTOP)
        if process.poll() is None and is_busy(room.workspace.records_lock):
            return process
        os.kill(process.pid, signal.SIGCONT)
        process.wait(60)
    raise AssertionError("it could not be halted in time")


def second(room: Room, *arguments: str | Path, said: Path) -> subprocess.Popen[bytes]:
    """Another command, which has to wait and say so."""
    command = [sys.executable, "-m", "transfer", *map(str, arguments), "-w", str(room.root)]
    with said.open("wb") as output:
        process = subprocess.Popen(command, env=source_environment(), cwd=TOP, stdout=output, stderr=output)
    until(lambda: b"waiting until that is over" in said.read_bytes(), "it did not wait")
    assert process.poll() is None
    return process


def check_backup(room: Room, backup: Path, *, shards: int) -> None:
    again = Room(room.root.parent / f"{backup.name}-again")
    assert call("restore", backup, "--to", again.root).code == 0
    verified = again.must("audit", "verify", "--json").json
    assert len(verified["sealed"]) == shards
    again.must("audit", "adopt")
    again.must("audit", "verify")


def test_a_rotation_waits_for_a_backup(room: Room, tmp_path: Path) -> None:
    said, waited = tmp_path / "said", tmp_path / "waited"
    backup = stopped_while_busy(room, "backup", tmp_path / "backup", said=said)
    rotation = second(room, "audit", "rotate", "--as", "helen", said=waited)
    assert f"A backup is being made (process {backup.pid})" in waited.read_text()
    assert not archived(room.workspace.log)
    os.kill(backup.pid, signal.SIGCONT)
    assert (backup.wait(60), rotation.wait(60)) == (0, 0), waited.read_text()
    check_backup(room, tmp_path / "backup", shards=0)
    assert len(archived(room.workspace.log)) == 1
    room.must("audit", "verify")


def test_a_backup_waits_for_a_rotation(room: Room, tmp_path: Path) -> None:
    said, waited = tmp_path / "said", tmp_path / "waited"
    rotation = stopped_while_busy(room, "audit", "rotate", "--as", "helen", said=said)
    backup = second(room, "backup", tmp_path / "backup", said=waited)
    assert f"The log is being switched to its next shard (process {rotation.pid})" in waited.read_text()
    os.kill(rotation.pid, signal.SIGCONT)
    assert (rotation.wait(60), backup.wait(60)) == (0, 0), waited.read_text()
    check_backup(room, tmp_path / "backup", shards=1)
    room.must("audit", "verify")


def test_a_year_that_ends_during_a_backup_waits_for_it(room: Room, tmp_path: Path) -> None:
    said = tmp_path / "said"
    backup = stopped_while_busy(room, "backup", tmp_path / "backup", said=tmp_path / "copied")
    ahead = ahead_of(60)
    with gateway(room, ahead, said):
        approve(room, "before", ahead)
        until(lambda: room.state("before.txt") is State.RELEASED, "the gateway did not go on in the old shard")
        assert not archived(room.workspace.log)
        os.kill(backup.pid, signal.SIGCONT)
        assert backup.wait(60) == 0
        until(lambda: len(archived(room.workspace.log)) == 1, "the new shard was not opened")
        until(lambda: b"The gateway is back" in said.read_bytes(), "it did not come back")
    check_backup(room, tmp_path / "backup", shards=0)
    room.must("audit", "verify")

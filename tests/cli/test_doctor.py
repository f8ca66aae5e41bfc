"""`transfer doctor`: what holds is said to hold, and each thing that does not is found, with what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clamd import CLAMD, running_clamd
from tests.cli.rooms import Answer, Room, call

SOURCE = str(Path(__file__).parents[2])


@pytest.fixture
def fresh(tmp_path: Path) -> Room:
    """A workspace as `transfer init` leaves it."""
    room = Room(tmp_path / "w")
    assert call("init", room.root, "--demo").code == 0
    return room


def checks(answer: Answer, name: str) -> list[dict[str, Any]]:
    return [check for check in answer.json["checks"] if check["name"] == name]


def stands(answer: Answer, name: str) -> set[str]:
    return {check["status"] for check in checks(answer, name)}


def setting(room: Room, section: str, line: str) -> None:
    text = room.workspace.settings_file.read_text()
    key = line.split(" = ", maxsplit=1)[0]
    head, found, rest = text.partition(f"[{section}]\n")
    kept = "\n".join(old for old in rest.split("\n") if not old.startswith(f"{key} = "))
    room.workspace.settings_file.write_text(
        f"{head}[{section}]\n{line}\n{kept}" if found else f"{text}\n[{section}]\n{line}\n"
    )


def test_all_is_well_in_a_new_workspace(fresh: Room) -> None:
    answer = fresh.call("doctor", "--json")
    assert answer.code == 0, answer.out
    assert answer.json["ok"] is True
    for name in ("kernel valve", "keys", "folders", "disk", "clock", "database", "log", "policy", "device"):
        assert stands(answer, name) == {"ok"}, name
    assert stands(answer, "scanner") == {"note"}  # the demo's policy goes on without one
    assert stands(answer, "running") == {"note"}
    (valve,) = checks(answer, "kernel valve")
    assert int(valve["sentence"].split(":")[1].split()[0]) > 20  # so many things were really tried


def test_people_read_one_line_each_and_what_to_do(fresh: Room) -> None:
    said = fresh.must("doctor").out
    assert "✓ kernel valve" in said
    assert "· scanner" in said
    assert "→ Install clamd" in said
    assert max(map(len, said.splitlines())) <= 110


def test_without_a_workspace_the_kernel_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRANSFER_WORKSPACE", raising=False)
    answer = call("doctor", "--json")
    assert answer.code == 0
    assert stands(answer, "kernel valve") == {"ok"}
    assert call("doctor", "-w", tmp_path / "nowhere").code == 2


def move_release_away(room: Room) -> None:
    (room.root / "release").rename(room.root / "elsewhere")


def fill(room: Room) -> None:
    setting(room, "intake", "min_free_bytes = 9007199254740992")


def name_a_scanner(room: Room) -> None:
    text = room.workspace.settings_file.read_text()
    room.workspace.settings_file.write_text(text.replace('kind = "none"', 'kind = "clamd"\nsocket = "/nowhere/clamd"'))


def other_origin(room: Room) -> None:
    setting(room, "gateway", 'origin = "another.example/audit"')


def change_policy(room: Room) -> None:
    text = room.workspace.policy_file.read_text()
    room.workspace.policy_file.write_text(text + "\n[approval]\nquorum = 2\n")


def foreign_log(room: Room) -> None:
    other = Room(room.root.parent / "other")
    assert call("init", other.root, "--demo").code == 0
    shutil.rmtree(room.root / "log")
    shutil.copytree(other.root / "log", room.root / "log")


FAULTS: dict[str, tuple[str, str, int, Callable[[Room], object]]] = {
    "staging gone": ("folders", "unavailable", 3, lambda room: shutil.rmtree(room.root / "staging")),
    "release gone": ("folders", "unavailable", 3, move_release_away),
    "a full disk": ("disk", "unavailable", 3, fill),
    "no such scanner": ("scanner", "note", 0, name_a_scanner),  # the demo's policy goes on without one
    "another origin": ("keys", "misconfigured", 2, other_origin),
    "a changed policy": ("policy", "note", 0, change_policy),
    "a readable key": ("workspace", "misconfigured", 2, lambda room: (room.workspace.keys / "log.key").chmod(0o644)),
    "an unknown setting": ("workspace", "misconfigured", 2, lambda room: setting(room, "intake", "setle_seconds = 1")),
    "a file in the log": ("log", "tampered", 4, lambda room: (room.root / "log" / "x").write_text("x")),
    "another log": ("log", "tampered", 4, foreign_log),
    "a damaged database": (
        "workspace",
        "tampered",
        4,
        lambda room: room.workspace.database.write_bytes(b"not a database" * 1000),
    ),
}


@pytest.mark.parametrize(("name", "status", "code", "spoil"), FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_is_found(fresh: Room, name: str, status: str, code: int, spoil: Callable[[Room], object]) -> None:
    spoil(fresh)
    answer = fresh.call("doctor", "--json")
    assert status in stands(answer, name), answer.out
    assert answer.code == code, answer.out
    assert answer.json["ok"] is (code == 0)
    for check in answer.json["checks"]:
        assert check["sentence"]
        assert check["status"] == "ok" or check["advice"], check
    assert "ok" in stands(answer, "kernel valve")  # one fault does not keep the rest from being tried


def test_a_clock_behind_the_log_is_found(fresh: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    from transfer.wiring import SystemClock

    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime(2001, 1, 1, tzinfo=UTC))
    answer = fresh.call("doctor", "--json")
    assert stands(answer, "clock") == {"misconfigured"}
    assert answer.code == 2


def test_a_pause_is_mentioned(fresh: Room) -> None:
    fresh.must("pause", "--as", "helen", "--key", fresh.key, "--reason", "an incident")
    answer = fresh.call("doctor", "--json")
    assert answer.code == 0
    assert stands(answer, "device") == {"ok", "note"}


@pytest.fixture
def clamd() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cl") as folder, running_clamd(Path(folder)) as socket:
        yield socket


@pytest.mark.clamd
@pytest.mark.skipif(CLAMD is None, reason="clamd is not installed")
def test_a_real_scanner_is_shown_the_test_file(tmp_path: Path, clamd: Path) -> None:
    room = Room(tmp_path / "w")
    assert call("init", room.root, "--demo", "--clamd", clamd).code == 0
    answer = room.call("doctor", "--json")
    sentences = [check["sentence"] for check in checks(answer, "scanner")]
    # Its one signature has no date, so how old it is cannot be known; that it was asked is seen by its version.
    assert any("ClamAV" in sentence for sentence in sentences), sentences


def running(room: Room, *what: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "transfer", *what, "-w", str(room.root)]
    env = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until(room: Room, status: set[str], within: float = 30) -> Answer:
    import time

    end = time.monotonic() + within
    while True:
        answer = room.call("doctor", "--json")
        if stands(answer, "running") == status or time.monotonic() > end:
            return answer
        time.sleep(0.3)


def test_gateway_and_guard_are_seen_each_as_a_process_of_its_own(fresh: Room) -> None:
    """As two systemd units would start them (docs/operating.md)."""
    gateway = running(fresh, "process", "gateway")
    try:
        answer = wait_until(fresh, {"ok", "unavailable"})
        assert stands(answer, "running") == {"ok", "unavailable"}
        assert answer.code == 3
        assert "No guard" in answer.out
        guard = running(fresh, "process", "guard")
        try:
            answer = wait_until(fresh, {"ok"})
            assert stands(answer, "running") == {"ok"}
            assert len(checks(answer, "running")) == 2
            assert answer.code == 0
        finally:
            guard.terminate()
            guard.wait(20)
    finally:
        gateway.terminate()
        gateway.wait(30)

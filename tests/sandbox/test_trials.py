"""The trials that `transfer doctor` shows: they see a valve that holds, and one that does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from transfer.errors import Unavailable
from transfer.sandbox import confine, trials
from transfer.sandbox.confine import ChildLimits, measure_baseline
from transfer.sandbox.profiles import DriveGuardPaths, GatewayPaths, GuardPaths, kernel_support
from transfer.sandbox.trials import Trial, try_child, try_valve

pytestmark = pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot enforce the valve")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[GatewayPaths, GuardPaths]:
    for name in ("staging", "release", "aside", "state", "keys"):
        (tmp_path / name).mkdir()
    gateway = GatewayPaths(
        staging=(tmp_path / "staging",),
        readable=(tmp_path / "keys",),
        owned=(tmp_path / "state",),
        release=tmp_path / "release",
    )
    return gateway, GuardPaths(release=tmp_path / "release", aside=tmp_path / "aside")


def failing(found: list[Trial]) -> set[tuple[str, str]]:
    return {(trial.who, trial.what) for trial in found if not trial.holds}


def test_everything_holds_and_nothing_is_left(folders: tuple[GatewayPaths, GuardPaths], tmp_path: Path) -> None:
    found = try_valve(*folders)
    assert failing(found) == set()
    assert {trial.who for trial in found} == {"gateway", "guard", "child"}
    assert any(trial.must_work for trial in found)
    assert any(not trial.must_work for trial in found)
    assert all(trial.expected in {"works", "is refused"} for trial in found)
    assert [list(folder.iterdir()) for folder in tmp_path.iterdir()] == [[]] * 5


def test_an_open_valve_is_seen(folders: tuple[GatewayPaths, GuardPaths], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "confine_gateway", lambda _paths: None)
    monkeypatch.setattr(trials, "confine_guard", lambda _paths: None)
    seen = failing(try_valve(*folders))
    assert ("gateway", "read a file in the release folder") in seen
    assert ("gateway", "write in the staging folder staging") in seen
    assert ("guard", "read state") in seen


@pytest.fixture
def drive(tmp_path: Path) -> tuple[GatewayPaths, DriveGuardPaths]:
    """The device's side in OneDrive: no folder there, a key for each of the two."""
    for name in ("staging", "state", "keys", "etc", "shared"):
        (tmp_path / name).mkdir()
    writer, guard = tmp_path / "etc" / "writer.pem", tmp_path / "etc" / "guard.pem"
    writer.touch()
    guard.touch()
    shared = tmp_path / "shared"
    gateway = GatewayPaths(
        staging=(tmp_path / "staging",),
        readable=(tmp_path / "keys", writer, shared),
        owned=(tmp_path / "state",),
        release=None,
    )
    return gateway, DriveGuardPaths(readable=(guard, shared), connect_tcp=(443,))


def test_the_guard_of_a_drive_reads_its_key_alone_and_the_gateway_reads_every_other(
    drive: tuple[GatewayPaths, DriveGuardPaths],
) -> None:
    found = try_valve(*drive)
    assert failing(found) == set()
    told = {(trial.who, trial.what, trial.must_work) for trial in found}
    assert {
        ("guard", "read guard.pem", True),
        ("guard", "read writer.pem", False),
        ("guard", "read keys", False),
        ("guard", "read staging", False),
        ("guard", "write in state", False),
        ("guard", "connect to another TCP port", False),
        ("gateway", "read the return guard's guard.pem", False),
    } <= told
    assert not any("shared" in what for _, what, _ in told), "what names and TLS take is for both"


def test_a_guard_s_key_that_the_gateway_can_read_is_seen(
    drive: tuple[GatewayPaths, DriveGuardPaths], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "confine_gateway", lambda _paths: None)
    monkeypatch.setattr(trials, "confine_drive_guard", lambda _paths: None)
    seen = failing(try_valve(*drive))
    assert {
        ("gateway", "read the return guard's guard.pem"),
        ("guard", "read writer.pem"),
        ("guard", "write in state"),
    } <= seen


def test_an_open_child_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "confine_child", lambda *_: None)
    assert ("child", "open a file") in failing(try_child())


def test_a_profile_that_cannot_be_taken_is_one_failed_trial(
    folders: tuple[GatewayPaths, GuardPaths], tmp_path: Path
) -> None:
    gateway, guard = folders
    os.rmdir(tmp_path / "aside")
    found = [trial for trial in try_valve(gateway, guard) if trial.who == "guard"]
    assert [trial.what for trial in found] == ["confine itself"]
    assert not found[0].holds
    assert "aside" in found[0].observed


def test_a_file_system_without_unnamed_files_is_tried_on_what_is_there(
    folders: tuple[GatewayPaths, GuardPaths], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise trials._NothingToTryOn

    monkeypatch.setattr(trials, "_unnamed", unsupported)
    reading = "read a file in the release folder"
    by_name = {trial.what: trial for trial in try_valve(folders[0], None)}
    assert by_name[reading].holds is None  # nothing there to try it on: said, not passed over
    (tmp_path / "release" / "manifest.note").write_bytes(b"x")
    by_name = {trial.what: trial for trial in try_valve(folders[0], None)}
    assert by_name[reading].holds is True


def test_a_child_without_a_filter_is_refused_unless_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("process_control", "_limit_resources", "_drop_capabilities", "no_new_privileges", "restrict"):
        monkeypatch.setattr(confine, name, lambda *_, called=name: done.append(called))
    baseline = confine.Baseline(data=1, address_space=1)
    with pytest.raises(Unavailable):
        confine.confine_child(ChildLimits(), baseline, None)
    confine.confine_child(ChildLimits(), baseline, None, prefer=True)
    monkeypatch.setattr(confine, "interface_version", lambda: 0)
    done.clear()
    confine.confine_child(ChildLimits(), baseline, None, prefer=True)
    assert "restrict" not in done
    assert "_limit_resources" in done


def test_the_baseline_is_what_the_process_has() -> None:
    facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    measured = measure_baseline()
    for ours, theirs in ((measured.data, "VmData"), (measured.address_space, "VmSize")):
        assert abs(ours - int(facts[theirs].split()[0]) * 1024) < 4 << 20

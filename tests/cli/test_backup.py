"""`transfer backup`, `transfer restore`, and going on after a restore: the log never tells two stories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import approve
from tests.cli.rooms import Room, call
from transfer.approvals.people import listing
from transfer.approvals.statement_keys import make_key, render_public_key
from transfer.model.states import State


def events(room: Room, event: str) -> list[dict[str, object]]:
    answer = room.must("audit", "show", "--event", event, "--json")
    return list(answer.json["entries"])


@pytest.fixture
def backup(room: Room, tmp_path: Path) -> Path:
    """A backup of the workspace as it is before anything else happens."""
    room.must("backup", tmp_path / "backup")
    return tmp_path / "backup"


def restored(backup: Path, root: Path) -> Room:
    answer = call("restore", backup, "--to", root)
    assert answer.code == 0, answer
    return Room(root)


def test_there_and_back_with_entries(room: Room, backup: Path, tmp_path: Path) -> None:
    made = events(room, "backup.made")[0]
    again = restored(backup, tmp_path / "again")
    facts = made["facts"]
    assert isinstance(facts, dict)
    assert facts["keys"] is True
    assert facts["files"] > 5
    assert again.call("audit", "verify").code == 0
    again.must("audit", "adopt")
    assert [entry["event"] for entry in events(again, "backup")] == ["backup.restored"]
    assert {name: row.state for name, row in again.items().items()} == {
        name: row.state for name, row in room.items().items()
    }
    again.must("audit", "verify")


def test_the_drill_of_the_handbook(room: Room, tmp_path: Path) -> None:
    """The commands of docs/operating.md, as they stand there, on real processes, until a file goes out again."""
    handbook = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    block = handbook.partition("<!-- drill -->")[2].partition("```sh\n")[2].partition("```")[0]
    commands = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    assert len(commands) >= 5
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "transfer"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m transfer "$@"\n')
    program.chmod(0o755)
    room.root.rename(tmp_path / "gateway")
    here = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["/bin/sh", "-euc", "\n".join(commands)], cwd=tmp_path, env=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    drilled = Room(tmp_path / "drill")
    assert (
        drilled.state("approved.txt") is State.RELEASED
    )  # what was approved at the backup went out of the restored one
    assert (drilled.root / "release" / "approved.txt").is_file()
    assert list((drilled.root / "feedback").rglob("*held.txt*"))  # and staff are told anew


def test_while_a_gateway_runs_it_is_consistent(room: Room, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "transfer", "run", "-q", "-w", str(room.root)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for number in range(6):
            (room.root / "staging" / "open-day" / f"more-{number}.txt").write_text(f"More of it: {number}\n")
            while f"more-{number - 1}.txt" not in room.items() and number:
                time.sleep(0.02)  # the one before is on its way just now
                assert running.poll() is None
            folder = tmp_path / f"backup-{number}"
            room.must("backup", folder)
            again = restored(folder, tmp_path / f"again-{number}")
            again.must("audit", "verify")
            assert len(again.items()) >= 4 + number
    finally:
        running.terminate()
        assert running.wait(30) == 0


def test_without_its_keys_a_backup_says_what_is_missing(room: Room, tmp_path: Path) -> None:
    said = room.must("backup", tmp_path / "backup", "--without-keys").out
    assert "holds no keys" in said
    answer = call("restore", tmp_path / "backup", "--to", tmp_path / "again")
    assert answer.code == 0
    assert "put log.key and first-approver.vkey back" in answer.out
    again = Room(tmp_path / "again")
    assert again.call("status").code == 2  # with a sentence about the key that is missing
    for key in ("log.key", "first-approver.vkey"):
        shutil.copy2(room.workspace.keys / key, again.workspace.keys / key)
    again.must("audit", "verify")


def test_a_restored_workspace_appends_nothing_before_somebody_says_so(room: Room, backup: Path, tmp_path: Path) -> None:
    again = restored(backup, tmp_path / "again")
    key = room.key
    held = again.items()["held.txt"].item
    for arguments in (
        ("approve", held, "--as", "helen", "--key", key, "--public", "--risk", "low"),
        ("pause", "--as", "helen", "--key", key, "--reason", "x"),
        ("backup", tmp_path / "second"),
        ("run", "--once", "-q"),
    ):
        answer = again.call(*arguments)
        assert answer.code == 2, (arguments, answer)
    answer = again.call("pause", "--as", "helen", "--key", key, "--reason", "x")
    assert "was restored from the backup of" in answer.err
    assert "audit adopt" in answer.err
    assert len(again.must("status", "--json").json["items"]) == 4  # looking is allowed
    assert again.call("doctor").code == 2
    again.must("audit", "adopt")
    again.must("approve", held, "--as", "helen", "--key", key, "--public", "--risk", "low")
    assert again.call("audit", "adopt").code == 1  # nothing is left to be said


def test_what_the_log_decided_since_the_backup_holds(room: Room, backup: Path, tmp_path: Path) -> None:
    """Nothing that was withdrawn, refused or forbidden after the backup comes back by restoring it."""
    names = room.items()
    who = ("--as", "helen", "--key", room.key)
    room.must("withdraw", names["approved.txt"].item, *who, "--reason", "the wrong one")
    room.must("refuse", names["asked.txt"].item, *who, "--reason", "not public")
    approve(room, "held")
    room.must("pause", *who, "--reason", "an incident")
    room.publish()
    again = restored(backup, tmp_path / "again")
    shutil.rmtree(again.root / "log")
    shutil.copytree(room.root / "log", again.root / "log")
    start = again.call("run", "--once", "-q")
    assert start.code == 4  # and the child says it: see the next test
    answer = again.must("audit", "adopt", "--json").json
    assert answer["taken_over"] == answer["entries"] - 1 - entries(backup) - 1  # less the refusal's own new entry
    assert set(answer["changed"]) == {names["approved.txt"].item, names["asked.txt"].item}
    assert again.state("asked.txt") is State.REFUSED
    assert again.state("held.txt") is State.HELD
    again.must("audit", "verify")
    paused = again.call("resume", *who, "--reason", "over")
    assert paused.code == 0, paused
    again.gateway()
    assert again.state("approved.txt") is State.WITHDRAWN
    assert not (again.root / "release" / "approved.txt").exists()
    again.must("audit", "verify")


def entries(backup: Path) -> int:
    return int((backup / "log" / "checkpoint").read_text().splitlines()[1])


def test_start_says_that_the_log_was_published_further(
    room: Room, backup: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    room.publish()
    again = restored(backup, tmp_path / "again")
    shutil.rmtree(again.root / "log")
    shutil.copytree(room.root / "log", again.root / "log")
    assert again.call("run", "--once", "-q").code == 4
    said = capfd.readouterr().err
    assert "rolled back" in said
    assert "audit adopt" in said
    doctor = again.call("doctor")
    assert doctor.code == 4


def test_the_newest_log_may_lie_elsewhere(room: Room, backup: Path, tmp_path: Path) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    room.publish()
    again = restored(backup, tmp_path / "again")
    elsewhere = shutil.copytree(room.root / "log", tmp_path / "auditors-copy")
    assert again.call("audit", "adopt", "--log", tmp_path).code == 1
    assert again.must("audit", "adopt", "--log", elsewhere, "--json").json["taken_over"] == 2  # with backup.made
    again.must("audit", "verify")
    older = elsewhere / "checkpoint"
    answer = call("audit", "verify", again.root / "log", "--vkey", again.vkey, "--older", older)
    assert answer.code == 0  # what auditors hold is the beginning of the log that goes on


def test_people_enrolled_since_keep_their_rights_and_lose_their_names(room: Room, backup: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "dora.key", entropy=os.urandom)
    public = tmp_path / "dora.pub"
    public.write_text(render_public_key(key.public_key))
    who = ("--as", "helen", "--key", room.key)
    added = room.call("people", "add", "dora", "--role", "approver", "--public-key", public, *who)
    assert added.code == 0, added
    room.publish()
    again = restored(backup, tmp_path / "again")
    again.must("audit", "adopt", "--log", room.root / "log")
    with again.site() as site, site.db.read() as tx:
        found = {person.public_key: person for person in listing(tx, desk=site.desk)}
    assert found[key.public_key].signs == ("approver",)
    assert found[key.public_key].name is None


def test_a_log_that_goes_another_way_is_not_adopted(room: Room, backup: Path, tmp_path: Path) -> None:
    """Two copies that both went on: whoever comes second is told, and nothing is signed."""
    first = restored(backup, tmp_path / "first")
    second = restored(backup, tmp_path / "second")
    for each in (first, second):
        each.must("audit", "adopt")
    before = (second.root / "log" / "checkpoint").read_text()
    room.publish()
    answer = second.call("audit", "adopt", "--log", first.root / "log")
    assert answer.code in {1, 4}
    first.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    first.publish()
    answer = second.call("audit", "adopt", "--log", first.root / "log")
    assert answer.code == 4, answer
    assert (second.root / "log" / "checkpoint").read_text() == before
    second.must("audit", "verify")


def test_an_altered_backup_is_not_restored_and_nothing_is_written(backup: Path, tmp_path: Path) -> None:
    path = backup / "log" / "checkpoint"
    path.write_text(path.read_text().replace("audit", "audiz"))
    answer = call("restore", backup, "--to", tmp_path / "again")
    assert answer.code == 4
    assert "log/checkpoint was changed" in answer.err
    assert not (tmp_path / "again").exists()


def test_what_a_backup_lacks_is_said(room: Room, backup: Path, tmp_path: Path) -> None:
    digest = str(room.items()["held.txt"].rebuilt_sha256)
    listed = (backup / "MANIFEST.sha256").read_text().splitlines()
    assert any(line.endswith(f"{digest}") for line in listed)
    shutil.rmtree(room.workspace.clean / digest[:2])
    room.must("backup", tmp_path / "thin")
    answer = call("restore", tmp_path / "thin", "--to", tmp_path / "again")
    assert answer.code == 0
    assert room.items()["held.txt"].item in answer.out


@pytest.mark.parametrize("where", ["state", "staging/b", "release/b", "release-aside/b", ""])
def test_a_backup_lies_where_only_the_operator_reads(room: Room, where: str) -> None:
    answer = room.call("backup", room.root / where)
    assert answer.code == 2
    assert not events(room, "backup.made")


def test_where_to_restore_must_be_said_and_be_empty(room: Room, backup: Path, tmp_path: Path) -> None:
    assert call("restore", backup).code == 2
    assert call("restore", backup, "--to", room.root).code == 2
    assert call("restore", backup, "--to", backup / "inside").code == 2
    assert call("restore", tmp_path / "nowhere", "--to", tmp_path / "again").code == 2
    answer = call("restore", backup, "--to", tmp_path / "again", "--json")
    assert answer.code == 0
    assert answer.json["incomplete"] == []


def test_campaigns_and_devices_are_as_the_log_left_them(room: Room, backup: Path, tmp_path: Path) -> None:
    room.must("campaign", "close", "open-day", "--as", "helen", "--key", room.key, "--reason", "it is over")
    room.must("device", "add", "phone")
    room.must("device", "disable", "ipad")
    room.publish()
    again = restored(backup, tmp_path / "again")
    again.must("audit", "adopt", "--log", room.root / "log")
    before, after = (place.must("campaign", "list", "--json").json["campaigns"] for place in (room, again))
    assert [campaign["standing"] for campaign in after] == [campaign["standing"] for campaign in before]
    assert after[0]["standing"] != "approved"
    devices = {one["device"]: one["disabled_at"] for one in again.must("device", "list", "--json").json["devices"]}
    assert devices["phone"] is None
    assert devices["ipad"] is not None


def test_a_crash_at_any_line_of_going_on_is_made_good_by_repeating(
    room: Room, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = room.items()["approved.txt"].item
    room.must("withdraw", item, "--as", "helen", "--key", room.key, "--reason", "the wrong one")
    room.publish()
    for number, place in enumerate(
        ("adopt", "Publisher.check_start", "_settle", "Publisher.sign", "Publisher.publish")
    ):
        again = restored(backup, tmp_path / f"again-{number}")
        with monkeypatch.context() as patch:
            patch.setattr(f"transfer.restoring.{place}", crash)
            assert again.call("audit", "adopt", "--log", room.root / "log").code == 3  # a defect, to a user
        repeated = again.call("audit", "adopt", "--log", room.root / "log")
        settled = place.startswith("Publisher.") and place != "Publisher.check_start"
        assert repeated.code == (1 if settled else 0), (place, repeated)
        again.publish()
        again.must("audit", "verify")
        assert [entry["event"] for entry in events(again, "backup")].count("backup.restored") == 1
        assert again.call("approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low").code == 1


def crash(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("the power went out")

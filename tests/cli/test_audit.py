"""`transfer audit`: what verifies, what does not, with which exit code; looking and proving."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call
from transfer.store.durable import TEMPORARY_PREFIX


def last_line(room: Room) -> str:
    return (room.root / "log" / "checkpoint").read_text()


def test_a_workspace_verifies_with_counts(room: Room) -> None:
    answer = room.must("audit", "verify", "--json")
    facts = answer.json
    assert facts["verified"] is True
    assert facts["approvals"]["releases"] == 1
    assert facts["approvals"]["statements"] == 4  # enrolment, campaign, two approvals
    assert facts["folder"]["entries"] == facts["database"]["entries"] > 20
    assert facts["database"]["unpublished"] == 0
    said = room.must("audit", "verify").out
    assert "1 release, each covered" in said
    assert (room.workspace.keys / "first-approver.vkey").read_text().strip() in said


def test_a_copied_log_needs_no_workspace(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shutil.copytree(room.root / "log", tmp_path / "elsewhere" / "copy")
    monkeypatch.chdir(log.parent)
    monkeypatch.delenv("TRANSFER_WORKSPACE", raising=False)
    text = room.vkey.read_text().strip()
    for vkey in (text, str(room.vkey)):
        answer = call("audit", "verify", log, "--vkey", vkey, "--json")
        assert answer.code == 0, answer
        assert answer.json["database"] is None
        assert answer.json["approvals"]["releases"] == 1
    first = room.workspace.keys / "first-approver.vkey"
    assert call("audit", "verify", log, "--vkey", text, "--first-approver", first).code == 0
    assert call("audit", "verify", log, "--vkey", text, "--origin", "other.example").code == 4


def test_verifying_without_a_key_is_misuse_and_says_why(room: Room) -> None:
    answer = call("audit", "verify", room.root / "log")
    assert answer.code == 2
    assert "--vkey" in answer.err


def test_another_first_approver_is_found(room: Room, lived: Room, tmp_path: Path) -> None:
    other = Room(tmp_path / "other")
    assert call("init", other.root, "--demo").code == 0
    key = other.workspace.keys / "first-approver.vkey"
    answer = call("audit", "verify", room.root / "log", "--vkey", room.vkey, "--first-approver", key)
    assert answer.code == 4
    assert "first" in answer.err.lower()


def test_another_log_key_is_found(room: Room, tmp_path: Path) -> None:
    other = Room(tmp_path / "other")
    assert call("init", other.root, "--demo").code == 0
    assert call("audit", "verify", room.root / "log", "--vkey", other.vkey).code == 4


def test_an_unpublished_tail_is_normal_and_said(room: Room) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    answer = room.must("audit", "verify")
    assert "while a gateway runs: 1 newer entry." in answer.out
    assert room.must("audit", "verify", "--json").json["database"]["unpublished"] == 1


def test_what_a_crash_leaves_half_written_is_normal_and_said(room: Room) -> None:
    (room.root / "log" / f"{TEMPORARY_PREFIX}checkpoint").write_text("half")
    answer = room.must("audit", "verify")
    assert "Half written" in answer.out
    assert room.must("audit", "verify", "--json").json["folder"]["unfinished"] == 1


def test_a_crash_while_publishing_is_normal(room: Room) -> None:
    """Tiles that a checkpoint does not speak of yet are compared with the database."""
    before = last_line(room)
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    room.publish()
    (room.root / "log" / "checkpoint").write_text(before)
    answer = room.call("audit", "verify")
    assert answer.code == 4
    assert "rolled back" in answer.err  # the database knows that it was published, which a crash before it does not
    with sqlite3.connect(room.workspace.database) as db:
        db.execute("UPDATE audit_head SET published = ?", (int(before.split("\n")[1]),))
    db.close()
    assert room.call("audit", "verify").code == 0


def one_bundle(room: Room) -> Path:
    return max((room.root / "log" / "tile" / "entries").rglob("*.p")).joinpath(
        max(os.listdir(max((room.root / "log" / "tile" / "entries").rglob("*.p"))))
    )


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forge_tail(room: Room) -> None:
    """An entry after the checkpoint that the database never had, in a bundle of its own making."""
    bundle = one_bundle(room)
    entry = b'{"at":"2999-01-01T00:00:00.000Z","event":"file.released","i":%d,"v":1}' % int(bundle.name)
    content = bundle.read_bytes() + len(entry).to_bytes(2, "big") + entry
    bundle.with_name(str(int(bundle.name) + 1)).write_bytes(content)


ALTERED: dict[str, Callable[[Room], None]] = {
    "an altered entry": lambda room: flip(one_bundle(room)),
    "an altered tile": lambda room: flip(next((room.root / "log" / "tile" / "0").rglob("*.p/*"))),
    "an altered checkpoint": lambda room: flip(room.root / "log" / "checkpoint"),
    "an altered key": lambda room: flip(room.vkey),
    "a missing entry bundle": lambda room: one_bundle(room).unlink(),
    "a missing tile": lambda room: next((room.root / "log" / "tile" / "0").rglob("*.p/*")).unlink(),
    "a missing checkpoint": lambda room: (room.root / "log" / "checkpoint").unlink(),
    "a missing folder": lambda room: shutil.rmtree(room.root / "log"),
    "an empty folder": lambda room: (shutil.rmtree(room.root / "log"), (room.root / "log").mkdir())[0],
    "a missing key": lambda room: room.vkey.unlink(),
    "an unknown file": lambda room: (room.root / "log" / "notes.txt").write_text("x") and None,
    "an unknown tile": lambda room: (room.root / "log" / "tile" / "0" / "007").write_bytes(b"x" * 8192) and None,
    "a link": lambda room: (room.root / "log" / "tile" / "9").symlink_to(room.root),
    "a forged tail": forge_tail,
}


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED.keys())
def test_whatever_is_altered_missing_or_unknown_is_found(room: Room, change: Callable[[Room], None]) -> None:
    change(room)
    answer = room.call("audit", "verify", "--json")
    assert answer.code == 4, answer
    assert answer.json["verified"] is False
    assert answer.json["problem"] in answer.err


EDITED = {
    "an entry": "UPDATE audit_entry SET leaf = replace(leaf, 'open-day', 'open-dax') "
    "WHERE i = (SELECT min(i) FROM audit_index WHERE event = 'file.spooled')",
    "a hash": "UPDATE audit_entry SET h = zeroblob(32) WHERE i = 3",
    "the index": "UPDATE audit_index SET event = 'file.held' WHERE i = 8",
    "the last entry gone": "DELETE FROM audit_entry WHERE i = (SELECT max(i) FROM audit_entry)",
}


@pytest.mark.parametrize("statement", EDITED.values(), ids=EDITED.keys())
def test_an_edited_row_is_found(room: Room, statement: str) -> None:
    with sqlite3.connect(room.workspace.database) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{name}"')
        changed = db.execute(
            statement.replace("replace(leaf", "CAST(replace(CAST(leaf AS TEXT)").replace(
                "'open-dax')", "'open-dax') AS BLOB)"
            )
        )
        assert changed.rowcount == 1
    db.close()
    assert room.call("audit", "verify").code == 4
    assert call("audit", "verify", room.root / "log", "--vkey", room.vkey).code == 0  # the published one is untouched


def test_a_rolled_back_database_is_found_and_says_how_to_go_on(room: Room, lived: Room) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    room.publish()
    room.roll_back_to(lived)
    answer = room.call("audit", "verify")
    assert answer.code == 4
    assert "rolled back" in answer.err
    assert "audit adopt" in answer.err


def test_a_kept_checkpoint_must_be_the_beginning(room: Room, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint.kept"
    kept.write_text(last_line(room))
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    room.publish()
    assert call("audit", "verify", room.root / "log", "--vkey", room.vkey, "--since", kept).code == 0
    answer = call("audit", "verify", room.root / "log", "--vkey", room.vkey, "--older", kept)
    assert answer.code == 0
    assert "The checkpoint you kept" in answer.out
    newer = tmp_path / "newer"
    newer.write_text(last_line(room))
    (room.root / "log" / "checkpoint").write_text(kept.read_text())
    assert call("audit", "verify", room.root / "log", "--vkey", room.vkey, "--older", newer).code == 4


def test_nothing_to_verify_is_no(tmp_path: Path, room: Room) -> None:
    (tmp_path / "empty").mkdir()
    assert call("audit", "verify", tmp_path / "nowhere", "--vkey", room.vkey).code == 1
    assert call("audit", "verify", tmp_path / "empty", "--vkey", room.vkey).code == 1


def test_show_finds_by_item_file_event_and_time(room: Room) -> None:
    row = room.items()["released.txt"]
    entries = room.must("audit", "show", "--item", row.item, "--json").json["entries"]
    events = [entry["event"] for entry in entries]
    assert events[0] == "original.retired"
    assert events[-1] == "file.spooled"
    assert entries[-1]["private"] == {"name": "released.txt"}
    by_file = room.must("audit", "show", "--sha256", str(row.rebuilt_sha256), "--json").json["entries"]
    assert [entry["i"] for entry in by_file] == [entry["i"] for entry in entries]
    released = room.must("audit", "show", "--event", "file.released", "--json").json["entries"]
    assert [entry["item"] for entry in released] == [row.item]
    group = room.must("audit", "show", "--event", "gateway", "--json").json["entries"]
    assert {entry["event"] for entry in group} == {"gateway.initialised", "gateway.started", "gateway.stopped"}
    assert room.must("audit", "show", "--since", "2999-01-01", "--json").json == {"entries": [], "more": False}
    two = room.must("audit", "show", "--limit", "2", "--json").json
    assert (len(two["entries"]), two["more"]) == (2, True)
    assert two["entries"][0]["i"] > two["entries"][1]["i"]


def test_show_fits_a_narrow_terminal_and_names_people(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = room.must("audit", "show").out
    assert max(map(len, said.splitlines())) <= 80
    assert "by sam" in said
    assert "by helen" in said


def test_show_reads_a_copied_log_without_a_workspace(room: Room, tmp_path: Path) -> None:
    log = shutil.copytree(room.root / "log", tmp_path / "copy")
    answer = call("audit", "show", log, "--event", "file.released", "--json")
    assert answer.code == 0
    assert [entry["item"] for entry in answer.json["entries"]] == [room.items()["released.txt"].item]
    assert answer.json["entries"][0]["private"] == {}
    assert answer.json["entries"][0]["erased"] == 1
    assert call("audit", "show", tmp_path / "nowhere").code == 1


@pytest.mark.parametrize(
    "arguments", [("--item", "x"), ("--sha256", "abc"), ("--event", "file.relaesed"), ("--since", "yesterday")]
)
def test_what_cannot_be_looked_for_is_misuse_with_advice(room: Room, arguments: tuple[str, str]) -> None:
    answer = room.call("audit", "show", *arguments)
    assert answer.code == 2
    assert "→" in answer.err or "well formed" in answer.err


def test_a_receipt_proves_the_release_to_anybody_with_the_key(room: Room, tmp_path: Path) -> None:
    row = room.items()["released.txt"]
    receipt = tmp_path / "release.tlog-proof"
    room.must("audit", "prove", row.item, "--out", receipt)
    answer = call("audit", "verify", receipt, "--vkey", room.vkey, "--json")
    assert answer.code == 0
    assert (answer.json["entry"]["event"], answer.json["entry"]["item"]) == ("file.released", row.item)
    assert room.must("audit", "prove", "--sha256", str(row.rebuilt_sha256)).out == receipt.read_text()
    assert room.must("audit", "prove", "--entry", "0").out.splitlines()[2] == "index 0"
    flip(receipt)
    assert call("audit", "verify", receipt, "--vkey", room.vkey).code == 4
    assert room.call("audit", "prove", row.item, "--out", receipt).code == 2  # never over another file


def test_what_is_not_signed_yet_cannot_be_proven(room: Room) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    newest = room.must("audit", "show", "--limit", "1", "--json").json["entries"][0]["i"]
    answer = room.call("audit", "prove", "--entry", str(newest))
    assert answer.code == 1
    assert "not signed yet" in answer.err
    assert room.call("audit", "prove").code == 2
    assert room.call("audit", "prove", "i-00000000").code == 1


def test_as_a_real_command_with_nothing_but_json_on_standard_output(room: Room, tmp_path: Path) -> None:
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "transfer", "audit", "verify", str(room.root / "log"), "--vkey", str(room.vkey)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, cwd=tmp_path, env=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verified"] is True
    (room.root / "log" / "extra").write_text("x")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, cwd=tmp_path, env=here)
    assert done.returncode == 4
    assert json.loads(done.stdout)["verified"] is False


def test_what_the_auditors_handbook_says_can_be_typed(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of docs/auditing.md as it stands there, but for item and hash, in a folder with a copied log."""
    handbook = (Path(__file__).parents[2] / "docs" / "auditing.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", handbook, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 8
    desk = tmp_path / "desk"
    shutil.copytree(room.root / "log", desk / "log")
    shutil.copy(room.vkey, desk / "log.vkey")
    shutil.copy(room.workspace.keys / "first-approver.vkey", desk)
    monkeypatch.chdir(desk)
    monkeypatch.setenv("TRANSFER_WORKSPACE", str(room.root))  # only `prove` needs it
    for line in lines:
        released = room.items()["released.txt"]
        program, *words = line.replace("ITEM", released.item).replace("HEX", str(released.rebuilt_sha256)).split()
        if program == "cp":
            shutil.copy(*words)
            continue
        answer = call(*words)
        assert answer.code == 0, (line, answer)
        assert answer.out

"""The log's signing key kept elsewhere: in a file outside of the workspace, or handed over as systemd does it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import approve
from tests.cli.rooms import Answer, Room, call
from tests.cli.test_formats import fits
from transfer.audit.access_list import ATTRIBUTE, lets_others_in
from transfer.audit.keys import create_key, load_key
from transfer.audit.notes import parse_vkey
from transfer.audit.shards import may_follow
from transfer.auditing import audit_folder
from transfer.errors import Misuse
from transfer.log_settings import key_place
from transfer.model.states import State
from transfer.sandbox.profiles import gateway_grants
from transfer.wiring import LOG_KEY, SystemClock, gateway_paths

ORIGIN = "h.example/audit/2099"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Its log's key is elsewhere since its beginning. Do not change it."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "keys").mkdir(mode=0o700)
    room = Room(folder / "w")
    made = call("init", room.root, "--demo", "--origin", ORIGIN, "--log-key", folder / "keys" / "a.key")
    assert made.code == 0, made
    assert f"{folder / 'keys' / 'a.key'}" in made.out
    (room.root / "staging" / "open-day" / "first.txt").write_text("Come and see us.\n")
    room.gateway()
    return room


@pytest.fixture
def room(founded: Room, tmp_path: Path) -> Room:
    """A copy with its own copy of the key."""
    copy = founded.copy(tmp_path / "w")
    shutil.copytree(founded.root.parent / "keys", tmp_path / "keys")
    name(copy, str(tmp_path / "keys" / "a.key"))
    return copy


def name(room: Room, key: str) -> None:
    """Writes `[log] key`."""
    file = room.workspace.settings_file
    lines = [line for line in file.read_text().splitlines() if not line.startswith("key = ")]
    lines.insert(lines.index("[log]") + 1, f'key = "{key}"')
    file.write_text("\n".join(lines) + "\n")


def key_of(room: Room) -> Path:
    return room.root.parent / "keys" / "a.key"


def start(room: Room, **environment: str) -> Answer:
    """One round of the real gateway."""
    done = subprocess.run(
        [sys.executable, "-m", "transfer", "run", "--once", "-q", "-w", str(room.root)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def test_everything_works_with_it(room: Room) -> None:
    assert room.state("first.txt") is State.HELD
    assert sorted(os.listdir(room.workspace.keys)) == ["first-approver.vkey", "log.vkey"]
    approve(room, "first")
    assert start(room).code == 0
    assert room.state("first.txt") is State.RELEASED
    assert room.must("doctor").code == 0
    assert str(key_of(room)) in room.must("doctor").out
    room.must("audit", "verify")


def test_who_only_verifies_never_reads_the_private_key(room: Room) -> None:
    key_of(room).unlink()
    room.must("audit", "verify")
    room.must("audit", "export", "--all", "--out", room.root.parent / "pack.zip")
    room.must("status")
    room.must("audit", "show")


def test_the_workspaces_own_key_is_not_read_by_who_only_verifies(room: Room) -> None:
    shutil.copy(key_of(room), room.workspace.keys / LOG_KEY)
    name(room, "")
    assert start(room).code == 0
    (room.workspace.keys / LOG_KEY).unlink()
    room.must("audit", "verify")


def test_what_start_refuses(room: Room) -> None:
    key = key_of(room)
    key.chmod(0o640)
    answer = start(room)
    assert (answer.code, "is open to others (mode 0640)" in answer.err) == (2, True)
    key.unlink()
    answer = start(room)
    assert (answer.code, f"no key file {key}" in answer.err) == (2, True)
    other = create_key(key, name=ORIGIN, entropy=os.urandom)
    answer = start(room)
    assert answer.code == 2
    assert f"holds the key {other.vkey}, and this log is signed with" in answer.err
    assert room.call("doctor").code == 2


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("log.key", "an absolute path or «credential:NAME»"),
        ("credential:", "comes the credential's name"),
        ("credential:../x", "comes the credential's name"),
        ("WORKSPACE/keys/log.key", "lies in the workspace, and is to be kept elsewhere"),
        ("WORKSPACE/release/log.key", "lies in the workspace"),
    ],
)
def test_places_that_are_none(room: Room, key: str, sentence: str) -> None:
    name(room, key.replace("WORKSPACE", str(room.root)))
    answer = room.call("status")
    assert (answer.code, sentence in answer.err) == (2, True), answer


def test_no_key_on_the_devices_side_or_in_staging(room: Room) -> None:
    outside = room.root.parent / "outside"
    shutil.move(room.root / "release", outside)
    text = room.workspace.settings_file.read_text()
    room.workspace.settings_file.write_text(text.replace('path = "release"', f'path = "{outside}"'))
    name(room, str(outside / "a.key"))
    answer = room.call("status")
    assert (answer.code, "lies in the release folder" in answer.err) == (2, True), answer


def test_a_credential(room: Room) -> None:
    name(room, "credential:log.key")
    answer = start(room)
    assert (answer.code, "$CREDENTIALS_DIRECTORY is not set" in answer.err) == (2, True)
    doctor = room.must("doctor")
    assert "which only the service is handed" in " ".join(doctor.out.split())
    room.must("audit", "verify")
    folder = room.root.parent / "handed over"
    folder.mkdir(mode=0o700)
    answer = start(room, CREDENTIALS_DIRECTORY=str(folder))
    assert (answer.code, "no key file" in answer.err) == (2, True)
    shutil.copy(key_of(room), folder / "log.key")
    assert start(room, CREDENTIALS_DIRECTORY=str(folder)).code == 0


def test_the_kernel_lets_the_gateway_read_that_file_and_none_beside_it(room: Room) -> None:
    with room.site() as site:
        readable = gateway_paths(site).readable
        assert readable == (room.workspace.keys, key_of(room))
        granted = {grant.path for grant in gateway_grants(gateway_paths(site))}
    assert key_of(room).parent not in granted


def test_no_backup_has_it(room: Room, tmp_path: Path) -> None:
    shutil.copy(key_of(room), room.workspace.keys / LOG_KEY)  # left behind when it was moved
    assert "there is a key at" in room.must("doctor").out
    said = room.must("backup", tmp_path / "backup")
    assert f"The log's key is not in it: that is kept elsewhere, {key_of(room)}" in said.out
    secret = key_of(room).read_bytes().strip()
    assert not any(secret in path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    said = call("restore", tmp_path / "backup", "--to", tmp_path / "again")
    assert (said.code, f"have it at {key_of(room)}" in said.out) == (0, True)
    again = Room(tmp_path / "again")
    again.must("audit", "verify")
    key_of(room).rename(tmp_path / "away")
    refused = again.call("audit", "adopt")
    assert (refused.code, "no key file" in refused.err) == (2, True)
    (tmp_path / "away").rename(key_of(room))
    again.must("audit", "adopt")
    assert start(again).code == 0
    told = room.must("backup", tmp_path / "more", "--json").json
    fits("backup", told)
    assert told["log_key"] == str(key_of(room))
    made = room.must("audit", "show", "--event", "backup.made", "--json").json["entries"]
    assert [(entry["facts"]["keys"], entry["facts"]["log_key"]) for entry in made] == [(True, False)] * 2
    assert "without the log's key, which is kept elsewhere" in " ".join(room.must("audit", "show").out.split())


def test_a_rotation_with_a_key_of_the_operator(room: Room) -> None:
    old, new = load_key(key_of(room)), room.root.parent / "keys" / "b.key"
    refused = room.call("audit", "rotate", "--as", "helen")
    assert (refused.code, "`transfer audit new-key --out FILE`" in refused.err) == (2, True)
    told = room.must("audit", "new-key", "--out", new, "--json").json
    fits("audit-new-key", told)
    assert (told["origin"], told["file"]) == (f"{ORIGIN}.2", str(new))
    assert new.stat().st_mode & 0o777 == 0o600
    assert load_key(new).vkey == told["vkey"]
    again = room.call("audit", "new-key", "--out", new)
    assert (again.code, "There is a key file already" in again.err) == (2, True)
    done = room.must("audit", "rotate", "--as", "helen", "--next-key", new)
    assert f"change `key` under [log] in\n{room.workspace.settings_file} to where it is, {new}" in done.out
    assert room.workspace.log_verifier.read_text() == f"{told['vkey']}\n"
    room.must("audit", "verify")  # before the settings were changed
    answer = start(room)
    assert (answer.code, f"{key_of(room)} holds the key {old.vkey}" in answer.err) == (2, True)
    name(room, str(new))
    assert start(room).code == 0
    room.must("audit", "verify")
    for key in (old.verifier, parse_vkey(told["vkey"])):
        assert len(audit_folder(room.workspace.log, [key]).sealed) == 1
    assert key_of(room).exists(), "what becomes of the old file is the operator's"


def test_keys_that_cannot_follow(room: Room) -> None:
    folder = room.root.parent / "keys"
    create_key(folder / "strange.key", name="other.example/audit/2100", entropy=os.urandom)
    refused = room.call("audit", "rotate", "--as", "helen", "--next-key", folder / "strange.key")
    assert (refused.code, "which cannot follow h.example/audit/2099" in refused.err) == (2, True)
    refused = room.call("audit", "rotate", "--as", "helen", "--next-key", key_of(room))
    assert (refused.code, "which cannot follow" in refused.err) == (2, True)
    inside = room.call("audit", "new-key", "--out", room.workspace.keys / "next.key")
    assert (inside.code, "lies in the workspace" in inside.err) == (2, True)
    far = room.call("audit", "new-key", "--out", folder / "far.key", "--year", "2150")
    assert (far.code, "cannot be prepared yet" in far.err) == (2, True)
    assert not (folder / "far.key").exists()
    assert start(room).code == 0


def test_moving_the_key_out_of_the_workspace_by_a_rotation(tmp_path: Path) -> None:
    room = Room(tmp_path / "w")
    assert call("init", room.root, "--demo", "--origin", ORIGIN).code == 0
    (tmp_path / "keys").mkdir(mode=0o700)
    new = tmp_path / "keys" / "b.key"
    room.must("audit", "new-key", "--out", new)
    done = room.must("audit", "rotate", "--as", "helen", "--next-key", new)
    assert f'under [log]: key = "{new}"' in done.out
    assert not (room.workspace.keys / LOG_KEY).exists()
    answer = start(room)
    assert (answer.code, "no key file" in answer.err) == (2, True)
    name(room, str(new))
    assert start(room).code == 0
    room.must("audit", "verify")


def test_at_the_years_end_the_gateway_goes_on_and_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer.rotation import is_due, settle

    monkeypatch.setattr(SystemClock, "now", lambda _self: datetime(2100, 1, 1, tzinfo=UTC))
    for said in (room.must("status").out, room.must("doctor").out):
        words = " ".join(said.split())
        assert "The year of the log's shard 2099 is over; its key is kept elsewhere" in words
    assert "`transfer audit rotate --next-key FILE`" in " ".join(room.must("status").out.split())
    with room.site() as site:
        assert not is_due(site)
        assert settle(site) is None
    new = room.root.parent / "keys" / "2100.key"
    assert room.must("audit", "new-key", "--out", new, "--json").json["origin"] == "h.example/audit/2100"
    room.must("audit", "rotate", "--as", "helen", "--next-key", new)
    name(room, str(new))
    assert "is over" not in room.must("doctor").out


def test_a_workspace_from_before_learns_its_verifier_key(room: Room) -> None:
    room.workspace.log_verifier.unlink()
    room.must("audit", "verify")
    assert start(room).code == 0
    assert room.workspace.log_verifier.read_text() == room.vkey.read_text()


def test_which_names_may_follow() -> None:
    assert may_follow("h/audit/2026", "h/audit/2026.2", 2026)
    assert may_follow("h/audit/2026", "h/audit/2027", 2026)
    assert may_follow("h/audit", "h/audit/2026", 2026)
    assert may_follow("h/audit/2027", "h/audit/2027.2", 2020)  # a clock that was set back
    for other in ("h/audit/2026", "h/audit/2025", "h/audit/2028", "g/audit/2027", "h/audit", "h/audit/x"):
        assert not may_follow("h/audit/2026", other, 2026)


def test_the_place_of_a_key(tmp_path: Path) -> None:
    own = tmp_path / "log.key"
    assert key_place("", own=own, environ={}).path == own
    assert key_place("credential:a", own=own, environ={"CREDENTIALS_DIRECTORY": "/run/c"}).path == Path("/run/c/a")
    for environ in ({}, {"CREDENTIALS_DIRECTORY": ""}, {"CREDENTIALS_DIRECTORY": "relative"}):
        with pytest.raises(Misuse, match="CREDENTIALS_DIRECTORY"):
            key_place("credential:a", own=own, environ=environ).require()
    with pytest.raises(Misuse):
        key_place("relative", own=own, environ={})


def access_list(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NOBODY = 0xFFFFFFFF
OWNER, GROUP, MASK, OTHER = (0x01, 4, NOBODY), (0x04, 0, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)


@pytest.mark.parametrize(
    ("content", "is_open"),
    [
        (access_list(OWNER, (0x02, 4, 1234), GROUP, MASK, OTHER), False),  # as systemd hands over a credential
        (access_list(OWNER, (0x02, 4, 1235), GROUP, MASK, OTHER), True),
        (access_list(OWNER, (0x02, 4, 1235), GROUP, (0x10, 0, NOBODY), OTHER), False),  # masked
        (access_list(OWNER, (0x02, 4, 1234), (0x04, 4, NOBODY), MASK, OTHER), True),
        (access_list(OWNER, (0x08, 4, 0), GROUP, MASK, OTHER), True),
        (access_list(OWNER, GROUP, (0x20, 4, NOBODY)), True),
        (access_list(OWNER, (0x40, 4, 0)), True),
        (access_list(OWNER)[:-1], True),
        (b"", True),
        (b"\x03\0\0\0", True),
    ],
)
def test_access_lists(content: bytes, is_open: bool) -> None:
    assert lets_others_in(content, 1234) is is_open


@given(st.binary(max_size=100))
def test_any_bytes_are_an_answer(content: bytes) -> None:
    assert lets_others_in(content, 1234) in {True, False}


def test_a_key_with_an_access_list_is_read(tmp_path: Path) -> None:
    """On a file system that knows them; the mode then shows 0440, and means 0400 and one user."""
    path = tmp_path / "log.key"
    create_key(path, name=ORIGIN, entropy=os.urandom)
    ours = access_list(OWNER, (0x02, 4, os.geteuid()), GROUP, MASK, OTHER)
    os.setxattr(path, ATTRIBUTE, ours)
    assert path.stat().st_mode & 0o777 == 0o440
    load_key(path)
    os.setxattr(path, ATTRIBUTE, access_list(OWNER, (0x02, 4, os.geteuid() + 1), GROUP, MASK, OTHER))
    with pytest.raises(Misuse, match="open to others"):
        load_key(path)

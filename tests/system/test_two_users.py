"""Gateway and guard as two real users: what is planted goes aside, what is approved goes out, nobody else comes in."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import TRACEBACK, Place, copy_of, wait_for
from tests.system.users import answers, as_user, give, python_as

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of other users"),
]

GATEWAY, GUARD, STRANGER = "daemon", "games", "nobody"  # every Debian has them
KNOCK = """
import socket, sys
from transfer.return_guard.messages import Hello
from transfer.return_guard.packets import render_message
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knocking:
    knocking.settimeout(10)
    try:
        knocking.connect(sys.argv[1])
        knocking.send(render_message(Hello()))
        print("heard" if knocking.recv(1024) else "hung up")
    except PermissionError:
        print("may not")
    except (BrokenPipeError, ConnectionResetError):
        print("hung up")
"""


def number_of(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


@dataclass
class Two:
    """A workspace of the one user, whose guard is the other."""

    place: Place
    meeting: Path
    said: Path

    @property
    def socket(self) -> Path:
        return self.meeting / "guard.sock"

    def start(self, role: str, user: str) -> subprocess.Popen[bytes]:
        """As its unit would."""
        command = python_as(user, "-m", "transfer", "process", role, "-w", self.place.root)
        with (self.said / role).open("ab") as says:
            return subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, stdout=says, stderr=says)

    def words(self, role: str) -> str:
        return (self.said / role).read_text(errors="replace")

    def doctor(self) -> list[dict[str, str]]:
        """What the gateway's user is told about the guard."""
        told = answers(python_as(GATEWAY, "-m", "transfer", "doctor", "--json", "-w", self.place.root), within=90)
        return [check for check in json.loads(told.stdout)["checks"] if check["name"] in {"guard", "running"}]


@pytest.fixture
def two(template: Place) -> Iterator[Two]:
    """Set up by the lines that docs/operating.md has, in a folder that others can enter."""
    top = Path(tempfile.mkdtemp(prefix="two-users-", dir="/var/tmp"))
    top.chmod(0o755)
    place = copy_of(template, top / "w")
    meeting = top / "run"
    place.set("guard", user=f'"{GUARD}"', socket=f'"{meeting}/guard.sock"')
    group = pwd.getpwnam(GUARD).pw_gid
    give(place.root, GATEWAY)
    place.root.chmod(0o755)
    for private in (place.root / "staging", place.workspace.feedback):
        private.chmod(0o750)
    install(2750, GATEWAY, group, meeting)
    install(2770, GATEWAY, group, place.release)
    install(700, GUARD, group, place.root / "release-aside")
    said = top / "said"
    said.mkdir()
    try:
        yield Two(place, meeting, said)
    finally:
        place.close()
        shutil.rmtree(top)


def install(mode: int, owner: str, group: int, path: Path) -> None:
    subprocess.run(["install", "-d", "-m", str(mode), "-o", owner, "-g", str(group), path], check=True)


@contextlib.contextmanager
def both(two: Two) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """The two units, started in the order that is said not to matter."""
    guard = two.start("guard", GUARD)
    gateway = two.start("gateway", GATEWAY)
    try:
        wait_for(lambda: two.socket.exists() or gateway.poll() is not None, 30, "the socket")
        yield gateway, guard
    except BaseException:
        print(two.words("gateway"), two.words("guard"))
        raise
    finally:
        for process in (gateway, guard):
            process.send_signal(signal.SIGTERM)
        for process in (gateway, guard):
            process.wait(40)
    for role in ("gateway", "guard"):
        assert TRACEBACK not in two.words(role), two.words(role)


def knock(two: Two, user: str, *groups: int) -> str:
    return answers(python_as(user, "-c", KNOCK, two.socket, groups=groups)).stdout.strip()


def test_what_is_approved_goes_out_and_what_is_planted_goes_aside(two: Two) -> None:
    place = two.place
    with both(two) as (gateway, guard):
        assert status(gateway.pid, "Uid") == str(number_of(GATEWAY))
        assert status(guard.pid, "Uid") == str(number_of(GUARD))
        staged = place.drop("photo.jpg", samples.jpeg())
        os.chown(staged, number_of(GATEWAY), -1)
        wait_for(lambda: place.counts().get("held") == 1, 30, "the verdict")
        place.approve_all()
        wait_for(lambda: place.counts().get("released") == 1, 20, "the release")
        place.check_release()
        for user in (STRANGER, "root"):
            made, planted = two.said / user, place.release / f"planted-by-{user}"
            made.write_bytes(user.encode())
            os.chown(made, number_of(user), -1)
            made.rename(planted)
            wait_for(lambda path=planted: not path.exists(), 5, "the guard")  # type: ignore[misc]
        wait_for(lambda: len(place.entries("return.refused")) == 2, 10, "the entries")
        assert all(entry["facts"]["moved_aside"] and entry["file"] for entry in place.entries("return.refused"))
        (place.release / "photo.jpg").write_bytes(b"altered")
        wait_for(lambda: place.entries("release.restored"), 15, "the genuine file")
        wait_for(lambda: sorted(os.listdir(place.release)) == ["manifest.note", "photo.jpg"], 10, "the manifest")
        place.check_release()
        checks = two.doctor()
        assert {check["status"] for check in checks} == {"ok"}, checks
        assert len(checks) == 3
    place.verify()


def status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field + ":"))


def test_nobody_else_comes_in_and_it_is_said(two: Two) -> None:
    with both(two):
        wait_for(lambda: held_by_guard(two), 20, "the guard")
        found = two.socket.stat()
        assert stat.S_IMODE(found.st_mode) == 0o660
        assert (found.st_uid, found.st_gid) == (number_of(GATEWAY), pwd.getpwnam(GUARD).pw_gid)
        assert knock(two, STRANGER) == "may not"
        assert "refused" not in two.words("gateway")
        # In the guard's group the file's mode lets it through; who it is decides.
        assert knock(two, STRANGER, pwd.getpwnam(GUARD).pw_gid) == "hung up"
        wait_for(lambda: f"of user {number_of(STRANGER)}" in two.words("gateway"), 5, "a word about it")
        assert "refused" in two.words("gateway")
        (two.place.release / "planted").write_bytes(b"the guard is still the one who is listened to")
        wait_for(lambda: two.place.entries("return.refused"), 10, "the entry")


def held_by_guard(two: Two) -> bool:
    """Whether somebody is connected: the guard has the list and works."""
    with open("/proc/net/unix") as lines:
        return any(
            line.split()[5] == "03" and line.rstrip().endswith("/guard.sock") for line in lines if "guard.sock" in line
        )


def test_the_guards_user_reads_nothing_of_the_gateway(two: Two) -> None:
    place = two.place
    place.drop("waits.txt", samples.text())
    give(place.root / "staging", GATEWAY, mode=0o750)
    with both(two):
        wait_for(lambda: place.counts().get("held") == 1, 30, "the verdict")
        workspace = place.workspace
        clean = next(path for path in workspace.clean.rglob("*") if path.is_file())
        paths = [workspace.state, workspace.database, clean, workspace.keys / "log.key", place.drop_folder]
        paths += [place.drop_folder / "waits.txt", workspace.feedback, two.meeting / "x"]
        for path in paths:
            test = "-w" if path == two.meeting / "x" else "-r"
            target = path.parent if test == "-w" else path
            assert target.exists()
            assert answers(as_user(GUARD, "test", test, target)).returncode == 1, path
        assert answers(as_user(GUARD, "test", "-r", place.release)).returncode == 0  # the test itself can tell


def test_the_doctor_says_what_is_missing_and_how_to_mend_it(two: Two) -> None:
    place = two.place
    assert [check["status"] for check in two.doctor() if check["name"] == "guard"] == ["ok"]
    place.release.chmod(0o755)
    two.meeting.chmod(0o2700)
    os.chown(place.root / "release-aside", number_of(GATEWAY), -1)
    (place.root / "staging").chmod(0o755)
    place.workspace.settings_file.chmod(0o600)
    checks = [check for check in two.doctor() if check["name"] == "guard"]
    assert {check["status"] for check in checks} == {"misconfigured"}
    assert len(checks) == 5
    for check in checks:
        (command,) = check["advice"].removeprefix("As root: ").splitlines()
        subprocess.run(["sh", "-ec", command], check=True)
    assert [check["status"] for check in two.doctor() if check["name"] == "guard"] == ["ok"]


@pytest.mark.parametrize("fault", ["writable", "no group", "no folder", "no user"])
def test_a_gateway_that_could_not_let_its_guard_in_does_not_start(two: Two, fault: str) -> None:
    match fault:
        case "writable":
            two.meeting.chmod(0o2777)
        case "no group":
            install(755, GATEWAY, pwd.getpwnam(GATEWAY).pw_gid, two.meeting)
        case "no folder":
            two.meeting.rmdir()
        case "no user":
            file = two.place.workspace.settings_file
            file.write_text(file.read_text().replace(f'user = "{GUARD}"', 'user = "no-such-user"'))
    gateway = two.start("gateway", GATEWAY)
    assert gateway.wait(60) == 2, two.words("gateway")
    said = {
        "writable": "can write to",
        "no group": "cannot be given to the group",
        "no folder": str(two.meeting),
        "no user": "There is no user no-such-user",
    }
    assert said[fault] in two.words("gateway")
    assert TRACEBACK not in two.words("gateway")


def test_a_false_gateway_is_not_listened_to(two: Two) -> None:
    """Whoever else listens where the guard looks is not told anything: the guard asks who it is."""
    two.meeting.chmod(0o2777)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(os.fspath(two.socket))
    two.socket.chmod(0o666)
    listener.listen(4)
    listener.settimeout(5)
    guard = two.start("guard", GUARD)
    try:
        until = time.monotonic() + 40
        while "refused" not in two.words("guard"):
            assert time.monotonic() < until
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                assert connection.recv(1024) == b""
    finally:
        guard.terminate()
        guard.wait(10)
        listener.close()

"""The running processes are really limited: each is made to try, from inside, what it must not be able to do."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.system.inside import CLOSE, CONNECT, FORK, SOCKET, Inside, inside
from tests.system.place import Place, copy_of, family, running, wait_for
from transfer.sandbox.profiles import kernel_support

pytestmark = pytest.mark.skipif(kernel_support().landlock < 4, reason="this kernel has no Landlock with network rules")

READ, WRITE, CREATE = os.O_RDONLY, os.O_WRONLY, os.O_WRONLY | os.O_CREAT
LISTED = os.O_RDONLY | os.O_DIRECTORY
MAKE_TEMPORARY = os.O_WRONLY | os.O_TMPFILE
MAY_NOT = {errno.EACCES, errno.EPERM}


@pytest.fixture(scope="module")
def at_work(template: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, dict[str, int]]]:
    """A gateway that has released something, and its processes by role."""
    place = copy_of(template, tmp_path_factory.mktemp("valve") / "w")
    place.drop("photo.jpg", samples.jpeg())
    place.drop("waits.txt", samples.text())
    with running(place) as gateway:
        wait_for(lambda: place.counts().get("held") == 2, 20, "the verdicts")
        place.approve(place.by_name("photo.jpg").item)
        wait_for(lambda: place.counts().get("released") == 1, 10, "the release")
        (place.release / "planted").write_bytes(b"foreign")
        wait_for(lambda: place.entries("return.refused"), 5, "what was planted")
        yield place, {member.role: member.pid for member in family(gateway.process.pid)}
        place.drop("after.txt", b"still at work\n")
        wait_for(lambda: place.counts().get("held") == 2, 15, "its work after all this")
    place.verify()
    place.close()


def threads(pid: int) -> list[int]:
    """All threads of a process, the first one first."""
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def status(thread: int, field: str) -> str:
    """One field of what the kernel says about a thread."""
    lines = Path(f"/proc/{thread}/status").read_text().splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(field + ":"))


def test_no_thread_of_theirs_can_gain_rights(at_work: tuple[Place, dict[str, int]]) -> None:
    _, roles = at_work
    for role in ("gateway", "guard", "media child", "residue child"):
        for thread in threads(roles[role]):
            assert status(thread, "NoNewPrivs") == "1", role
    for role in ("media child", "residue child"):
        assert status(roles[role], "Seccomp") == "2", role
        assert int(status(roles[role], "CapEff"), 16) == 0, role


def test_the_gateway_cannot_read_what_it_released(at_work: tuple[Place, dict[str, int]]) -> None:
    place, roles = at_work
    released, aside = place.release / "photo.jpg", next((place.root / "release-aside").iterdir())
    assert released.exists()
    for thread in threads(roles["gateway"]):
        with contextlib.suppress(ProcessLookupError), inside(thread) as gateway:  # some live for one job only
            assert gateway.opens(released, READ) in MAY_NOT
            assert gateway.opens(released, os.O_RDWR) in MAY_NOT
            assert gateway.opens(aside, READ) in MAY_NOT
            assert gateway.opens(aside.parent, LISTED) in MAY_NOT
            assert gateway.opens(place.release / "x", CREATE | os.O_EXCL, 0o600) == 0
            (place.release / "x").unlink(missing_ok=True)


def test_the_gateway_cannot_write_to_staging(at_work: tuple[Place, dict[str, int]]) -> None:
    place, roles = at_work
    staged = place.drop_folder / "waits.txt"
    with inside(roles["gateway"]) as gateway:
        assert gateway.opens(staged, READ) == 0
        assert gateway.opens(staged, WRITE) in MAY_NOT
        assert gateway.opens(place.drop_folder / "new.txt", CREATE, 0o600) in MAY_NOT
        assert gateway.opens(place.drop_folder, MAKE_TEMPORARY, 0o600) in MAY_NOT
        assert gateway.opens(place.workspace.keys / "log.key", READ) == 0
        assert gateway.opens(place.workspace.keys / "log.key", WRITE) in MAY_NOT
        assert gateway.opens(place.workspace.settings_file, WRITE) in MAY_NOT
        assert gateway.opens(place.key, READ) in MAY_NOT  # the approver's
        assert gateway.opens("/root", LISTED) in MAY_NOT
    assert sorted(path.name for path in place.drop_folder.iterdir()) == ["waits.txt"]


def test_the_gateway_reaches_no_network(at_work: tuple[Place, dict[str, int]]) -> None:
    _, roles = at_work
    with _listening() as (port, _listener), inside(roles["gateway"]) as gateway:
        assert _connects(gateway, port) in MAY_NOT


def test_the_guard_sees_nothing_but_the_device_side(at_work: tuple[Place, dict[str, int]]) -> None:
    place, roles = at_work
    with inside(roles["guard"]) as guard:
        assert guard.opens(place.release / "photo.jpg", READ) == 0
        for path in (
            place.drop_folder / "waits.txt",
            place.workspace.database,
            place.workspace.keys / "log.key",
            place.workspace.log / "checkpoint",
            place.key,
            next(path for path in place.workspace.clean.rglob("*") if path.is_file()),
        ):
            assert path.exists()
            assert guard.opens(path, READ) in MAY_NOT, path
        assert guard.opens(place.workspace.feedback / "x", CREATE, 0o600) in MAY_NOT
        with _listening() as (port, _listener):
            assert _connects(guard, port) in MAY_NOT


@pytest.mark.parametrize("role", ["media child", "residue child"])
def test_a_child_opens_nothing_and_starts_nothing(at_work: tuple[Place, dict[str, int]], role: str) -> None:
    place, roles = at_work
    with inside(roles[role]) as child:
        for path in (place.drop_folder / "waits.txt", place.workspace.settings_file, Path("/etc/passwd"), Path("/")):
            assert child.opens(path, READ) in MAY_NOT, path
        assert child.opens(place.release / "x", CREATE, 0o600) in MAY_NOT
        assert child.opens("/tmp/x", CREATE, 0o600) in MAY_NOT
        assert -child.call(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0) in MAY_NOT
        assert -child.call(SOCKET, socket.AF_UNIX, socket.SOCK_STREAM, 0) in MAY_NOT
        assert -child.call(FORK) in MAY_NOT


def test_the_doctor_agrees(at_work: tuple[Place, dict[str, int]]) -> None:
    """It tries the same in forks of its own, while the gateway runs."""
    place, _ = at_work
    answer = place.command("doctor", "--json")
    assert answer.code == 0, answer
    assert answer.json["ok"] is True
    assert answer.json["checks"]


@contextlib.contextmanager
def _listening() -> Iterator[tuple[int, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1], listener


def _connects(process: Inside, port: int) -> int:
    descriptor = process.call(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
    if descriptor < 0:
        return -descriptor
    address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + bytes(8)
    answer = process.call(CONNECT, descriptor, address, len(address))
    process.call(CLOSE, descriptor)
    return max(0, -answer)

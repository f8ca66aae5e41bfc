"""The kernel valve, by trying: each process is confined for real and does what it must and must not."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.forks import tried
from transfer.errors import Misuse, Unavailable
from transfer.sandbox import profiles
from transfer.sandbox.profiles import (
    GatewayPaths,
    GuardPaths,
    confine_gateway,
    confine_guard,
    gateway_grants,
    kernel_support,
)

pytestmark = pytest.mark.skipif(kernel_support().landlock < 4, reason="this kernel has no Landlock with network rules")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("staging", "release", "release-aside", "state", "log", "feedback", "receipts", "keys"):
        (tmp_path / name).mkdir()
    (tmp_path / "staging" / "open-day").mkdir()
    (tmp_path / "staging" / "open-day" / "photo.jpg").write_bytes(b"photo")
    (tmp_path / "release" / "old.jpg").write_bytes(b"released")
    (tmp_path / "release-aside" / "foreign.bin").write_bytes(b"foreign")
    (tmp_path / "keys" / "log.key").write_bytes(b"secret")
    (tmp_path / "transfer.toml").write_bytes(b"settings")
    return tmp_path


def gateway_paths(workspace: Path, *, ports: tuple[int, ...] = ()) -> GatewayPaths:
    return GatewayPaths(
        staging=(workspace / "staging",),
        readable=(workspace / "transfer.toml", workspace / "keys"),
        owned=tuple(workspace / name for name in ("state", "log", "feedback", "receipts")),
        release=workspace / "release",
        connect_tcp=ports,
    )


def as_gateway(workspace: Path, **attempts: Callable[[], object]) -> dict[str, str]:
    return tried(lambda: confine_gateway(gateway_paths(workspace)), attempts)


def as_guard(workspace: Path, **attempts: Callable[[], object]) -> dict[str, str]:
    paths = GuardPaths(release=workspace / "release", aside=workspace / "release-aside")
    return tried(lambda: confine_guard(paths), attempts)


def put(folder: Path) -> str:
    """What the folder sink does."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    temporary = os.open(".part-new.jpg", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o644, dir_fd=at)
    os.write(temporary, b"bytes")
    os.fsync(temporary)
    os.close(temporary)
    os.rename(".part-new.jpg", "new.jpg", src_dir_fd=at, dst_dir_fd=at)
    os.fsync(at)
    return ",".join(sorted(os.listdir(at)))


def test_gateway_can_put_into_release_and_cannot_read_there(workspace: Path) -> None:
    release = workspace / "release"
    seen = as_gateway(
        workspace,
        put=lambda: put(release),
        read_old=(release / "old.jpg").read_bytes,
        read_own=(release / "new.jpg").read_bytes,
        read_write=lambda: os.open(release / "new.jpg", os.O_RDWR),
        through_proc=lambda: os.open(f"/proc/self/fd/{os.open(release / 'old.jpg', os.O_WRONLY)}", os.O_RDONLY),
        link_out=lambda: os.link(release / "old.jpg", workspace / "state" / "copy.jpg"),
        move_out=lambda: os.rename(release / "old.jpg", workspace / "state" / "copy.jpg"),
        link_in=lambda: os.symlink(workspace / "keys", release / "link"),
        truncate=lambda: os.truncate(release / "old.jpg", 3),
        remove=lambda: os.unlink(release / "old.jpg"),
    )
    refused = ("read_old", "read_own", "read_write", "through_proc", "link_in")
    assert {name: seen[name] for name in refused} == dict.fromkeys(refused, "EACCES")
    assert seen["link_out"] in {"EXDEV", "EACCES"}
    assert seen["move_out"] in {"EXDEV", "EACCES"}
    assert seen["put"] == "worked: new.jpg,old.jpg"
    assert seen["truncate"] == seen["remove"] == "worked: None"
    assert (release / "new.jpg").read_bytes() == b"bytes"


def test_gateway_reads_and_removes_in_staging_and_cannot_write_there(workspace: Path) -> None:
    photo = workspace / "staging" / "open-day" / "photo.jpg"
    seen = as_gateway(
        workspace,
        read=photo.read_bytes,
        list=lambda: os.listdir(photo.parent),
        write=lambda: os.open(photo, os.O_WRONLY),
        append=lambda: os.open(photo, os.O_WRONLY | os.O_APPEND),
        truncate=lambda: os.truncate(photo, 0),
        make=lambda: os.open(photo.parent / "new", os.O_CREAT | os.O_WRONLY),
        make_folder=lambda: os.mkdir(photo.parent / "new"),
        rename=lambda: os.rename(photo, photo.parent / "other.jpg"),
        move_in=lambda: os.rename(workspace / "state", photo.parent / "state"),
        remove=lambda: os.unlink(photo),
    )
    assert seen.pop("read") == "worked: b'photo'"
    assert seen.pop("list") == "worked: ['photo.jpg']"
    assert seen.pop("remove") == "worked: None"
    assert all(answer in {"EACCES", "EXDEV"} for answer in seen.values()), seen


def test_gateway_keeps_its_database_blobs_and_log(workspace: Path) -> None:
    def database() -> object:
        connection = sqlite3.connect(workspace / "state" / "db" / "gateway.db")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])
        connection.commit()
        connection.execute("CREATE INDEX i ON t (a)")
        connection.execute("VACUUM")
        return connection.execute("SELECT count(*) FROM t").fetchone()[0]

    def blob() -> None:
        (workspace / "state" / "raw" / "ab").mkdir(parents=True)
        (workspace / "state" / "raw" / "draft").write_bytes(b"x")
        os.rename(workspace / "state" / "raw" / "draft", workspace / "state" / "raw" / "ab" / "cd")
        (workspace / "state" / "raw" / "ab" / "cd").unlink()
        (workspace / "state" / "raw" / "ab").rmdir()

    def listen() -> None:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller,
        ):
            listener.bind(str(workspace / "state" / "guard.sock"))
            listener.listen()
            caller.connect(str(workspace / "state" / "guard.sock"))

    (workspace / "state" / "db").mkdir()
    seen = as_gateway(
        workspace,
        database=database,
        blob=blob,
        log=lambda: put(workspace / "log"),
        feedback=lambda: (workspace / "feedback" / "WAITING photo.txt").write_text("it waits"),
        receipt=lambda: put(workspace / "receipts"),
        listen=listen,
        key=(workspace / "keys" / "log.key").read_bytes,
        settings=(workspace / "transfer.toml").read_bytes,
        change_key=lambda: (workspace / "keys" / "log.key").write_bytes(b"mine"),
        change_settings=lambda: (workspace / "transfer.toml").write_bytes(b"mine"),
        random=lambda: len(os.urandom(8)),
    )
    assert seen["database"] == "worked: 1000"
    assert seen["key"] == "worked: b'secret'"
    assert seen["settings"] == "worked: b'settings'"
    assert seen["change_key"] == seen["change_settings"] == "EACCES"
    for name in ("blob", "log", "feedback", "receipt", "listen", "random"):
        assert seen[name].startswith("worked"), (name, seen[name])


def test_gateway_sees_nothing_else(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "letter.txt").write_text("private")
    seen = as_gateway(
        workspace,
        read=(elsewhere / "letter.txt").read_bytes,
        list=lambda: os.listdir(elsewhere),
        root=lambda: os.listdir("/"),
        aside=lambda: os.listdir(workspace / "release-aside"),
        aside_read=(workspace / "release-aside" / "foreign.bin").read_bytes,
        temporary=lambda: os.open("/tmp/planted-by-a-test", os.O_CREAT | os.O_WRONLY),
        parent=lambda: os.kill(os.getppid(), signal.SIGCONT),
    )
    assert seen.pop("parent") == "EPERM"
    assert set(seen.values()) == {"EACCES"}, seen


def test_gateway_reaches_only_the_named_ports(workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as allowed, socket.create_server(("127.0.0.1", 0)) as other:
        ports = allowed.getsockname()[1], other.getsockname()[1]
        seen = tried(
            lambda: confine_gateway(gateway_paths(workspace, ports=(ports[0],))),
            {
                "allowed": lambda: socket.create_connection(("127.0.0.1", ports[0]), 2).close(),
                "other": lambda: socket.create_connection(("127.0.0.1", ports[1]), 2).close(),
                "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
            },
        )
    assert seen == {"allowed": "worked: None", "other": "EACCES", "listen": "EACCES"}


def test_gateway_can_start_programs_and_import(workspace: Path) -> None:
    seen = as_gateway(
        workspace,
        start=lambda: (
            subprocess.run(
                [sys.executable, "-c", "import email, sqlite3; print('ready')"], capture_output=True, check=True
            ).stdout
        ),
        thread=lambda: threading.Thread(target=lambda: None).start(),
    )
    assert seen == {"start": "worked: b'ready\\n'", "thread": "worked: None"}


def test_a_program_that_the_gateway_starts_is_as_limited(workspace: Path) -> None:
    program = f"open({str(workspace / 'release' / 'old.jpg')!r}).read()"
    seen = as_gateway(
        workspace,
        start=lambda: subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode,
    )
    assert seen == {"start": "worked: 1"}


def plant_everything(release: Path) -> None:
    (release / "folder" / "within").mkdir(parents=True)
    (release / "folder" / "within" / "file").write_bytes(b"deep")
    (release / "link").symlink_to("/etc/passwd")
    os.mkfifo(release / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(release / "sock"))


def test_guard_moves_every_kind_of_thing_aside(workspace: Path) -> None:
    release, aside = workspace / "release", workspace / "release-aside"
    plant_everything(release)
    names = ("old.jpg", "folder", "link", "fifo", "sock")
    seen = as_guard(
        workspace,
        **{f"move_{name}": lambda name=name: os.rename(release / name, aside / name) for name in names},  # type: ignore[misc] # a default argument in a lambda
        hash=(aside / "old.jpg").read_bytes,
        list=lambda: os.listdir(release),
    )
    assert seen.pop("hash") == "worked: b'released'"
    assert seen.pop("list") == "worked: []"
    assert set(seen.values()) == {"worked: None"}, seen
    assert sorted(os.listdir(aside)) == sorted((*names, "foreign.bin"))


def test_guard_sees_nothing_but_the_device_side(workspace: Path) -> None:
    release = workspace / "release"
    seen = as_guard(
        workspace,
        staging=lambda: os.listdir(workspace / "staging"),
        photo=(workspace / "staging" / "open-day" / "photo.jpg").read_bytes,
        state=lambda: os.listdir(workspace / "state"),
        key=(workspace / "keys" / "log.key").read_bytes,
        settings=(workspace / "transfer.toml").read_bytes,
        log=lambda: os.listdir(workspace / "log"),
        change=lambda: os.open(release / "old.jpg", os.O_WRONLY),
        truncate=lambda: os.truncate(release / "old.jpg", 0),
        write_aside=lambda: os.open(workspace / "release-aside" / "foreign.bin", os.O_WRONLY),
        to_staging=lambda: os.rename(release / "old.jpg", workspace / "staging" / "old.jpg"),
        to_state=lambda: os.rename(release / "old.jpg", workspace / "state" / "old.jpg"),
        connect=lambda: socket.create_connection(("127.0.0.1", 9), 1),
    )
    assert all(answer in {"EACCES", "EXDEV"} for answer in seen.values()), seen


def test_guard_can_speak_with_the_gateway(workspace: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(workspace / "state" / "guard.sock"))
        listener.listen()

        def speak() -> bytes:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
                caller.connect(str(workspace / "state" / "guard.sock"))
                caller.send(b"here")
                return b"sent"

        assert as_guard(workspace, speak=speak) == {"speak": "worked: b'sent'"}


def test_a_second_confinement_cannot_give_rights_back(workspace: Path) -> None:
    seen = as_guard(
        workspace,
        again=lambda: confine_gateway(gateway_paths(workspace)),
        staging=lambda: os.listdir(workspace / "staging"),
        release=lambda: os.listdir(workspace / "release"),
    )
    assert seen["again"].startswith("worked")
    assert seen["staging"] == "EACCES"  # the second adds nothing
    assert seen["release"].startswith("worked")  # what both allow


@pytest.mark.parametrize("name", ["state", "staging", "keys"])
def test_release_inside_a_readable_folder_is_refused(workspace: Path, name: str) -> None:
    inner = workspace / name / "release"
    inner.mkdir()
    paths = GatewayPaths(
        staging=(workspace / "staging",), readable=(workspace / "keys",), owned=(workspace / "state",), release=inner
    )
    with pytest.raises(Misuse, match="lies inside") as caught:
        gateway_grants(paths)
    assert caught.value.clauses == ("G5",)
    assert caught.value.advice


def test_release_reached_through_a_link_is_still_found_inside(workspace: Path) -> None:
    (workspace / "state" / "real").mkdir()
    (workspace / "device").symlink_to(workspace / "state" / "real")
    paths = GatewayPaths(staging=(), readable=(), owned=(workspace / "state",), release=workspace / "device")
    with pytest.raises(Misuse, match="lies inside"):
        gateway_grants(paths)


@pytest.mark.parametrize("on_disk", [True, False])
def test_staging_inside_a_written_folder_is_refused(workspace: Path, on_disk: bool) -> None:
    paths = GatewayPaths(
        staging=(workspace / "state" / "staging",),
        readable=(),
        owned=(workspace / "state",),
        release=workspace / "release" if on_disk else None,
    )
    with pytest.raises(Misuse, match="staging folder"):
        gateway_grants(paths)


def test_a_missing_folder_is_named(workspace: Path) -> None:
    seen = tried(
        lambda: confine_guard(GuardPaths(release=workspace / "nowhere", aside=workspace / "release-aside")), {}
    )
    assert "Misuse" in seen["confine"]
    assert "nowhere" in seen["confine"]


def test_threads_that_run_already_refuse(workspace: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(Unavailable, match="threads run already"):
            confine_gateway(gateway_paths(workspace))
    finally:
        stop.set()
        thread.join()


def test_a_kernel_without_landlock_is_unavailable(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "interface_version", lambda: 0)
    assert not kernel_support().complete
    with pytest.raises(Unavailable, match="Landlock") as caught:
        confine_gateway(gateway_paths(workspace))
    assert "prefer" in caught.value.advice

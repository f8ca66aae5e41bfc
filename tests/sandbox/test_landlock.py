"""The binding: versions, what is left out for an old kernel, and what a failure says."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

import pytest

from tests.sandbox.forks import tried
from transfer.errors import Misuse, Unavailable
from transfer.sandbox import landlock, seccomp
from transfer.sandbox.landlock import Access, Grant, handled_access, interface_version, restrict

pytestmark = pytest.mark.skipif(interface_version() < 1, reason="this kernel has no Landlock")


def test_the_rights_of_each_version() -> None:
    assert handled_access(1) == Access(0x1FFF)
    assert handled_access(2) == handled_access(1) | Access.REFER
    assert handled_access(3) == handled_access(2) | Access.TRUNCATE
    assert handled_access(4) == handled_access(3)
    assert handled_access(5) == handled_access(6) == handled_access(7) == Access(0xFFFF)


@pytest.mark.parametrize("version", range(1, interface_version() + 1))
def test_every_version_that_the_kernel_has_can_be_asked_for(tmp_path: Path, version: int) -> None:
    """A newer kernel keeps the older interfaces, so this tries each of them."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"x")
    (tmp_path / "out").write_bytes(b"x")
    seen = tried(
        lambda: restrict([Grant(path=tmp_path / "in", rights=Access.READ_FILE)], version=version),
        {
            "in": (tmp_path / "in" / "file").read_bytes,
            "out": (tmp_path / "out").read_bytes,
            "connect": lambda: socket.socket().connect(("127.0.0.1", 9)),
            "signal": lambda: os.kill(os.getppid(), 0),
        },
    )
    assert seen["in"] == "worked: b'x'"
    assert seen["out"] == "EACCES"
    assert seen["connect"] == ("EACCES" if version >= 4 else "ECONNREFUSED")
    assert seen["signal"] == ("EPERM" if version >= 6 else "worked: None")


def test_a_grant_on_a_file_keeps_only_what_a_file_has(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    rights = Access.READ_FILE | Access.READ_DIR | Access.MAKE_REG
    seen = tried(
        lambda: restrict([Grant(path=tmp_path / "file", rights=rights)]), {"read": (tmp_path / "file").read_bytes}
    )
    assert seen == {"read": "worked: b'x'"}


def test_a_missing_path_is_misuse_unless_it_is_optional(tmp_path: Path) -> None:
    missing = Grant(path=tmp_path / "missing", rights=Access.READ_FILE)
    with pytest.raises(Misuse, match="missing"):
        restrict([missing])
    optional = Grant(path=tmp_path / "missing", rights=Access.READ_FILE, required=False)
    assert tried(lambda: restrict([optional]), {"one": lambda: 1}) == {"one": "worked: 1"}


def test_a_kernel_without_it_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="Landlock") as caught:
        restrict([], version=0)
    assert caught.value.clauses == ("G5",)


def test_an_errno_left_by_an_earlier_call_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")

    def confine() -> None:
        ctypes.CDLL(None, use_errno=True).open(b"/no/such/file", 0)
        ctypes.set_errno(2)
        restrict([])

    assert tried(confine, {"open": (tmp_path / "x").read_bytes}) == {"open": "EACCES"}


def test_threads_started_afterwards_are_limited() -> None:
    def in_a_thread() -> object:
        found: list[str] = []

        def look() -> None:
            try:
                found.extend(os.listdir("/"))
            except PermissionError:
                found.append("refused")

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return found[0]

    assert tried(lambda: restrict([]), {"thread": in_a_thread}) == {"thread": "worked: refused"}


def test_a_refusing_kernel_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(landlock, "_call", refuse)
    with pytest.raises(Unavailable, match="Operation not permitted"):
        restrict([], version=7)


def test_a_missing_libseccomp_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyseccomp", None)
    with pytest.raises(Unavailable, match="libseccomp") as caught:
        seccomp.build_filter()
    assert "Install" in caught.value.advice
    assert "libseccomp" in seccomp.problem()

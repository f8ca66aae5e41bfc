"""Does the kernel really hold what the profiles promise? Found by trying, in processes that confine themselves first.

What enters: the workspace's folders. What leaves: one `Trial` for each thing tried. Nothing visible is left behind:
where a file is to be made it is one without a name (O_TMPFILE), so the guard sees nothing and no folder changes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from transfer.errors import TransferError
from transfer.sandbox.confine import ChildLimits, confine_child, keep_only, measure_baseline
from transfer.sandbox.landlock import interface_version
from transfer.sandbox.profiles import (
    DriveGuardPaths,
    GatewayPaths,
    GuardPaths,
    confine_drive_guard,
    confine_gateway,
    confine_guard,
)
from transfer.sandbox.seccomp import build_filter

GUARDS_KEY = "read the return guard's"  # how a trial begins that looks for its certificate
_WORKED = "worked"
_NOTHING_TO_TRY_ON = "nothing to try it on"
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}  # a file system without unnamed files
_REFUSALS = {"EACCES", "EPERM"}
_PATIENCE = 15.0  # seconds for one process's trials
_MOST = 65536  # bytes of its report
_DISCARD_PORT = 9

Action = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing tried: by whom, what, whether it must work or must be refused, and what happened (an error's name)."""

    who: str
    what: str
    must_work: bool
    observed: str

    @property
    def expected(self) -> str:
        """In a word."""
        return "works" if self.must_work else "is refused"

    @property
    def holds(self) -> bool | None:
        """Whether it went as it must; None where it could not be tried."""
        if self.observed == _NOTHING_TO_TRY_ON:
            return None
        return self.observed == _WORKED if self.must_work else self.observed in _REFUSALS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    what: str
    must_work: bool
    action: Action


class _NothingToTryOn(Exception):
    """There is no file here to try it on."""


def try_valve(gateway: GatewayPaths, guard: GuardPaths | DriveGuardPaths | None) -> list[Trial]:
    """All profiles, each in a process of its own. Start no thread before: it forks. Raises nothing of its own."""
    attempts = list(_of_the_gateway(gateway))
    if isinstance(guard, DriveGuardPaths):
        attempts += [_refused(f"{GUARDS_KEY} {path.name}", partial(_look, path)) for path in _apart(guard, gateway)]
    trials = _try_in_a_fork("gateway", lambda: confine_gateway(gateway), tuple(attempts))
    if isinstance(guard, DriveGuardPaths):
        trials += _try_in_a_fork(
            "guard", lambda: confine_drive_guard(guard), tuple(_of_the_drive_guard(guard, gateway))
        )
    elif guard is not None:
        trials += _try_in_a_fork("guard", lambda: confine_guard(guard), tuple(_of_the_guard(guard, gateway)))
    return trials + try_child()


def try_child() -> list[Trial]:
    """The children's confinement alone."""

    def confine() -> None:
        confine_child(ChildLimits(), measure_baseline(), build_filter())

    return _try_in_a_fork("child", confine, tuple(_of_a_child()))


def _of_the_gateway(paths: GatewayPaths) -> Iterator[_Attempt]:
    if paths.release is not None:
        release = paths.release
        yield _refused("read a file in the release folder", lambda: _read_in(release))
        yield _works("make a file in the release folder", lambda: _unnamed(release, os.O_WRONLY))
        yield _works("list the release folder", lambda: os.listdir(release))
    for staging in paths.staging:
        yield _refused(f"write in the staging folder {staging.name}", partial(_unnamed, staging, os.O_WRONLY))
        yield _works(f"list the staging folder {staging.name}", partial(os.listdir, staging))
    for owned in paths.owned:
        yield _works(f"read and write in {owned.name}", partial(_unnamed, owned, os.O_RDWR))
    yield _refused("list the root folder", lambda: os.listdir("/"))
    if interface_version() >= 4:
        yield _refused("listen on a TCP port", lambda: _tcp().bind(("127.0.0.1", 0)))
        if _DISCARD_PORT not in paths.connect_tcp:
            yield _refused("connect to a TCP port", lambda: _tcp().connect(("127.0.0.1", _DISCARD_PORT)))
    if interface_version() >= 6:
        yield _refused("signal a process outside", lambda: os.kill(os.getppid(), 0))


def _of_the_guard(paths: GuardPaths, gateway: GatewayPaths) -> Iterator[_Attempt]:
    for folder in (paths.release, paths.aside):
        yield _works(f"list {folder.name}", partial(os.listdir, folder))
        yield _refused(f"write in {folder.name}", partial(_unnamed, folder, os.O_WRONLY))
    for folder in (*gateway.staging, *gateway.owned, *gateway.readable):
        yield _refused(f"read {folder.name}", partial(_look, folder))
    yield _refused("list the root folder", lambda: os.listdir("/"))
    if interface_version() >= 4:
        yield _refused("connect to a TCP port", lambda: _tcp().connect(("127.0.0.1", _DISCARD_PORT)))


def _of_the_drive_guard(paths: DriveGuardPaths, gateway: GatewayPaths) -> Iterator[_Attempt]:
    for path in _apart(paths, gateway):
        yield _works(f"read {path.name}", partial(_look, path))
    for path in (*gateway.staging, *gateway.owned, *gateway.readable):
        if path not in paths.readable and path.exists():
            yield _refused(f"read {path.name}", partial(_look, path))
    for folder in gateway.owned:
        yield _refused(f"write in {folder.name}", partial(_unnamed, folder, os.O_WRONLY))
    yield _refused("list the root folder", lambda: os.listdir("/"))
    if interface_version() >= 4:
        yield _refused("listen on a TCP port", lambda: _tcp().bind(("127.0.0.1", 0)))
        if _DISCARD_PORT not in paths.connect_tcp:
            yield _refused("connect to another TCP port", lambda: _tcp().connect(("127.0.0.1", _DISCARD_PORT)))


def _apart(paths: DriveGuardPaths, gateway: GatewayPaths) -> list[Path]:
    """What the guard reads and the gateway must not: its certificate. What names and TLS take, both read."""
    return [path for path in paths.readable if path not in gateway.readable and path.exists()]


def _of_a_child() -> Iterator[_Attempt]:
    yield _refused("open a file", lambda: os.open(os.devnull, os.O_RDONLY))
    yield _refused("list the root folder", lambda: os.listdir("/"))
    yield _refused("make an internet socket", _tcp)
    yield _refused("make a Unix socket", socket.socketpair)
    yield _refused("start a process", _fork)
    yield _refused("run a program", lambda: os.execv("/no/such/program", ["x"]))  # noqa: S606 - it must fail
    yield _refused("signal a process", lambda: os.kill(os.getppid(), 0))
    yield _refused("watch a process", lambda: os.pidfd_open(os.getppid()))
    yield _refused("make a file of code in memory", lambda: os.memfd_create("code"))
    yield _refused("make code while running", _executable_page)
    yield _refused("share memory", lambda: mmap.mmap(-1, mmap.PAGESIZE))
    yield _works("use memory", lambda: bytearray(1 << 22))


def _refused(what: str, action: Action) -> _Attempt:
    return _Attempt(what=what, must_work=False, action=action)


def _works(what: str, action: Action) -> _Attempt:
    return _Attempt(what=what, must_work=True, action=action)


def _unnamed(folder: Path, mode: int) -> None:
    try:
        os.close(os.open(folder, os.O_TMPFILE | mode | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise _NothingToTryOn from error
        raise


def _read_in(folder: Path) -> None:
    try:
        _unnamed(folder, os.O_RDWR)
    except _NothingToTryOn:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    os.close(os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
                    return
        raise


def _look(path: Path) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def _tcp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _executable_page() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _try_in_a_fork(who: str, confine: Action, attempts: tuple[_Attempt, ...]) -> list[Trial]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _try_and_report(writing, confine, attempts)
    os.close(writing)
    try:
        report = _read_report(reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if report is None or len(report) != len(attempts):
        what = report[0] if report else "the process ended"
        return [Trial(who=who, what="confine itself", must_work=True, observed=what)]
    return [
        Trial(who=who, what=attempt.what, must_work=attempt.must_work, observed=observed)
        for attempt, observed in zip(attempts, report, strict=True)
    ]


def _try_and_report(writing: int, confine: Action, attempts: tuple[_Attempt, ...]) -> NoReturn:
    """In the fork: what happened to each attempt, or why it could not confine itself, as one JSON list."""
    try:
        writing = keep_only(writing)
        try:
            confine()
        except TransferError as error:
            report = [error.sentence, ""] + [""] * len(attempts)
        else:
            report = [_observe(attempt.action) for attempt in attempts]
        os.write(writing, json.dumps(report).encode())
    finally:
        os._exit(0)


def _observe(action: Action) -> str:
    try:
        action()
    except _NothingToTryOn:
        return _NOTHING_TO_TRY_ON
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown error")
    except Exception as error:  # noqa: BLE001 - whatever happened is the observation
        return type(error).__name__
    return _WORKED


def _read_report(reading: int) -> list[str] | None:
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    if not poll.poll(_PATIENCE * 1000):
        return None
    try:
        report = json.loads(os.read(reading, _MOST))
    except ValueError:
        return None
    return [str(observed) for observed in report]

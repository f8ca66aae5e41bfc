"""A tenant on this machine, a process of its own, and the two that move files from one of its drives to the other.

What enters: how many files of which size. What leaves: what a turn took, ours or rclone's, as the tenant counted it.
Both reach the tenant over TLS on loopback and verify its certificate. rclone knows no other address than Microsoft's,
so its questions pass a proxy in this process; content goes straight to where the tenant says, for both of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from benchmarks.place import LeftOut, Stopped, cpu_seconds_of, environment
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.graph.proxied import Proxy, certified, proxy

_HOST = "graph.microsoft.com"
_STAFF, _OURS, _THEIRS = person("Staff"), application("Ours"), application("rclone")
_READER, _WRITER, _RCLONE = "reader-token", "writer-token", "rclone-token"
_STAGING, _RELEASE = "staging", "release"
_WITHIN = 1800  # seconds a turn may take
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What moving `files` files took: seconds, processor seconds of whoever moved them and of the tenant, requests,
    bytes of content that came down, and the largest memory of our process in bytes (0: not ours)."""

    files: int
    seconds: float
    cpu: float
    tenant_cpu: float
    requests: int
    downloaded: int
    peak: int


class Tenant:
    """Two drives, one to take from and one to put into."""

    def __init__(self, emulator: EmulatorProcess, folder: Path, authority: Path) -> None:
        self._emulator, self._folder, self.authority = emulator, folder, authority
        self.world, self.base_url = emulator.world, emulator.base_url
        self._made = 0
        self.staging = self.world.drive(_STAGING, kind="business")
        self.release = self.world.drive(_RELEASE, kind="business")
        for drive, place in ((self.staging, "in/open-day"), (self.release, "out")):
            drive.by(_STAFF).folder(place)
        self.staging.by(_STAFF).folder("theirs")
        self.world.sign_in(_READER, _OURS)
        self.world.sign_in(_WRITER, _OURS)
        self.world.sign_in(_RCLONE, _THEIRS)
        self.world.allow(_READER, "read", self.staging)
        self.world.allow(_WRITER, "write", self.release)
        for drive in (self.staging, self.release):
            self.world.allow(_RCLONE, "write", drive)
        self.world.switch(refuse_authorization=False)  # rclone 1.60 sends its token to upload addresses as well

    def stage(self, place: str, files: int, size: int) -> None:
        """Different files of random bytes in a folder of the first drive; `Tenant.clear` takes their bytes away."""
        path = self._folder / "staged.mp4"
        for _ in range(files):
            self._made += 1
            with path.open("wb") as file:
                for left in range(size, 0, -_BLOCK):
                    file.write(os.urandom(min(left, _BLOCK)))
            self.staging.by(_STAFF).put(f"{place}/film-{self._made:05}.mp4", path)
        path.unlink()

    def clear(self) -> None:
        """Removes all bytes, so that the disk is not what is measured; the entries stay, as in a real drive."""
        for path in self.world.database.contents.iterdir():
            path.unlink()

    @contextmanager
    def counting(self) -> Iterator[dict[str, float]]:
        """What the tenant counts in the block: requests, bytes of content that went out, its processor seconds."""
        found: dict[str, float] = {}
        self.world.forget_requests()
        used = cpu_seconds_of(self._emulator.pid)
        yield found
        found["tenant_cpu"] = cpu_seconds_of(self._emulator.pid) - used
        found["requests"] = len(self.world.asked())
        found["downloaded"] = self.world.counted("content_bytes")

    def settings(self, folder: Path) -> str:
        """What the child of ours is told, as JSON."""

        def place(drive: Drive, path: str) -> dict[str, str]:
            return {"drive": drive.id, "folder": drive.item(path).id}

        return json.dumps(
            {
                "folder": str(folder),
                "base_url": self.base_url,
                "authority": str(self.authority),
                "reader": _READER,
                "writer": _WRITER,
                "staff": _STAFF.id,
                "application": _OURS.id,
                "staging": place(self.staging, "in"),
                "release": place(self.release, "out"),
            }
        )


@contextmanager
def tenant(folder: Path) -> Iterator[Tenant]:
    """Runs until the end of the block."""
    authority, server = certified(folder, [_HOST])
    with EmulatorProcess(folder / "tenant", "--tls", str(server)) as emulator:
        yield Tenant(emulator, folder, authority)


class Ours:
    """Both of our ends in one process, from `with` to its end."""

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self._tenant, self._folder = tenant, folder
        self.resting = 0  # bytes of memory before the first turn

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._said = (self._folder / "said").open("wb")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.drive_child", self._tenant.settings(self._folder)],
            env=environment() | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.resting = int(self._answer()["peak"])
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=60)
        self._said.close()

    def turn(self, files: int, size: int) -> Turn:
        """So many files staged, taken in and released. Raises Stopped if one is not there as it was."""
        self._tenant.stage("in/open-day", files, size)
        with self._tenant.counting() as counted:
            answer = self._answer(str(files))
        if answer["verified"] != files:
            raise Stopped(f"Of {files} files {answer['verified']:.0f} were released as they were. {self._words()}")
        _require_moved(counted, files * size, "ours")
        self._tenant.clear()
        return _turn(files, answer, counted)

    def _answer(self, line: str | None = None) -> dict[str, float]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        late = threading.Timer(_WITHIN, self._child.kill)
        late.start()
        try:
            if line is not None:
                self._child.stdin.write(line + "\n")
                self._child.stdin.flush()
            said = self._child.stdout.readline()
        except BrokenPipeError:
            said = ""
        finally:
            late.cancel()
        if not said:
            raise Stopped(f"Our ends stopped. {self._words()}")
        answer: dict[str, float] = json.loads(said)
        return answer

    def _words(self) -> str:
        return (self._folder / "said").read_text(errors="replace")[-2000:]


class Rclone:
    """rclone with both drives as remotes. It downloads and uploads: copying within the service is switched off."""

    def __init__(self, program: str, tenant: Tenant, folder: Path, way: Proxy) -> None:
        self._program, self._tenant, self._folder, self._way = program, tenant, folder, way
        self._turns = 0
        token = {"access_token": _RCLONE, "token_type": "Bearer", "refresh_token": "none"}
        token["expiry"] = "2099-01-01T00:00:00Z"
        self._settings = folder / "rclone.conf"
        self._settings.write_text(
            "".join(
                f"[{name}]\ntype = onedrive\ndrive_id = {drive.id}\ndrive_type = business\n"
                f"token = {json.dumps(token)}\n"
                for name, drive in ((_STAGING, tenant.staging), (_RELEASE, tenant.release))
            )
        )

    def turn(self, files: int, size: int, *, options: tuple[str, ...]) -> Turn:
        """So many files staged and copied, with rclone's own start. Raises Stopped if one is not there as it was."""
        self._turns += 1
        place = f"theirs/{self._turns}"
        self._tenant.stage(place, files, size)
        self._tenant.release.by(_STAFF).folder(place)  # ours is there too
        with self._tenant.counting() as counted:
            answer = self.run("copy", "--disable", "copy", *options, f"{_STAGING}:{place}", f"{_RELEASE}:{place}")
        staged = {item.name: item.hash for item in _items(self._tenant.staging, place)}
        if staged != {item.name: item.hash for item in _items(self._tenant.release, place)}:
            raise Stopped(f"rclone did not copy all of {files} files. {self._words()}")
        _require_moved(counted, files * size, "rclone")
        self._tenant.clear()
        return _turn(files, answer, counted)

    def run(self, *arguments: str) -> dict[str, float]:
        """What a run took: seconds and processor seconds. Raises Stopped."""
        with (self._folder / "rclone said").open("wb") as said:
            started = time.perf_counter()
            program = subprocess.Popen(
                [
                    *(self._program, "--config", self._settings, "--ca-cert", self._tenant.authority),
                    *("--retries", "1", "--low-level-retries", "5", *arguments),
                ],
                env=_without_proxy() | {"HTTPS_PROXY": self._way.address},
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            late = threading.Timer(_WITHIN, partial(os.kill, program.pid, signal.SIGKILL))
            late.start()
            _, status, usage = os.wait4(program.pid, 0)
            late.cancel()
            program.returncode = os.waitstatus_to_exitcode(status)
        if program.returncode:
            raise Stopped(f"rclone ended with {program.returncode}. {self._words()}")
        return {"seconds": time.perf_counter() - started, "cpu": usage.ru_utime + usage.ru_stime}

    def _words(self) -> str:
        return (self._folder / "rclone said").read_text(errors="replace")[-2000:]


@contextmanager
def rclone(tenant: Tenant, folder: Path) -> Iterator[Rclone]:
    """rclone as Debian has it, with its way to the tenant. Raises LeftOut where it is not installed."""
    program = find_rclone()
    folder.mkdir()
    with proxy({_HOST: int(tenant.world.setting("port"))}) as way:
        yield Rclone(program, tenant, folder, way)
    if way.refused:
        raise Stopped(f"rclone asked for {way.refused}.")


def find_rclone() -> str:
    """Where it is. Raises LeftOut."""
    program = shutil.which("rclone")
    if program is None:
        raise LeftOut("rclone is not installed (on Debian and Ubuntu: apt-get install rclone).")
    return program


def require_packages() -> None:
    """Raises LeftOut where what OneDrive takes is not installed."""
    from importlib.util import find_spec

    if find_spec("msgraph") is None or find_spec("azure") is None:
        raise LeftOut("What OneDrive takes is not installed; ./scripts/bench --only onedrive installs it.")


def _turn(files: int, answer: dict[str, float], counted: dict[str, float]) -> Turn:
    return Turn(
        files=files,
        seconds=answer["seconds"],
        cpu=answer["cpu"],
        peak=int(answer.get("peak", 0)),
        tenant_cpu=counted["tenant_cpu"],
        requests=int(counted["requests"]),
        downloaded=int(counted["downloaded"]),
    )


def _require_moved(counted: dict[str, float], size: int, whose: str) -> None:
    """All bytes came down, and no more: a copy made by the service itself would be no measure."""
    if counted["downloaded"] != size:
        raise Stopped(f"Of {size} bytes {counted['downloaded']:.0f} were downloaded ({whose}).")


def _items(drive: Drive, place: str) -> list:  # type: ignore[type-arg] # the emulator's own items
    return [drive.item(f"{place}/{name}") for name in drive.names(place)]


def _without_proxy() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}

"""The contract of a return guard, kept by that of a folder on a disk and by that of a folder in OneDrive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.release.onedrive_rig import PLACE, WRITER_APP, End, Shore
from tests.release.rig import SIGNER, TOP, Guard, Now, Side, eventually
from tests.return_guard.guard_contract import Beach, GuardContract
from tests.store.pieces import digest
from transfer.release.onedrive_hash import quickxor_of_blob, quickxor_of_text
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.renew import ManifestKeeper
from transfer.return_guard.post import Post
from transfer.return_guard.refuse import ReturnDesk
from transfer.store.manifests import Reports
from transfer.store.release_marks import ReleaseMarks

pytestmark = pytest.mark.slow

ASIDE, DEVICE = "TikTok/aside", person("Device")
GUARD = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from transfer.graph.identity import FixedToken
from transfer.graph.lister import Lister
from transfer.graph.session import Session
from transfer.graph.throttle import Manners, Throttle
from transfer.graph.verbs import LISTER
from transfer.return_guard.onedrive_permissions import Device
from transfer.return_guard.onedrive_recognise import Hand
from transfer.return_guard.onedrive_watch import Watched, run_drive_guard

class Now:
    def now(self):
        return datetime.now(UTC)

base_url, drive, release, aside, writer, socket = sys.argv[1:]
session = Session(verbs=LISTER, credential=FixedToken(token="guard"), user_agent="NONISV|Example|Transfer/1",
                  throttle=Throttle(clock=Now(), manners=Manners(patience=5.0)), base_url=base_url)
folders = [Lister(session, drive=drive, folder=folder) for folder in (release, aside)]
watched = Watched(release=folders[0], aside=folders[1], hand=Hand(application=writer), known=(),
                  device=Device(id="nobody", addresses=()), poll_seconds=0.3, audit_seconds=3600.0)
run_drive_guard(watched, socket_path=Path(socket), clock=Now(), monotonic=time.monotonic, entropy=os.urandom)
"""


class Folder:
    """A folder on this disk, and its guard as the kernel limits it."""

    def __init__(self, top: Path) -> None:
        self.side = Side(top)
        self._guard = Guard(self.side)
        assert self.side.post.wait_until_alive(15)

    def there(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.side.release.iterdir() if path.is_file()}

    def aside(self) -> list[str]:
        return os.listdir(self.side.aside)

    def plant(self, name: str, content: bytes) -> None:
        (self.side.release / name).write_bytes(content)

    def plant_folder(self, name: str) -> None:
        (self.side.top / name).mkdir()
        (self.side.top / name / "deep.bin").write_bytes(b"deep")
        (self.side.top / name).rename(self.side.release / name)

    def alter(self, name: str, content: bytes) -> None:
        (self.side.release / name).write_bytes(content)

    def remove(self, name: str) -> None:
        (self.side.release / name).unlink()

    def kill_guard(self) -> None:
        self._guard.kill()

    def start_guard(self) -> None:
        self._guard = Guard(self.side)
        _until_another(self.side)

    def close(self) -> None:
        self._guard.kill()
        self.side.close()


class Drive:
    """A folder in an emulated OneDrive, and its guard over real HTTP."""

    def __init__(self, top: Path, emulator: EmulatorProcess) -> None:
        self._shore = Shore(emulator)
        self._drive = self._shore.drive
        self._aside = self._drive.by(person("Operator")).folder(ASIDE)
        self._device = self._drive.by((DEVICE, application("OneDrive app")))
        world = emulator.world
        world.allow(world.sign_in("guard", application("Guard"), directory=True), "fullcontrol", self._drive)
        self.side = Side(top)
        self._end = End(self._shore, top, database=self.side.database)
        self._wire()
        self._guard: subprocess.Popen[bytes] | None = None
        self.start_guard()

    def _wire(self) -> None:
        """The same line with the ends of a drive."""
        side, end = self.side, self._end
        marks = ReleaseMarks(quickxor=quickxor_of_text)
        side.post.close()
        side.desk = ReturnDesk(
            database=side.database,
            recorder=side.log,
            releases=side.releases,
            manifests=side.manifests,
            reports=Reports(),
            manifest_name=MANIFEST_NAME,
            policy=digest(7),
            marks=marks,
        )
        side.post = Post(
            path=side.socket,
            listing=side.desk.listing,
            record=side.desk.record,
            recorded=lambda: None,
            monotonic=time.monotonic,
        )
        side.post.start()
        side.dispatch = replace(
            side.dispatch,
            sink=end.sink,
            recaller=end.recaller,
            lookout=side.post,
            hashed=lambda clean: quickxor_of_blob(side.blobs, clean.sha256),
            marks=marks,
            sink_knows=True,
        )
        side.keeper = ManifestKeeper(
            database=side.database,
            releases=side.releases,
            manifests=side.manifests,
            board=end.board,
            lookout=side.post,
            signer=SIGNER,
            origin="gateway.example/demo",
            clock=Now(),
            entropy=os.urandom,
            marks=marks,
        )

    def there(self) -> dict[str, bytes]:
        return self._shore.everything()

    def aside(self) -> list[str]:
        return self._drive.names(ASIDE)

    def plant(self, name: str, content: bytes) -> None:
        self._device.put(f"{PLACE}/{name}", content)

    def plant_folder(self, name: str) -> None:
        self._device.put(f"{PLACE}/{name}/deep.bin", b"deep")

    def alter(self, name: str, content: bytes) -> None:
        self._device.replace(self._drive.item(f"{PLACE}/{name}"), content)

    def remove(self, name: str) -> None:
        self._device.remove(self._drive.item(f"{PLACE}/{name}"))

    def kill_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()

    def start_guard(self) -> None:
        command = [sys.executable, "-c", GUARD, self._shore.emulator.base_url, self._drive.id]
        command += [self._shore.folder.id, self._aside.id, str(WRITER_APP.id), str(self.side.socket)]
        self._guard = subprocess.Popen(command, cwd=TOP)
        _until_another(self.side)

    def close(self) -> None:
        self.kill_guard()
        assert self._shore.downloads() == 0
        self.side.post.close()
        self._end.close()


def _until_another(side: Side) -> None:
    """Until the guard that was killed counts as dead, and another is at work."""
    eventually(lambda: not side.post.alive, within=10)
    assert side.post.wait_until_alive(20)


class TestGuardOfAFolder(GuardContract):
    @pytest.fixture
    def beach(self, tmp_path: Path) -> Iterator[Beach]:
        folder = Folder(tmp_path)
        yield folder
        folder.close()


class TestGuardOfADrive(GuardContract):
    @pytest.fixture
    def beach(self, tmp_path: Path) -> Iterator[Beach]:
        with EmulatorProcess(tmp_path / "tenant") as emulator:
            drive = Drive(tmp_path, emulator)
            yield drive
            drive.close()

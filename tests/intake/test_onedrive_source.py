"""The OneDrive source against the emulator: the contract of every source, and what only a drive does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.asking import session
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, person
from tests.intake.source_contract import SourceContract
from transfer.graph.reader import Reader
from transfer.graph.session import DownloadingSession
from transfer.graph.verbs import READER
from transfer.intake.authorship import Staff
from transfer.intake.onedrive import OneDriveRetirer, OneDriveSource
from transfer.model.ends import Retirer, Source
from transfer.model.identifiers import PersonId, SourceId
from transfer.model.states import Arrival, Kind
from transfer.store.database import Database

SAM, IPAD = person("Sam"), person("Ipad")
WHO = PersonId("u_" + "5" * 32)
STAFF = Staff(people={str(SAM.id).casefold(): WHO}, device=frozenset([str(IPAD.email).casefold()]))


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path / "tenant") as running:
        yield running
        assert running.world.counted("errors") == 0, "the emulator failed; its traceback is above"


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("staging")
    emulator.world.allow(emulator.world.sign_in("reader", application("reader")), "read", drive)
    drive.by(SAM).folder("in")
    return drive


class Place:
    """A drive with a source, which can be opened again as after a restart."""

    def __init__(self, emulator: Emulator, drive: Drive, folder: Path) -> None:
        self.emulator, self.drive, self.world = emulator, drive, emulator.world
        self.db = Database.create(folder / "db")
        self._opened: list[OneDriveSource] = []
        self.source = self.open()

    def open(self, *, watched: str | None = None, folder: str | None = None) -> OneDriveSource:
        folder = folder or self.drive.item("in").id
        opened = session(DownloadingSession, READER, self.emulator, "reader")
        source = OneDriveSource(
            source=SourceId("staff"),
            folder=folder,
            reader=Reader(opened, drive=self.drive.id, watched=watched or folder),
            staff=STAFF,
            db=self.db,
            poll_seconds=0.0,
            monotonic=time.monotonic,
        )
        self._opened.append(source)
        return source

    def close(self) -> None:
        for source in self._opened:
            source.close()
        self.db.close()

    def paths(self, source: OneDriveSource | None = None) -> list[bytes]:
        return sorted(there.path for there in (source or self.source).sightings())

    def arrival(self, path: bytes) -> Arrival:
        return {there.path: there for there in self.source.sightings()}[path]


@pytest.fixture
def place(emulator: Emulator, drive: Drive, tmp_path: Path) -> Iterator[Place]:
    made = Place(emulator, drive, tmp_path)
    yield made
    made.close()


class DriveStage:
    """For the contract."""

    removes_originals = False

    def __init__(self, place: Place) -> None:
        self._place = place
        self.source: Source = place.source
        self.retirer: Retirer = OneDriveRetirer()

    def put(self, path: bytes, content: bytes) -> None:
        self._place.drive.by(SAM).put(f"in/{path.decode()}", content)

    def remove(self, path: bytes) -> None:
        self._place.drive.by(SAM).remove(self._place.drive.item(f"in/{path.decode()}"))

    def names_it_can_have(self, names: list[bytes]) -> list[bytes]:
        return [name for name in names if _can_have(name)]

    def plant(self, kind: Kind, path: bytes) -> bool:
        plant = {Kind.SHORTCUT: self._place.drive.by(SAM).shortcut, Kind.PACKAGE: self._place.drive.by(SAM).package}
        if kind not in plant:
            return False
        plant[kind](f"in/{path.decode()}")
        return True


def _can_have(name: bytes) -> bool:
    try:
        return not set(name.decode()) & set('"*:<>?/\\|\n')
    except UnicodeDecodeError:
        return False


class TestOneDriveSource(SourceContract):
    @pytest.fixture
    def stage(self, place: Place) -> DriveStage:
        return DriveStage(place)

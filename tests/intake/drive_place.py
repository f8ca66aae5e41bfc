"""A staging folder in the emulator's drive with a source over it, for tests in one process."""

from __future__ import annotations

import time
from pathlib import Path

from tests.graph.asking import session
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import person
from transfer.graph.reader import Reader
from transfer.graph.session import DownloadingSession
from transfer.graph.verbs import READER
from transfer.intake.authorship import Staff
from transfer.intake.onedrive import OneDriveSource
from transfer.model.identifiers import PersonId, SourceId
from transfer.model.states import Arrival
from transfer.store.database import Database

SAM, ANN, IPAD = person("Sam"), person("Ann"), person("Ipad")
WHO, OTHER = PersonId("u_" + "5" * 32), PersonId("u_" + "6" * 32)
STAFF = Staff(
    people={str(SAM.id).casefold(): WHO, str(ANN.email).casefold(): OTHER},
    device=frozenset([str(IPAD.email).casefold()]),
)


class Place:
    """A drive with a source, which can be opened again as after a restart."""

    def __init__(self, emulator: Emulator, drive: Drive, folder: Path) -> None:
        self.emulator, self.drive, self.world = emulator, drive, emulator.world
        self.db = Database.create(folder / "db")
        self._opened: list[OneDriveSource] = []
        self.source = self.open()

    def open(self, *, watched: str | None = None, folder: str | None = None) -> OneDriveSource:
        """A source, which knows what was known of the drive before."""
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
        """Ends all."""
        for source in self._opened:
            source.close()
        self.db.close()

    def paths(self, source: OneDriveSource | None = None) -> list[bytes]:
        """What is seen, sorted."""
        return sorted(there.path for there in (source or self.source).sightings())

    def arrival(self, path: bytes) -> Arrival:
        """What stands there."""
        return {there.path: there for there in self.source.sightings()}[path]

"""A release folder in an emulated OneDrive, with the real client, database and log over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.graph.emulator.emulator import Emulator, EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.release.rig import Now
from transfer.audit.log import Log
from transfer.graph.identity import FixedToken
from transfer.graph.session import UploadingSession
from transfer.graph.throttle import Manners, Throttle
from transfer.graph.verbs import WRITER
from transfer.graph.writer import CHUNK, Writer
from transfer.model.clock import Clock
from transfer.release.onedrive import OneDriveSink
from transfer.release.onedrive_board import OneDriveBoard
from transfer.release.onedrive_fill import Filler
from transfer.release.onedrive_recall import OneDriveRecaller
from transfer.store.database import Database
from transfer.store.onedrive_placements import Placements
from transfer.store.onedrive_uploads import Uploads

WRITER_APP = application("Release writer")
DEVICE = person("Device")
TOKEN = "writer-token"
PLACE = "TikTok/release"
IMPATIENT = Manners(patience=20.0, first_pause=0.01, longest_pause=0.05)


class Shifted:
    """The time, moved on by hand."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


class Shore:
    """The folder, as those see it who look from outside. `kind`: documentLibrary or business."""

    def __init__(
        self, emulator: Emulator | EmulatorProcess, *, kind: str = "business", quota: int | None = None
    ) -> None:
        self.emulator, self.world = emulator, emulator.world
        self.drive = self.world.drive("Release", kind=kind, quota=quota)
        self.folder = self.drive.by(person("Operator")).folder(PLACE)
        self.world.sign_in(TOKEN, WRITER_APP)
        self.world.allow(TOKEN, "write", self.drive)

    def everything(self) -> dict[str, bytes]:
        return {name: self.drive.content(f"{PLACE}/{name}") for name in self.drive.names(PLACE)}

    def requests(self) -> list[str]:
        """Method and host of all requests of the gateway, in order."""
        return [f"{asked.method} {asked.host}" for asked in self.world.asked()]

    def downloads(self) -> int:
        """What was read of content, by anybody but the hands of this class."""
        return self.world.counted("content_bytes") + self.world.counted("content_requests")


class End:
    """The gateway's side of it: a session, a database with its log, and everything over them. To be closed."""

    def __init__(
        self,
        shore: Shore,
        top: Path,
        *,
        clock: Clock | None = None,
        chunk: int = CHUNK,
        pause: Callable[[float], None] = lambda _seconds: None,
        manners: Manners = IMPATIENT,
        database: Database | None = None,
    ) -> None:
        self.clock = clock or Now()
        path = top / "state.db"
        self.database = database or (Database.open(path) if path.exists() else Database.create(path))
        self.log = Log(origin="gateway.example/demo", clock=self.clock, entropy=os.urandom)
        self.session = UploadingSession(
            verbs=WRITER,
            credential=FixedToken(token=TOKEN),
            throttle=Throttle(clock=self.clock, manners=manners),
            user_agent="NONISV|Example|Transfer/1",
            base_url=shore.emulator.base_url,
        )
        self.writer = Writer(self.session, drive=shore.drive.id, folder=shore.folder.id)
        self.uploads, self.placements = Uploads(), Placements(self.log)
        self.filler = Filler(writer=self.writer, database=self.database, uploads=self.uploads, pause=pause, chunk=chunk)
        shared: dict[str, Any] = {
            "writer": self.writer,
            "application": str(WRITER_APP.id),
            "database": self.database,
            "placements": self.placements,
        }
        self.sink = OneDriveSink(**shared, uploads=self.uploads, filler=self.filler, clock=self.clock)
        self.recaller = OneDriveRecaller(**shared, filler=self.filler)
        self.board = OneDriveBoard(**shared, clock=self.clock)

    def close(self) -> None:
        assert self.session.downloaded == 0
        assert self.session.refused == 0
        self.session.close()
        self.database.close()

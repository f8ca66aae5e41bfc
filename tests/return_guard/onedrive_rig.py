"""A release folder in an emulated OneDrive with a folder aside, and the guard's client over both."""

from __future__ import annotations

from tests.graph.asking import session
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, person
from transfer.graph.lister import Lister
from transfer.graph.session import Session
from transfer.graph.verbs import LISTER
from transfer.model.names import safe_name
from transfer.return_guard.onedrive_perimeter import OneDrivePerimeter
from transfer.return_guard.onedrive_permissions import Device
from transfer.return_guard.onedrive_recognise import Content, Hand, Put

WRITER, GUARD = application("Release writer"), application("Guard")
IPAD, SAM, PAT = person("iPad"), person("Sam"), person("Pat")
RELEASE, ASIDE = "TikTok/release", "TikTok/aside"
HAND = Hand(application=str(WRITER.id))
DEVICE = Device(id=str(IPAD.id), addresses=(str(IPAD.email),))
TOKEN = "guard-token"


class Coast:
    """Both folders, the people who work there, and the guard. To be closed."""

    def __init__(self, emulator: Emulator) -> None:
        self.world = emulator.world
        self.drive = self.world.drive("Release", kind="documentLibrary")
        self.release = self.drive.by(PAT).folder(RELEASE)
        self.aside = self.drive.by(PAT).folder(ASIDE)
        self.writer = self.drive.by(WRITER)
        self.device = self.drive.by((IPAD, application("OneDrive app")))
        self.world.sign_in(TOKEN, GUARD, directory=True)
        self.world.allow(TOKEN, "fullcontrol", self.drive)
        self.session = session(Session, LISTER, emulator, TOKEN)
        self.lister = Lister(self.session, drive=self.drive.id, folder=self.release.id)
        self.lister_aside = Lister(self.session, drive=self.drive.id, folder=self.aside.id)
        self.perimeter = OneDrivePerimeter(release=self.lister, aside=self.lister_aside)

    def put(self, name: str, content: bytes, *, known: bool = True, jpeg: bool = False) -> Put:
        """A file of the gateway's, and what the gateway says of it."""
        item = self.writer.put(f"{RELEASE}/{name}", content)
        facts = self.lister.item(item.id)
        assert facts is not None
        assert facts.quickxor is not None
        return Put(
            name=safe_name(name),
            contents=(Content(size=len(content), quickxor=facts.quickxor),),
            item=item.id if known else None,
            jpeg=jpeg,
        )

    def close(self) -> None:
        assert self.session.downloaded == 0
        assert self.session.refused == 0
        self.session.close()
        assert self.world.counted("content_bytes") + self.world.counted("content_requests") == 0

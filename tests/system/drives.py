"""A workspace whose staff drop into a folder of OneDrive: the emulator as a process, and a gateway that reads there."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.system.place import Place

SAM, IPAD = person("Sam"), person("Ipad")
FOLDER = "Staging"

_SETTINGS = """
[onedrive]
tenant = "university.example"
base_url = "{base_url}"
organisation = "Example University"

[[source]]
id = "staff"
[source.onedrive]
drive = "{drive}"
folder = "{folder}"
device_accounts = ["{device}"]
watch = "{watch}"
poll_seconds = 0.5
settle_seconds = {settle}
[source.onedrive.credential]
kind = "token"
token = "{token}"
[source.onedrive.staff]
"{sam}" = "{submitter}"
"""


class Tenant:
    """The drive that a workspace's gateway reads, and the emulator that serves it."""

    def __init__(self, emulator: EmulatorProcess, place: Place) -> None:
        self.emulator, self.place, self.world = emulator, place, emulator.world
        self.drive: Drive = emulator.world.drive("staging")
        self.world.allow(self.world.sign_in("reader", application("reader")), "read", self.drive)
        self.drive.by(SAM).folder(f"{FOLDER}/open-day")

    def configure(self, *, settle: float = 0.5, watch: str = "folder", token: str = "reader") -> None:
        """Writes the source into the settings."""
        submitter = self.place.site.settings.sources[0].submitter
        self.place.close()
        values = {"base_url": self.emulator.base_url, "drive": self.drive.id, "sam": SAM.id, "submitter": submitter}
        values |= {"folder": self.drive.item(FOLDER).id, "device": IPAD.email, "watch": watch, "token": token}
        with self.place.workspace.settings_file.open("a") as settings:
            settings.write(_SETTINGS.format(**values, settle=settle))

    def drop(self, name: str, content: bytes, *, post: str = "") -> None:
        """Sam uploads a file for the campaign."""
        folder = f"{FOLDER}/open-day/{post}" if post else f"{FOLDER}/open-day"
        self.drive.by(SAM).put(f"{folder}/{name}", content)


def neighbouring_ports() -> int:
    """The first of two free ports: a confined gateway is let through to these, content coming from the second."""
    for _ in range(100):
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", one.getsockname()[1] + 1))
            return int(one.getsockname()[1])
    raise OSError("there are no two free ports beside each other")


@contextmanager
def tenant(place: Place, folder: Path) -> Iterator[Tenant]:
    """A tenant with an empty staging folder for this workspace."""
    first = neighbouring_ports()
    ports = ("--port", str(first), "--content-port", str(first + 1))
    with EmulatorProcess(folder, *ports) as emulator:
        yield Tenant(emulator, place)
        assert emulator.world.counted("errors") == 0, "the emulator failed"

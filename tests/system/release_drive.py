"""A workspace whose device takes from a folder of OneDrive: the emulator as a process, its writer and its guard."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from tests.graph.emulator.answers import Problem
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.system.drives import Tenant, neighbouring_ports
from tests.system.place import Place, wait_for
from transfer.audit.notes import parse_vkey
from transfer.errors import Tampered
from transfer.release.manifest import Manifest, open_manifest

IPAD, PAT = person("Ipad"), person("Pat")
WRITER, GUARD = application("Release writer"), application("Return guard")
RELEASE, ASIDE = "TikTok/release", "TikTok/aside"
MANIFEST = "manifest.note"

_TENANT = """
[onedrive]
tenant = "university.example"
base_url = "{base_url}"
organisation = "Example University"
"""
_SETTINGS = """
[release.onedrive]
drive = "{drive}"
folder = "{release}"
keep_rewritten = {keep}
[release.onedrive.credential]
kind = "token"
token = "writer"
client = "{writer}"
[guard.onedrive]
aside = "{aside}"
device = "{device}"
device_addresses = ["{address}"]
poll_seconds = {poll}
audit_seconds = {audit}
[guard.onedrive.credential]
kind = "token"
token = "guard"
"""


class Shore:
    """The device's folder in OneDrive and the one beside it, as those see them who work there."""

    def __init__(self, emulator: EmulatorProcess, place: Place, *, kind: str = "documentLibrary") -> None:
        self.emulator, self.place, self.world = emulator, place, emulator.world
        self.drive: Drive = self.world.drive("Release", kind=kind)
        self.release = self.drive.by(PAT).folder(RELEASE)
        self.aside = self.drive.by(PAT).folder(ASIDE)
        self.device = self.drive.by((IPAD, application("OneDrive app")))
        self.world.allow(self.world.sign_in("writer", WRITER), "write", self.drive)
        self.world.allow(self.world.sign_in("guard", GUARD, directory=True), "fullcontrol", self.drive)
        self.drive.permit(self.release, IPAD)
        self.drive.permit(self.drive.item(), PAT, roles=("owner",))
        self.drive.permit(self.drive.item(), WRITER, roles=("write",))
        self.drive.permit(self.drive.item(), GUARD, roles=("owner",))

    def configure(self, *, tenant: bool = True, keep: bool = False, poll: float = 0.5, audit: float = 5.0) -> None:
        """Writes the folder into the settings, in place of the one on the disk; `tenant`: the table for it as well."""
        self.place.close()
        values = {"drive": self.drive.id, "release": self.release.id, "aside": self.aside.id, "writer": WRITER.id}
        values |= {"device": IPAD.id, "address": IPAD.email, "keep": str(keep).lower()}
        file = self.place.workspace.settings_file
        lines = [line for line in file.read_text().splitlines() if not line.startswith(('path = "release', "aside ="))]
        more = _TENANT.format(base_url=self.emulator.base_url) if tenant else ""
        file.write_text("\n".join(lines) + "\n" + more + _SETTINGS.format(**values, poll=poll, audit=audit))

    def there(self) -> dict[str, bytes]:
        """What stands in the folder, without the manifest."""
        return {name: self.drive.content(f"{RELEASE}/{name}") for name in self.drive.names(RELEASE) if name != MANIFEST}

    def manifest(self) -> Manifest:
        """What the gateway says should stand there."""
        key = (self.place.workspace.log / "log.vkey").read_text()
        return open_manifest(self.drive.content(f"{RELEASE}/{MANIFEST}"), [parse_vkey(key.strip())])

    def listed(self) -> int:
        """How many files the manifest lists; -1 while there is none, or one that is not the gateway's."""
        with contextlib.suppress(Problem, Tampered):
            return len(self.manifest().entries)
        return -1

    def downloads(self) -> int:
        """Bytes and requests of content by the writer and the guard: none, ever."""
        return sum(
            self.world.counted(what, token=token)
            for what in ("content_bytes", "content_requests")
            for token in ("writer", "guard")
        )

    def check(self) -> None:
        """Every release stands there as it was approved, once, and is in the manifest; nothing else does."""
        released = [row for row in self.place.rows() if row.state.value == "released"]
        found = {name: sha256(content).hexdigest() for name, content in self.there().items()}
        assert found == {row.released_as: row.rebuilt_sha256 for row in released}
        wait_for(lambda: self.listed() == len(found), 30, "the manifest")
        assert {entry.name.text for entry in self.manifest().entries} == set(found)
        assert self.downloads() == 0


@contextmanager
def shore(place: Place, folder: Path, *, kind: str = "documentLibrary") -> Iterator[Shore]:
    """A tenant with an empty release folder for this workspace."""
    first = neighbouring_ports()
    ports = ("--port", str(first), "--content-port", str(first + 1))
    with EmulatorProcess(folder, *ports) as emulator:
        yield Shore(emulator, place, kind=kind)
        assert emulator.world.counted("errors") == 0, "the emulator failed"


def staged(shore: Shore) -> Tenant:
    """A staging folder in another drive of the same tenant."""
    return Tenant(shore.emulator, shore.place)

"""The release end of a site: a folder on a disk or one in OneDrive, and what the terminal is told of their waits.

What enters: a site. What leaves: the ends of one kind. What OneDrive takes is imported only where it is configured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transfer.model.drive import Wait
from transfer.model.identifiers import SourceId
from transfer.release.ends import ReleaseEnds, folder_ends
from transfer.wiring import Site

# No source can have one of these as its identifier: they have a space.
RELEASE_FOLDER = SourceId("release folder")
RETURN_GUARD = SourceId("return guard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """Somebody who may have to wait for OneDrive, as `DriveWatch` looks at it."""

    id: SourceId
    asked: Callable[[], Wait | None]
    closed: Callable[[], None] = lambda: None

    def waiting(self) -> Wait | None:
        """What it waits for now. For any thread."""
        return self.asked()

    def close(self) -> None:
        """Closes all connections."""
        self.closed()


def build_release_ends(site: Site) -> ReleaseEnds:
    """What puts and takes back on the device's side. Raises Misuse if a credential cannot be used."""
    tenant, release = site.settings.onedrive, site.settings.release
    if tenant is None or release.onedrive is None:
        return folder_ends(release.folder, clock=site.clock)
    from transfer.onedrive_release import build_drive_release

    return build_drive_release(site, tenant, release.onedrive)

"""The staging ends of a site: folders on a disk and in OneDrive, what removes originals, how long files stand still.

What enters: a site. What leaves: sources and retirers. What OneDrive takes is imported only where one is configured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfer.intake.folder import FolderRetirer, FolderSource
from transfer.intake.settle import SettleRules
from transfer.model.ends import Retirer
from transfer.model.identifiers import SourceId
from transfer.settings import Settings
from transfer.wiring import Site

if TYPE_CHECKING:
    from transfer.intake.onedrive import OneDriveSource


def build_folders(site: Site) -> list[FolderSource]:
    """The staging folders on a disk, in the order of their watchers."""
    return [
        FolderSource(source=source.source_id, submitter=source.submitter_id, root=source.folder)
        for source in site.settings.folder_sources
    ]


def build_drives(site: Site) -> list[OneDriveSource]:
    """The staging folders in OneDrive. Raises Misuse if a credential cannot be used."""
    if site.settings.onedrive is None:
        return []
    from transfer.onedrive_ends import build_sources

    return build_sources(site)


def build_retirers(site: Site) -> dict[SourceId, Retirer]:
    """What removes originals that were released.

    In OneDrive nothing does: the identity that reads there has no right to, so an original stays, which is recorded.
    """
    retirers: dict[SourceId, Retirer] = {
        source.source_id: FolderRetirer(source=source.source_id, root=source.folder)
        for source in site.settings.folder_sources
    }
    if site.settings.onedrive is not None:
        from transfer.intake.onedrive import OneDriveRetirer

        retirers |= {source.source_id: OneDriveRetirer() for source in site.settings.sources if source.onedrive}
    return retirers


def settle_rules(settings: Settings, source: SourceId) -> SettleRules:
    """How long a file of this source has to stand still."""
    drives = {each.source_id: each.onedrive for each in settings.sources}
    drive = drives.get(source)
    return SettleRules(still=settings.intake.settle_seconds if drive is None else drive.settle_seconds)

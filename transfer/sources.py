"""The staging ends of a site: folders on a disk and in OneDrive, what takes up from them, what removes originals.

What enters: a site. What leaves: sources, doors, retirers. What OneDrive takes is imported only where it is used.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from transfer.arrivals import Arrivals, Taking, Watchers
from transfer.doors import Doors
from transfer.intake.folder import FolderRetirer, FolderSource, FolderWatcher
from transfer.intake.settle import SettleRules
from transfer.loops import Bell
from transfer.model.ends import Retirer, Source
from transfer.model.identifiers import SourceId
from transfer.settings import Settings
from transfer.wiring import Site
from transfer.worklist import Worklist

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


def build_doors(site: Site, bell: Bell, worklist: Worklist, drives: Sequence[Source]) -> Doors:
    """All places where files come in, over one spool; what was taken up goes on the worklist."""
    intake = site.settings.intake
    taking = Taking(
        db=site.db,
        register=site.register,
        blobs=site.blobs,
        policy=site.policy,
        clock=site.clock,
        entropy=secrets.token_bytes,
        reserve=intake.min_free_bytes,
    )

    def arrivals_of(sources: Sequence[Source]) -> Arrivals:
        return Arrivals(
            sources=sources,
            taking=taking,
            rules=partial(settle_rules, site.settings),
            rescan_seconds=intake.rescan_seconds,
            monotonic=time.monotonic,
            taken=lambda item: worklist.add([item]),
            wake=bell.ring,
            ahead=lambda: len(worklist),
        )

    folders = arrivals_of(build_folders(site))
    return Doors(
        folders=folders,
        watchers=_watchers(site, folders),
        drives={drive.id: arrivals_of([drive]) for drive in drives},
        monotonic=time.monotonic,
    )


def _watchers(site: Site, arrivals: Arrivals) -> Watchers:
    return Watchers(
        FolderWatcher(source.folder, tell=arrivals.teller(number))
        for number, source in enumerate(site.settings.folder_sources)
    )

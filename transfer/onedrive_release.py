"""Puts the end in a release folder in OneDrive together out of the settings: one session, and all that writes by it.

What enters: a site. What leaves: ends that are ready to be used; nothing was asked of the service yet. Only where a
release folder in OneDrive is configured is this imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from transfer.device_settings import ReleaseDriveSettings
from transfer.graph.pace import Manners
from transfer.graph.session import UploadingSession, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.verbs import WRITER
from transfer.graph.writer import Writer
from transfer.graph_settings import OneDriveSettings
from transfer.model.drive import Wait
from transfer.onedrive_ends import credential_of
from transfer.release.dispatch import Dispatch
from transfer.release.ends import ReleaseEnds
from transfer.release.onedrive import OneDriveSink
from transfer.release.onedrive_board import OneDriveBoard
from transfer.release.onedrive_fill import Filler
from transfer.release.onedrive_hash import quickxor_of_blob, quickxor_of_text
from transfer.release.onedrive_names import onedrive_name
from transfer.release.onedrive_recall import OneDriveRecaller
from transfer.release.onedrive_recheck import Recheck
from transfer.store.onedrive_placements import Placements
from transfer.store.onedrive_uploads import Uploads
from transfer.store.release_marks import ReleaseMarks
from transfer.wiring import Site

_MANNERS = Manners(patience=45.0)  # what waits longer says so, and the other steps of the line's end have their turn


def build_drive_release(site: Site, tenant: OneDriveSettings, release: ReleaseDriveSettings) -> ReleaseEnds:
    """The ends of a release folder in OneDrive. Raises Misuse if its credential cannot be used."""
    session = build_writing(site, tenant, release)
    writer = Writer(session, drive=release.drive, folder=release.folder)
    placements, uploads = Placements(site.log), Uploads()
    filler = Filler(writer=writer, database=site.db, uploads=uploads, pause=time.sleep)
    application = release.application
    return ReleaseEnds(
        sink=OneDriveSink(
            writer=writer,
            application=application,
            database=site.db,
            uploads=uploads,
            placements=placements,
            filler=filler,
            clock=site.clock,
        ),
        recaller=OneDriveRecaller(
            writer=writer, application=application, database=site.db, placements=placements, filler=filler
        ),
        board=OneDriveBoard(
            writer=writer, application=application, database=site.db, placements=placements, clock=site.clock
        ),
        fitting=onedrive_name,
        hashed=lambda clean: quickxor_of_blob(site.blobs, clean.sha256),
        marks=ReleaseMarks(quickxor=quickxor_of_text),
        sink_knows=True,
        recheck=_recheck(writer, release, placements),
        waiting=lambda: _waiting(session),
        close=session.close,
    )


def build_writing(site: Site, tenant: OneDriveSettings, release: ReleaseDriveSettings) -> UploadingSession:
    """The writer's session: its own identity, its own throttle, and the writer's verbs. Raises Misuse."""
    return UploadingSession(
        verbs=WRITER,
        credential=credential_of(tenant, release.credential),
        throttle=Throttle(clock=site.clock, manners=_MANNERS),
        user_agent=user_agent(tenant.organisation),
        base_url=tenant.base_url,
    )


def _recheck(
    writer: Writer, release: ReleaseDriveSettings, placements: Placements
) -> Callable[[Dispatch], Callable[[], bool]]:
    def make(dispatch: Dispatch) -> Callable[[], bool]:
        return Recheck(
            writer=writer,
            application=release.application,
            dispatch=dispatch,
            placements=placements,
            keep_rewritten=release.keep_rewritten,
        ).round

    return make


def _waiting(session: UploadingSession) -> Wait | None:
    pause = session.waiting()
    return None if pause is None else Wait(why=pause.why, until=pause.until)

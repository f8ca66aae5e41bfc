"""Puts the guard of a release folder in OneDrive together out of the settings: one session, two clients.

What enters: settings; nothing else of the workspace is within its reach. What leaves: what the guard watches, and by
what it judges. Nothing was asked of the service yet.
"""

from __future__ import annotations

from transfer.errors import Misuse
from transfer.graph.lister import Lister
from transfer.graph.pace import Manners
from transfer.graph.session import Session, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.verbs import LISTER
from transfer.model.clock import Clock
from transfer.onedrive_ends import credential_of
from transfer.return_guard.onedrive_permissions import Device
from transfer.return_guard.onedrive_recognise import Hand
from transfer.return_guard.onedrive_watch import Watched
from transfer.settings import Settings

_MANNERS = Manners(patience=45.0)


def build_watched(settings: Settings, *, clock: Clock) -> Watched:
    """What the guard of the settings' release folder takes. Raises Misuse if there is none, or its credential cannot
    be used."""
    tenant, release, guard = settings.onedrive, settings.release.onedrive, settings.guard.onedrive
    if tenant is None or release is None or guard is None:
        raise Misuse("The settings name no release folder in OneDrive to guard.", clauses=("G5",))
    session = Session(
        verbs=LISTER,
        credential=credential_of(tenant, guard.credential),
        throttle=Throttle(clock=clock, manners=_MANNERS),
        user_agent=user_agent(tenant.organisation),
        base_url=tenant.base_url,
    )
    return Watched(
        release=Lister(session, drive=release.drive, folder=release.folder),
        aside=Lister(session, drive=release.drive, folder=guard.aside),
        hand=Hand(application=release.application, person=release.person or None),
        device=Device(id=guard.device, addresses=guard.device_addresses),
        known=guard.known,
        poll_seconds=guard.poll_seconds,
        audit_seconds=guard.audit_seconds,
    )

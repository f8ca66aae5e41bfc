"""Puts the ends in OneDrive together out of the settings: sessions with their credentials, sources.

What enters: a site. What leaves: sources that are ready to be asked; nothing was asked of the service yet. Only this
module and `transfer doctor` make sessions, and only where OneDrive is configured.
"""

from __future__ import annotations

import sys
import time

from transfer.errors import Misuse
from transfer.graph.identity import Certificate, Credential, DeviceCode, FixedToken, ManagedIdentity
from transfer.graph.pace import Manners
from transfer.graph.reader import Reader
from transfer.graph.session import DownloadingSession, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.verbs import READER
from transfer.graph_settings import CredentialKind, CredentialSettings, OneDriveSettings, StagingSettings, WatchMode
from transfer.intake.authorship import Staff
from transfer.intake.onedrive import OneDriveSource
from transfer.model.identifiers import PersonId
from transfer.wiring import Site

_MANNERS = Manners(patience=45.0)  # a source that waits longer says so and lets the others have their turn


def build_sources(site: Site) -> list[OneDriveSource]:
    """All staging folders in OneDrive. Raises Misuse if a credential cannot be used."""
    tenant = site.settings.onedrive
    if tenant is None:
        return []
    throttles: dict[Credential, Throttle] = {}  # one for each identity: the service counts by who asks

    def throttle_of(settings: CredentialSettings) -> Throttle:
        return throttles.setdefault(credential_of(tenant, settings), Throttle(clock=site.clock, manners=_MANNERS))

    return [
        OneDriveSource(
            source=source.source_id,
            folder=source.onedrive.folder,
            reader=build_reader(tenant, source.onedrive, throttle=throttle_of(source.onedrive.credential)),
            staff=staff_of(source.onedrive),
            db=site.db,
            poll_seconds=source.onedrive.poll_seconds,
            monotonic=time.monotonic,
        )
        for source in site.settings.sources
        if source.onedrive is not None
    ]


def build_reader(tenant: OneDriveSettings, staging: StagingSettings, *, throttle: Throttle) -> Reader:
    """The client of one staging folder. Raises Misuse."""
    session = DownloadingSession(
        verbs=READER,
        credential=credential_of(tenant, staging.credential),
        throttle=throttle,
        user_agent=user_agent(tenant.organisation),
        base_url=tenant.base_url,
    )
    watched = staging.folder if staging.watch is WatchMode.FOLDER else "root"
    return Reader(session, drive=staging.drive, watched=watched)


def credential_of(tenant: OneDriveSettings, settings: CredentialSettings) -> Credential:
    """What signs in, as the settings say. Raises Misuse."""
    match settings.kind:
        case CredentialKind.CERTIFICATE:
            path = settings.certificate_path
            if path is None:
                raise Misuse("The settings name no certificate to sign in with.", advice="See docs/onedrive.md.")
            return Certificate(tenant=tenant.tenant, client=settings.client, path=path)
        case CredentialKind.MANAGED_IDENTITY:
            return ManagedIdentity(client=settings.client or None)
        case CredentialKind.DEVICE_CODE:
            return DeviceCode(tenant=tenant.tenant, client=settings.client, tell=_tell)
        case CredentialKind.TOKEN:
            return FixedToken(token=settings.token)


def staff_of(staging: StagingSettings) -> Staff:
    """Who may hand files in, in any spelling of capitals."""
    return Staff(
        people={name.casefold(): PersonId(person) for name, person in staging.staff.items()},
        device=frozenset(name.casefold() for name in staging.device_accounts),
    )


def _tell(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")

"""Clients that try rights in OneDrive, each with a closed list of its own: for `transfer doctor`.

What enters: the tenant, and as whom to sign in. What leaves: sessions, to be closed; nothing was asked yet.
"""

from __future__ import annotations

from transfer.graph.pace import Manners
from transfer.graph.session import Session, UploadingSession, user_agent
from transfer.graph.throttle import Throttle
from transfer.graph.verbs import ONLOOKER, PROBER
from transfer.graph_settings import CredentialSettings, OneDriveSettings
from transfer.model.clock import Clock
from transfer.onedrive_ends import credential_of

_MANNERS = Manners(patience=15.0)  # somebody waits for the answer


def patient(clock: Clock) -> Throttle:
    """The manners of one identity."""
    return Throttle(clock=clock, manners=_MANNERS)


def build_prober(tenant: OneDriveSettings, credential: CredentialSettings, *, clock: Clock) -> UploadingSession:
    """An identity that tries to see folders and to begin uploads. Raises Misuse."""
    return UploadingSession(
        verbs=PROBER,
        credential=credential_of(tenant, credential),
        throttle=patient(clock),
        user_agent=user_agent(tenant.organisation),
        base_url=tenant.base_url,
    )


def build_onlooker(tenant: OneDriveSettings, credential: CredentialSettings, *, clock: Clock) -> Session:
    """The guard's identity, which sees what the guard sees and does nothing. Raises Misuse."""
    return Session(
        verbs=ONLOOKER,
        credential=credential_of(tenant, credential),
        throttle=patient(clock),
        user_agent=user_agent(tenant.organisation),
        base_url=tenant.base_url,
    )

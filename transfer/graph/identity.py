"""As whom the gateway signs in to Microsoft Graph: one identity for each direction, each with its own credential.

What enters: a credential of the settings. What leaves: something that puts a token on requests to one host and on no
other. Trusted: Microsoft's sign-in service. The key of a certificate stays in its file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An app registration that signs in with a certificate and its RSA key, both in one PEM or PFX file."""

    tenant: str
    client: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """The identity that a machine in Azure has; `client` where it has several."""

    client: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A person signs in by hand, for a trial: `tell` shows the sentence that says where and with which code."""

    tenant: str
    client: str
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedToken:
    """A token as it is, for a service on this machine only."""

    token: str = field(repr=False)


Credential = Certificate | ManagedIdentity | DeviceCode | FixedToken

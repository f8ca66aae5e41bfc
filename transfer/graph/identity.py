"""As whom the gateway signs in to Microsoft Graph: one identity for each direction, each with its own credential.

What enters: a credential of the settings. What leaves: something that puts a token on requests to one host and on no
other. Trusted: Microsoft's sign-in service. The key of a certificate stays in its file and in this process.
"""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from transfer.errors import Misuse
from transfer.graph.faults import Denied, GraphFault, Unreached
from transfer.graph.places import Place

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError
    from kiota_abstractions.authentication import AuthenticationProvider

_CODE = re.compile(r"AADSTS[0-9]{4,9}")  # which of its reasons the sign-in service has
_ADVICE = "`transfer doctor` tries the sign-in; docs/onedrive.md says how the credential is made."


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


class SignIn:
    """Tokens for one place. To be closed."""

    def __init__(self, credential: Credential, place: Place) -> None:
        """Raises Misuse if the credential cannot be used, such as a file that is none."""
        self._place = place
        self._source = _source(credential, place)

    def provider(self) -> AuthenticationProvider:
        """What the SDK asks for a token. It answers for requests to the place's host and stays silent for all others.

        Continuous access evaluation is off: a token then lives an hour and is never challenged in between.
        """
        from kiota_abstractions.authentication import BaseBearerTokenAuthenticationProvider
        from kiota_authentication_azure.azure_identity_access_token_provider import AzureIdentityAccessTokenProvider

        return BaseBearerTokenAuthenticationProvider(
            AzureIdentityAccessTokenProvider(
                self._source, None, scopes=[self._place.scope], allowed_hosts=[self._place.host], is_cae_enabled=False
            )
        )

    async def close(self) -> None:
        """Closes the credential's own connections."""
        await self._source.close()


def sign_in_fault(error: AzureError) -> GraphFault:
    """The fault that an error of the sign-in is. Of its text, which may hold names and ids, only the code is kept."""
    from azure.core.exceptions import ClientAuthenticationError

    if isinstance(error, ClientAuthenticationError):  # the wrong tenant, app or certificate, or one that has expired
        found = _CODE.search(error.message or "")
        said = f" ({found[0]})" if found else ""
        return Denied(f"The sign-in to Microsoft Graph was refused{said}.", code="sign-in", advice=_ADVICE)
    return Unreached("Microsoft's sign-in service cannot be reached.", code="sign-in", advice=_ADVICE)


def _source(credential: Credential, place: Place) -> AsyncTokenCredential:
    from azure.identity.aio import CertificateCredential, ManagedIdentityCredential

    if isinstance(credential, FixedToken):
        if not place.loopback:
            raise Misuse(
                f"A fixed token is for a service on this machine, not for {place.host}.",
                advice="Use a certificate or a managed identity.",
                clauses=("G5",),
            )
        return _Fixed(credential.token)
    if isinstance(credential, ManagedIdentity):
        return ManagedIdentityCredential(client_id=credential.client)
    if isinstance(credential, DeviceCode):
        return _ByHand(credential)
    _require_private(credential.path)
    try:
        return CertificateCredential(credential.tenant, credential.client, certificate_path=str(credential.path))
    except (OSError, ValueError) as error:
        raise Misuse(
            f"The certificate {credential.path} cannot be used to sign in to Microsoft Graph.",
            advice="It must be a PEM file with the certificate and its RSA key, readable by the gateway's user.",
        ) from error


def _require_private(path: Path) -> None:
    """Raises Misuse where everybody on the machine can read or change the key; what is not there is said elsewhere."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise Misuse(
            f"The certificate {path} with its key is open to everybody here (mode {stat.S_IMODE(mode):04o}).",
            advice=f"Consider whether somebody has copied it; then: chmod 600 {path}",
        )


class _Fixed:
    """The same token for ever."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *_scopes: str, **_kwargs: Any) -> AccessToken:
        from azure.core.credentials import AccessToken

        return AccessToken(self._token, 1 << 32)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""


class _ByHand:
    """A device-code sign-in; the library has it for threads only."""

    def __init__(self, credential: DeviceCode) -> None:
        from azure.identity import DeviceCodeCredential

        def prompt(address: str, code: str, _until: datetime) -> None:
            credential.tell(f"To sign in to OneDrive, open {address} and enter the code {code}.")

        self._inner = DeviceCodeCredential(credential.client, tenant_id=credential.tenant, prompt_callback=prompt)

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return await asyncio.to_thread(self._inner.get_token, *scopes, **kwargs)

    async def close(self) -> None:
        """Closes the library's connections."""
        self._inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

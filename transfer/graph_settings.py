"""`[onedrive]` and `[source.onedrive]` of the settings: the tenant, folders there, who signs in, who is staff.

What enters: tables that the operator wrote. What leaves: values. Whether an address is Microsoft Graph's is looked at
where it is used, before anything is sent there.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from transfer.errors import Misuse
from transfer.model.identifiers import PersonId, parse_person_id
from transfer.setting_values import one_word
from transfer.strict_toml import StrictModel

GRAPH_ID = r"^[A-Za-z0-9!_-]{1,200}$"
_TENANT = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,199}$"


class CredentialKind(StrEnum):
    """How an identity signs in to Microsoft Graph."""

    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed_identity"
    DEVICE_CODE = "device_code"  # by hand, for a trial
    TOKEN = "token"  # noqa: S105 - the kind, for a service on this machine only, as tests have


class WatchMode(StrEnum):
    """What the service is asked for changes of."""

    FOLDER = "folder"
    ROOT = "root"  # the whole drive, where it cannot tell the changes of one folder


def _absolute(value: str) -> str:
    if value and not os.path.isabs(value):
        raise ValueError(f"the certificate's place is an absolute path, not {value!a}")
    return value


class CredentialSettings(StrictModel):
    """`[….credential]`: as whom one direction signs in. Each direction has its own."""

    kind: Annotated[CredentialKind, one_word(CredentialKind)]
    client: Annotated[str, Field(pattern=r"^([A-Za-z0-9-]{1,64})?$")] = ""
    certificate: Annotated[str, Field(max_length=1000), AfterValidator(_absolute)] = ""
    token: Annotated[str, Field(max_length=200, repr=False)] = ""

    @model_validator(mode="after")
    def _complete(self) -> CredentialSettings:
        needs = {
            CredentialKind.CERTIFICATE: ("client", "certificate"),
            CredentialKind.DEVICE_CODE: ("client",),
            CredentialKind.TOKEN: ("token",),
        }.get(self.kind, ())
        missing = [name for name in needs if not getattr(self, name)]
        if missing:
            raise ValueError(f"a credential of the kind {self.kind.value!a} needs `{missing[0]}`")
        return self

    @property
    def certificate_path(self) -> Path | None:
        """The file with certificate and key, if this kind has one."""
        return Path(self.certificate) if self.kind is CredentialKind.CERTIFICATE else None

    def is_same(self, other: CredentialSettings) -> bool:
        """Whether both sign in as the same identity, as far as can be told without asking."""
        if self.token or other.token:
            return self.token == other.token
        if self.client or other.client:
            return self.client.casefold() == other.client.casefold()
        return self.kind is other.kind


class OneDriveSettings(StrictModel):
    """`[onedrive]`: the tenant, and how the service is to know this gateway's requests."""

    tenant: Annotated[str, Field(pattern=_TENANT)]
    base_url: Annotated[str, Field(max_length=200)] = "https://graph.microsoft.com/v1.0"
    organisation: Annotated[str, Field(max_length=60)] = ""


class StagingSettings(StrictModel):
    """`[source.onedrive]`: one staging folder, its reader, and whose files are taken.

    `staff` names people by object id or e-mail address, and says which submitter (a pseudonym) each one is;
    `device_accounts` are those of the device, which nobody may be by mistake.
    """

    drive: Annotated[str, Field(pattern=GRAPH_ID)]
    folder: Annotated[str, Field(pattern=GRAPH_ID)] = "root"
    credential: CredentialSettings
    staff: Annotated[dict[str, str], Field(min_length=1, max_length=10_000)]
    device_accounts: Annotated[tuple[str, ...], Field(strict=False, max_length=100)] = ()
    watch: Annotated[WatchMode, one_word(WatchMode)] = WatchMode.FOLDER
    poll_seconds: Annotated[float, Field(ge=0.5, le=3600, strict=False)] = 15.0
    settle_seconds: Annotated[float, Field(ge=0.5, le=3600, strict=False)] = 30.0

    @model_validator(mode="after")
    def _people(self) -> StagingSettings:
        known: dict[str, str] = {}
        for name, person in self.staff.items():
            try:
                parse_person_id(person)
            except Misuse as error:
                raise ValueError(f"staff {name!a}: {str(error).rstrip('.')}") from error
            if known.setdefault(name.casefold(), person) != person:
                raise ValueError(f"staff {name!a} stands for two people")
        both = known.keys() & {name.casefold() for name in self.device_accounts}
        if both:
            raise ValueError(f"{min(both)!a} is the device's account and cannot be staff: nothing comes back from it")
        return self

    @property
    def submitters(self) -> frozenset[PersonId]:
        """Everybody whose files come from here."""
        return frozenset(map(PersonId, self.staff.values()))

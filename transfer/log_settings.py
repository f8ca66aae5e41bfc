"""`[log]` of the settings: how often the log is signed, verified and pruned, and where its signing key lies.

What enters: a table that the operator wrote, and the environment. What leaves: values, and the key's place. The key is
a file of the workspace unless `key` names another one, or a credential that systemd hands to the service.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from transfer.errors import Misuse
from transfer.strict_toml import StrictModel

CREDENTIAL = "credential:"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
_MOST = 1000


def _key_text(value: str) -> str:
    name = value.removeprefix(CREDENTIAL)
    if value.startswith(CREDENTIAL):
        if not name or name in {".", ".."} or "/" in name or not name.isprintable():
            raise ValueError(f"after «{CREDENTIAL}» comes the credential's name, which is no path, not {name!a}")
    elif value and not os.path.isabs(value):
        raise ValueError(f"the key's place is an absolute path or «{CREDENTIAL}NAME», not {value!a}")
    return value


class LogSettings(StrictModel):
    """`[log]`: how often new entries are signed and published, and how often all of it is verified; 0 is never.

    `keep_days`: the entries of a sealed shard go so long after it was sealed; 0 is never. `key`: where the signing key
    is kept if not in the workspace, an absolute path or `credential:NAME`.
    """

    publish_seconds: Annotated[float, Field(ge=0.1, le=3600, strict=False)] = 1.0
    verify_hours: Annotated[float, Field(ge=0, le=8760, strict=False)] = 24.0
    keep_days: Annotated[int, Field(ge=0, le=36500)] = 400
    key: Annotated[str, Field(max_length=_MOST), AfterValidator(_key_text)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """Where a private key is. `named` is how the settings or a command name it, empty for the workspace's own file;
    `path` is None for a credential that this process was not handed."""

    named: str
    path: Path | None

    @property
    def elsewhere(self) -> bool:
        """Whether it is kept outside of the workspace."""
        return bool(self.named)

    @property
    def is_credential(self) -> bool:
        """Whether systemd hands it over."""
        return self.named.startswith(CREDENTIAL)

    @property
    def told(self) -> str:
        """For sentences."""
        return self.named or str(self.path)

    def require(self) -> Path:
        """Raises Misuse where it is a credential and none was handed over."""
        if self.path is None:
            raise Misuse(
                f"The log's key is {self.named}, and ${CREDENTIALS_VARIABLE} is not set, so no credential was handed "
                "to this process.",
                advice="systemd sets it for a service with LoadCredential= or LoadCredentialEncrypted=; for one "
                "command: `systemd-run` with the same property (docs/keys.md).",
            )
        return self.path


def key_place(named: str, *, own: Path, environ: Mapping[str, str]) -> KeyPlace:
    """The place that `[log] key` or an option names; `own` is the workspace's file. Raises Misuse for bad spelling."""
    try:
        _key_text(named)
    except ValueError as error:
        raise Misuse(f"{str(error).capitalize()}.", advice="Write the path from the root folder on.") from error
    if named.startswith(CREDENTIAL):
        folder = environ.get(CREDENTIALS_VARIABLE, "")
        path = Path(folder) / named.removeprefix(CREDENTIAL) if os.path.isabs(folder) else None
        return KeyPlace(named=named, path=path)
    return KeyPlace(named=named, path=Path(os.path.normpath(named)) if named else own)


def check_key_apart(place: KeyPlace, where: str, *, folders: Iterable[tuple[str, Path]]) -> None:
    """A key that is kept elsewhere lies in none of these (a name and a folder). Raises Misuse, beginning with `where`.

    In the workspace it would be backed up, on one of the two sides others could read it.
    """
    if not place.elsewhere or place.path is None:
        return
    path = Path(os.path.realpath(place.path))
    for name, folder in folders:
        if path.is_relative_to(os.path.realpath(folder)):
            raise Misuse(
                f"{where}: the log's key {place.path} lies in {name}, and is to be kept elsewhere.",
                advice="Name a file outside of it, or leave `key` out: then it is keys/log.key.",
            )

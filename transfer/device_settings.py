"""`[release]` and `[guard]` of the settings: the device's side, as a folder on a disk or in OneDrive, and its guard.

What enters: tables that the operator wrote. What leaves: values, or ValueError, of which the reader makes a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from transfer.graph_settings import GRAPH_ID, CredentialKind, CredentialSettings, StagingSettings
from transfer.model.identifiers import DeviceId, parse_device_id
from transfer.setting_values import PathText, identified
from transfer.strict_toml import StrictModel

_DIRECTORY_ID = r"^[A-Za-z0-9-]{1,64}$"
_ADDRESS = r"^[^\s@]{1,120}@[^\s@]{1,120}$"


class ReleaseDriveSettings(StrictModel):
    """`[release.onedrive]`: a release folder there, and its writer.

    `keep_rewritten`: a picture that the library itself changes after it was sent stays; without it, it is taken back,
    for it is not bit for bit what was approved. `person`: the object id of whoever signs in by hand, for a trial.
    """

    drive: Annotated[str, Field(pattern=GRAPH_ID)]
    folder: Annotated[str, Field(pattern=GRAPH_ID)]
    credential: CredentialSettings
    keep_rewritten: bool = False
    person: Annotated[str, Field(pattern=r"^([A-Za-z0-9-]{1,64})?$")] = ""

    @model_validator(mode="after")
    def _known_by(self) -> ReleaseDriveSettings:
        if not self.credential.client:
            raise ValueError(
                "the writer's credential needs `client`: by that application's id our own files are told from others"
            )
        by_hand = self.credential.kind is CredentialKind.DEVICE_CODE
        if by_hand != bool(self.person):
            raise ValueError(
                "`person` is the object id of whoever signs in by hand (kind = 'device_code'), and of nobody else"
            )
        return self

    @property
    def application(self) -> str:
        """As which application the gateway writes there."""
        return self.credential.client


class ReleaseSettings(StrictModel):
    """`[release]`: the device's side, a folder on a disk (`path`, `aside`) or one in OneDrive."""

    path: PathText = "release"
    aside: PathText = "release-aside"
    device: Annotated[str, AfterValidator(lambda value: identified(value, parse_device_id))]
    onedrive: ReleaseDriveSettings | None = None

    @model_validator(mode="after")
    def _one_place(self) -> ReleaseSettings:
        if self.onedrive is not None and self.model_fields_set & {"path", "aside"}:
            raise ValueError(
                "a release folder in OneDrive has no `path` and no `aside`: [guard.onedrive] says where things go aside"
            )
        return self

    @property
    def device_id(self) -> DeviceId:
        """The device that takes from here, typed."""
        return DeviceId(self.device)

    @property
    def named_folders(self) -> tuple[tuple[str, Path], ...]:
        """The folders on a disk with what they are called in a sentence; none in OneDrive.

        Where approved files go, and where the guard moves what is not ours; absolute in what `load_settings` returns.
        """
        if self.onedrive is not None:
            return ()
        return ("the release folder", self.folder), ("the release-aside folder", self.aside_folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders on a disk; none in OneDrive."""
        return tuple(path for _, path in self.named_folders)

    @property
    def folder(self) -> Path:
        """Where approved files go, on a disk; absolute in what `load_settings` returns."""
        return Path(self.path)

    @property
    def aside_folder(self) -> Path:
        """Where the guard moves what is not ours, on a disk; absolute in what `load_settings` returns."""
        return Path(self.aside)


class GuardDriveSettings(StrictModel):
    """`[guard.onedrive]`: what the guard of a release folder in OneDrive goes by.

    `aside` is the item id of a folder in the same drive that the device cannot see; `device` the object id of the
    device's account, `device_addresses` its addresses; `known` are groups that somebody vouches for as ones without it.
    Seconds between two looks at the folder, and between two at who may reach it.
    """

    aside: Annotated[str, Field(pattern=GRAPH_ID)]
    device: Annotated[str, Field(pattern=_DIRECTORY_ID)]
    device_addresses: Annotated[
        tuple[Annotated[str, Field(pattern=_ADDRESS)], ...], Field(strict=False, min_length=1, max_length=20)
    ]
    known: Annotated[tuple[Annotated[str, Field(pattern=_DIRECTORY_ID)], ...], Field(strict=False, max_length=100)] = ()
    poll_seconds: Annotated[float, Field(ge=0.5, le=300, strict=False)] = 5.0
    audit_seconds: Annotated[float, Field(ge=5, le=86_400, strict=False)] = 900.0
    credential: CredentialSettings


class GuardSettings(StrictModel):
    """`[guard]`: a guard that runs as a user of its own. Beside the gateway's own user, `user` may connect, at
    `socket`: in a folder that this user can enter, and that nobody but the gateway can write to."""

    user: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_.-]{0,31})?$")] = ""
    socket: Annotated[str, Field(max_length=1000)] = ""
    onedrive: GuardDriveSettings | None = None

    @model_validator(mode="after")
    def _within_reach(self) -> GuardSettings:
        if self.user and not self.socket:
            raise ValueError("another user cannot enter the workspace's state folder: `socket` says where they meet")
        return self


def require_guarded(release: ReleaseSettings, guard: GuardSettings, stagings: Sequence[StagingSettings]) -> None:
    """Whether a release folder in OneDrive has its guard, and the three directions their own identities and folders.

    Raises ValueError with what is wrong.
    """
    if release.onedrive is None and guard.onedrive is None:
        return
    if release.onedrive is None:
        raise ValueError(
            "[guard.onedrive] guards a release folder in OneDrive, and the table [release.onedrive] is missing"
        )
    if guard.onedrive is None:
        raise ValueError(
            "a release folder in OneDrive needs the table [guard.onedrive]: nothing is released without its guard"
        )
    for wrong in (*_shared(release.onedrive, guard.onedrive, stagings), *_is_staff(guard.onedrive, stagings)):
        raise ValueError(wrong)


def _shared(
    release: ReleaseDriveSettings, guard: GuardDriveSettings, stagings: Sequence[StagingSettings]
) -> Iterator[str]:
    """What two directions have in common, in a sentence for each."""
    if guard.aside == release.folder:
        yield "`aside` of [guard.onedrive] is the release folder itself: give it a folder that the device cannot see"
    if guard.credential.is_same(release.credential):
        yield "[guard.onedrive.credential] is the writer's: the guard has an identity of its own"
    for staging in stagings:
        if staging.drive == release.drive and staging.folder in {release.folder, guard.aside}:
            yield "a staging folder in OneDrive is the release folder, or the one beside it: that would be a way back"
        if staging.credential.is_same(release.credential):
            yield "[release.onedrive.credential] is a reader's: the writer has an identity of its own"
        if staging.credential.is_same(guard.credential):
            yield "[guard.onedrive.credential] is a reader's: the guard has an identity of its own"


def _is_staff(guard: GuardDriveSettings, stagings: Sequence[StagingSettings]) -> Iterator[str]:
    device = {name.casefold() for name in (guard.device, *guard.device_addresses)}
    for staging in stagings:
        for name in staging.staff:
            if name.casefold() in device:
                yield f"{name!a} is the device's account and cannot be staff: nothing comes back from it"

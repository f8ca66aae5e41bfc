"""The settings of one workspace: `transfer.toml`, read strictly, with every path made absolute.

What enters: a file the operator wrote. What leaves: `Settings`, or `Misuse` with the line and what to write instead.
Settings say where things are and how the machine is used; what may pass is said by the policy alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from transfer.device_settings import GuardSettings, ReleaseSettings, require_guarded
from transfer.errors import Misuse
from transfer.graph_settings import OneDriveSettings, StagingSettings
from transfer.log_settings import LogSettings, check_key_apart, key_place
from transfer.model.identifiers import PersonId, SourceId, parse_person_id, parse_source_id
from transfer.scanner_settings import ScannerSettings
from transfer.setting_values import ByteSize, identified, one_word
from transfer.strict_toml import Document, StrictModel, read_document
from transfer.workspace import Workspace


class SourceKind(StrEnum):
    """What stands behind a staging folder."""

    FOLDER = "folder"
    ONEDRIVE = "onedrive"


class ValveMode(StrEnum):
    """What happens where the kernel cannot enforce that nothing comes back."""

    REQUIRE = "require"  # the gateway does not start
    PREFER = "prefer"  # it starts, and says so everywhere and in the log


class GatewaySettings(StrictModel):
    """`[gateway]`."""

    origin: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*(/[A-Za-z0-9._~-]+)*$", max_length=200)]


class SourceSettings(StrictModel):
    """`[[source]]`: one staging folder. What lies in a `path` counts as dropped by `submitter`, a pseudonym; in a
    folder of OneDrive (`[source.onedrive]`) whoever wrote a file hands it in."""

    id: Annotated[str, AfterValidator(lambda value: identified(value, parse_source_id))]
    path: Annotated[str, Field(max_length=1000)] = ""
    submitter: Annotated[str, AfterValidator(lambda value: value and identified(value, parse_person_id))] = ""
    kind: Annotated[SourceKind | None, one_word(SourceKind)] = None
    onedrive: StagingSettings | None = None

    @model_validator(mode="after")
    def _one_place(self) -> SourceSettings:
        if self.onedrive is None and not (self.path and self.submitter):
            raise ValueError("a source has a `path` and a `submitter`, or a table [source.onedrive]")
        if self.onedrive is not None and (self.path or self.submitter):
            raise ValueError("a source in OneDrive has no `path` and no `submitter`: its `staff` says who is who")
        if self.kind is not None and (self.kind is SourceKind.ONEDRIVE) != (self.onedrive is not None):
            raise ValueError(f"`kind` is {self.kind.value!a}, and the table [source.onedrive] says otherwise")
        return self

    @property
    def submitters(self) -> frozenset[PersonId]:
        """Everybody whose files come from here."""
        return frozenset([self.submitter_id]) if self.onedrive is None else self.onedrive.submitters

    @property
    def source_id(self) -> SourceId:
        """The identifier, typed."""
        return SourceId(self.id)

    @property
    def submitter_id(self) -> PersonId:
        """The pseudonym, typed; of a folder on a disk."""
        return PersonId(self.submitter)

    @property
    def folder(self) -> Path:
        """The folder on a disk; absolute in what `load_settings` returns."""
        return Path(self.path)


class ValveSettings(StrictModel):
    """`[valve]`, or `valve = "prefer"` for short."""

    mode: Annotated[ValveMode, one_word(ValveMode)] = ValveMode.REQUIRE


class IntakeSettings(StrictModel):
    """`[intake]`: when a file counts as settled, how often everything is looked at, and how full a disk may get."""

    settle_seconds: Annotated[float, Field(ge=0.2, le=3600, strict=False)] = 2.0
    rescan_seconds: Annotated[float, Field(ge=0.5, le=3600, strict=False)] = 5.0
    min_free_bytes: ByteSize = 500_000_000


class SandboxSettings(StrictModel):
    """`[sandbox]`: the processes that open untrusted files. `workers`: cores that work on files; 0 means all."""

    workers: Annotated[int, Field(ge=0, le=64)] = 0
    memory_mb: Annotated[int, Field(ge=256, le=65536)] = 2048
    seconds: Annotated[int, Field(ge=5, le=86400)] = 600
    strict: bool = False  # a new process for every file


def _valve(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


class Settings(StrictModel):
    """Everything in `transfer.toml`. `sha256` is the digest of the settings in effect, for the log."""

    gateway: GatewaySettings
    sources: Annotated[tuple[SourceSettings, ...], Field(alias="source", min_length=1, strict=False)]
    release: ReleaseSettings
    valve: Annotated[ValveSettings, BeforeValidator(_valve)] = ValveSettings()
    scanner: ScannerSettings = ScannerSettings()
    intake: IntakeSettings = IntakeSettings()
    sandbox: SandboxSettings = SandboxSettings()
    log: LogSettings = LogSettings()
    guard: GuardSettings = GuardSettings()
    onedrive: OneDriveSettings | None = None

    @model_validator(mode="after")
    def _tenant(self) -> Settings:
        if self.onedrive is None and any(source.onedrive is not None for source in self.sources):
            raise ValueError("a source is in OneDrive, and the table [onedrive] with the tenant is missing")
        if self.onedrive is None and self.release.onedrive is not None:
            raise ValueError("the release folder is in OneDrive, and the table [onedrive] with the tenant is missing")
        stagings = [source.onedrive for source in self.sources if source.onedrive is not None]
        require_guarded(self.release, self.guard, stagings)
        return self

    @property
    def folder_sources(self) -> tuple[SourceSettings, ...]:
        """The sources that are folders on a disk."""
        return tuple(source for source in self.sources if source.onedrive is None)

    @property
    def sha256(self) -> str:
        """Hexadecimal. Comments, order and defaults that are written out do not change it."""
        values = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(b"oneway-transfer/settings/v1\n" + values.encode()).hexdigest()


def load_settings(workspace: Path) -> Settings:
    """The settings of the workspace in this folder, with absolute paths. Raises Misuse."""
    document = read_document(Workspace(workspace).settings_file)
    settings = document.parse(Settings)
    _check_sources(settings, document)
    root = Path(os.path.abspath(workspace))
    absolute = settings.model_copy(
        update={
            "sources": tuple(
                s if s.onedrive else s.model_copy(update={"path": _absolute(root, s.path)}) for s in settings.sources
            ),
            "scanner": settings.scanner.model_copy(
                update={
                    name: value and _absolute(root, value)
                    for name, value in (("socket", settings.scanner.socket), ("yara", settings.scanner.yara))
                }
            ),
            "guard": settings.guard.model_copy(
                update={"socket": settings.guard.socket and _absolute(root, settings.guard.socket)}
            ),
            "release": settings.release
            if settings.release.onedrive
            else settings.release.model_copy(
                update={
                    "path": _absolute(root, settings.release.path),
                    "aside": _absolute(root, settings.release.aside),
                }
            ),
        }
    )
    _check_places(absolute, Workspace(root), document)
    return absolute


def guard_socket(settings: Settings, workspace: Workspace) -> Path:
    """Where the guard and the gateway meet."""
    return Path(settings.guard.socket) if settings.guard.socket else workspace.guard_socket


def _absolute(root: Path, path: str) -> str:
    return os.path.normpath(root / path)


def _check_sources(settings: Settings, document: Document) -> None:
    seen: set[str] = set()
    for number, source in enumerate(settings.sources):
        if source.id in seen:
            raise Misuse(
                f"{document.place(('source', number, 'id'))}: two sources have the id {source.id!a}.",
                advice="Give each source an id of its own.",
            )
        seen.add(source.id)


def _check_places(settings: Settings, workspace: Workspace, document: Document) -> None:
    """The two sides must not lie in one another, nor in what is private or public: that would be a way back."""
    places: list[tuple[str, Path, str]] = [
        (f"the source «{source.id}»", source.folder, document.place(("source", number, "path")))
        for number, source in enumerate(settings.sources)
        if source.onedrive is None
    ]
    for (name, path), word in zip(settings.release.named_folders, ("path", "aside"), strict=False):
        places.append((name, path, document.place(("release", word))))
    if (meeting := guard_socket(settings, workspace)) != workspace.guard_socket:
        places.append(("the folder of the guard's socket", meeting.parent, document.place(("guard", "socket"))))
    if settings.scanner.yara:
        rules = Path(settings.scanner.yara)
        places.append(("the folder of the YARA rules", rules, document.place(("scanner", "yara"))))
    key = key_place(settings.log.key, own=workspace.keys, environ=os.environ)
    sides = [("the workspace", workspace.root), *((name, path) for name, path, _ in places)]
    check_key_apart(key, document.place(("log", "key")), folders=sides)
    own = (workspace.state, workspace.log, workspace.keys, workspace.feedback, workspace.receipts, workspace.demo)
    places.extend((f"the workspace's {folder.name} folder", folder, document.source) for folder in own)
    places = [(name, Path(os.path.realpath(path)), place) for name, path, place in places]
    for index, (name, path, place) in enumerate(places):
        if path == Path(os.path.realpath(workspace.root)):
            raise Misuse(f"{place}: {name} is the workspace itself.", advice="Give it a folder of its own.")
        for other_name, other, _ in places[index + 1 :]:
            if path == other or path in other.parents or other in path.parents:
                raise Misuse(
                    f"{place}: {name} and {other_name} lie in one another ({path} and {other}).",
                    advice="Give each a folder of its own, so that nothing can find its way back.",
                )

"""Folders in a drive: what the service told of a staging folder, and by what a release there is told apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One item of a drive: a file, a folder or another thing. `kind` is Graph's word; a size or time not told is 0."""

    id: str
    parent: str | None
    name: str
    kind: str
    size: int
    quickxor: str
    modified_ns: int
    unfinished: bool
    infected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far the service's telling was followed. `watched` names the drive and the folder."""

    watched: str
    link: str | None = None
    listing: int = 1
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why nothing is asked of a drive just now, as a sentence, and until when, where that is known."""

    why: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveMark:
    """By what OneDrive tells a file of ours from any other, beside its name and size.

    `quickxor`: the quickXorHash of its bytes, 28 characters of base64. `jpeg`: whether it is of the one kind that
    document libraries rewrite. `item`: the id of the item in the drive, None until it is known.
    """

    quickxor: str
    jpeg: bool
    item: str | None

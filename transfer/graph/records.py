"""What we use of Microsoft Graph's JSON, as small frozen records, and the parsers that make them.

What enters: the body of an answer, any bytes at all. What leaves: records, or `Unreadable`. Nothing that leads to
content (download addresses, thumbnails) and no display name is kept. Fields that an answer lacks are None: what that
means is for the reader of a record to decide.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from transfer.graph.fields import (
    Json,
    as_identifier,
    as_list,
    as_moment,
    as_name,
    as_object,
    as_size,
    as_text,
    optional_object,
    parse_json,
    unreadable,
)

_NO_HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="  # of deleted items; true of an empty file only, whose hash is of no use
_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})?")


class ItemKind(StrEnum):
    """What an item of a drive is. Only a `file` has content of its own that can be taken."""

    FILE = "file"
    FOLDER = "folder"
    REMOTE = "remote"  # a shortcut to another drive
    PACKAGE = "package"  # a notebook
    BUNDLE = "bundle"  # an album
    ROOT = "root"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One identity, as far as the service names it: in delta answers the id can be missing."""

    id: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actors:
    """Who did something: an identity for each kind. `others` are names of kinds that we do not know."""

    user: Actor | None = None
    application: Actor | None = None
    device: Actor | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveItem:
    """One item of a drive. `pending`: an upload is under way or somebody has it checked out.

    `quickxor` is 28 characters of base64, None where the service gives none or one that cannot be.
    """

    id: str
    name: str | None
    parent_id: str | None
    drive_id: str | None
    kind: ItemKind
    size: int | None
    deleted: bool
    malware: bool
    pending: bool
    etag: str | None
    ctag: str | None
    quickxor: str | None
    created_by: Actors
    modified_by: Actors
    created_at: datetime | None
    modified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of items. The last page of a delta has a `delta_link` and no `next_link`; a page may be empty."""

    items: tuple[DriveItem, ...]
    next_link: str | None
    delta_link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an item."""

    id: str
    size: int | None
    modified_by: Actors


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """Some or all versions of an item."""

    versions: tuple[Version, ...]
    next_link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSession:
    """Where the parts of a file go. `url` is a secret, and None in the answer to a part.

    `expected` are the ranges still missing, (first, last), last None for "to the end".
    """

    url: str | None
    expires: datetime | None
    expected: tuple[tuple[int, int | None], ...]


def parse_item(value: Json) -> DriveItem:
    """One item. Raises Unreadable."""
    item = as_object(value, "an item")
    parent = optional_object(item, "parentReference")
    content = optional_object(item, "file") or {}
    size = as_size(item.get("size"))
    publication = optional_object(item, "publication") or {}
    return DriveItem(
        id=as_identifier(item.get("id")),
        name=as_name(item.get("name")),
        parent_id=as_text(parent.get("id")) if parent else None,
        drive_id=as_text(parent.get("driveId")) if parent else None,
        kind=_kind(item),
        size=size,
        deleted=item.get("deleted") is not None,
        malware=item.get("malware") is not None,
        pending=bool(item.get("pendingOperations")) or publication.get("level") == "checkout",
        etag=as_text(item.get("eTag")),
        ctag=as_text(item.get("cTag")),
        quickxor=_quickxor(content, size),
        created_by=_actors(item.get("createdBy")),
        modified_by=_actors(item.get("lastModifiedBy")),
        created_at=as_moment(item.get("createdDateTime")),
        modified_at=as_moment(item.get("lastModifiedDateTime")),
    )


def parse_page(body: bytes) -> Page:
    """A page of items. Raises Unreadable."""
    document = as_object(parse_json(body), "a page")
    return Page(
        items=tuple(parse_item(value) for value in as_list(document.get("value"))),
        next_link=as_text(document.get("@odata.nextLink")),
        delta_link=as_text(document.get("@odata.deltaLink")),
    )


def parse_versions(body: bytes) -> VersionPage:
    """The versions of an item. Raises Unreadable."""
    document = as_object(parse_json(body), "a list of versions")
    found = [as_object(value, "a version") for value in as_list(document.get("value"))]
    return VersionPage(
        versions=tuple(
            Version(
                id=as_identifier(value.get("id")),
                size=as_size(value.get("size")),
                modified_by=_actors(value.get("lastModifiedBy")),
            )
            for value in found
        ),
        next_link=as_text(document.get("@odata.nextLink")),
    )


def parse_upload_session(body: bytes) -> UploadSession:
    """What a session's creation, its status or a part that was taken answers. Raises Unreadable."""
    document = as_object(parse_json(body), "an upload session")
    ranges = document.get("nextExpectedRanges")
    return UploadSession(
        url=as_text(document.get("uploadUrl")),
        expires=as_moment(document.get("expirationDateTime")),
        expected=tuple(_range(value) for value in ([] if ranges is None else as_list(ranges))),
    )


def _range(value: Json) -> tuple[int, int | None]:
    matched = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise unreadable("has a range that is none")
    first, last = int(matched[1]), None if matched[2] is None else int(matched[2])
    if last is not None and last < first:
        raise unreadable("has a range that ends before it begins")
    return first, last


def _kind(item: dict[str, Json]) -> ItemKind:
    """The facet that decides; the one that says "not a file of this drive" first."""
    facets = (
        ("remoteItem", ItemKind.REMOTE),
        ("package", ItemKind.PACKAGE),
        ("bundle", ItemKind.BUNDLE),
        ("root", ItemKind.ROOT),
        ("folder", ItemKind.FOLDER),
        ("file", ItemKind.FILE),
    )
    return next((kind for facet, kind in facets if item.get(facet) is not None), ItemKind.UNKNOWN)


def _quickxor(content: dict[str, Json], size: int | None) -> str | None:
    hashes = optional_object(content, "hashes") or {}
    value = hashes.get("quickXorHash")
    if not isinstance(value, str) or len(value) != 28 or (value == _NO_HASH and size != 0):
        return None
    try:
        whole = len(base64.b64decode(value, validate=True)) == 20
    except (binascii.Error, ValueError):
        return None
    return value if whole else None


def _actors(value: Json) -> Actors:
    kinds = as_object(value, "an identity") if value is not None else {}
    known = ("user", "application", "device")
    others = (kind for kind, actor in kinds.items() if kind not in known and "@odata" not in kind and actor is not None)
    user, application, device = (_actor(kinds.get(kind)) for kind in known)
    return Actors(user=user, application=application, device=device, others=tuple(sorted(others)))


def _actor(value: Json) -> Actor | None:
    if value is None:
        return None
    actor = as_object(value, "an identity")
    return Actor(
        id=as_text(actor.get("id")), email=as_text(actor.get("email")) or as_text(actor.get("userPrincipalName"))
    )

"""What OneDrive says of the bytes it was sent, compared with what was sent. Pure.

What enters: the size and quickXorHash of what was sent, and an item's facts as the service tells them. What leaves: one
of four words, and the entry that says so. quickXorHash is an echo of the service's and no proof: what was sent is bound
to the approval by its SHA-256, before the commit.

A document library in SharePoint rewrites some JPEGs by a dozen bytes, at once or minutes later; of films, PNG and text
nothing such is known. A picture that is not a person's doing, of about the same size, is told from anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.graph.records import DriveItem, ItemKind
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.media import Format
from transfer.store.onedrive_placements import Echo

CLAUSE = "G6"  # only what was declared leaves
_REWRITTEN_BY = 128  # bytes; seen were 11 and 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent."""

    sha256: Sha256
    size: int
    quickxor: str
    format: Format | None  # None: the manifest


def is_ours(item: DriveItem, *, application: str, folder: str) -> bool:
    """Whether this is a file that our application made in this folder, and it is still there."""
    maker = item.created_by.application
    made = maker is not None and maker.id is not None and maker.id.lower() == application.lower()
    return made and item.kind is ItemKind.FILE and not item.deleted and item.parent_id == folder


def echo_of(sent: Sent, item: DriveItem) -> Echo:
    """What the service says of it."""
    if item.size == sent.size and item.quickxor == sent.quickxor:
        return Echo.VERIFIED
    if item.pending or item.size is None or (item.quickxor is None and item.size == sent.size):
        return Echo.PENDING
    editor, maker = item.modified_by.user, item.created_by.user
    by_itself = editor is None or editor == maker
    near = 0 < abs(item.size - sent.size) <= _REWRITTEN_BY
    if sent.format is Format.JPEG and by_itself and near:
        return Echo.SERVICE_MODIFIED
    return Echo.MISMATCH


_EVENTS = {
    Echo.VERIFIED: EventName.RELEASE_VERIFIED,
    Echo.SERVICE_MODIFIED: EventName.RELEASE_REWRITTEN,
    Echo.MISMATCH: EventName.RELEASE_MISMATCH,
}


def echo_event(echo: Echo, *, item: ItemId | None, sent: Sent, reported: int | None) -> Event | None:
    """The entry about it; None while there is nothing to say."""
    if echo not in _EVENTS:
        return None
    facts: dict[str, Json] = {} if echo is Echo.VERIFIED else {"clauses": [CLAUSE]}
    if reported is not None:
        facts["reported"] = min(reported, 2**53 - 1)
    file = FileFact(sha256=sent.sha256, size=sent.size)
    return Event(name=_EVENTS[echo], item=item, file=file, facts=facts)

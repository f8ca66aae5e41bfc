"""Ours or foreign in a release folder in OneDrive, by facts alone. Pure.

What enters: what the gateway said it put there, and an item's facts as the service tells them. What leaves: one of four
words. Nothing is read: what is ours is known by the application that made it, its id, name, size and quickXorHash, all
of them. Whatever differs in one is foreign. quickXorHash is no proof against somebody who makes bytes to fit, which is
why who made it and who changed it count as well.

    ours         exactly what was put there
    unfinished   ours by its maker and name, and the service has not yet said which bytes it has: not for long
    rewritten    ours, and changed by the service itself: told, and left where it is
    foreign      anything else
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from transfer.graph.records import Actors, DriveItem, ItemKind
from transfer.model.names import SafeName

REWRITTEN_BY = 128  # bytes, at most; document libraries were seen to add 11 and 12 to a JPEG


class Standing(StrEnum):
    """What an item of the release folder is to the guard."""

    OURS = "ours"
    UNFINISHED = "unfinished"
    REWRITTEN = "rewritten"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """As whom the gateway writes: its application, and the person where it signed in by hand for a trial."""

    application: str
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes as the service tells them apart."""

    size: int
    quickxor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What the gateway put under a name, or is about to.

    `contents` are more than one only while one replaces another; `item` is None until the gateway knows it; `jpeg`: it
    is of the one kind that document libraries rewrite.
    """

    name: SafeName
    contents: tuple[Content, ...]
    item: str | None
    jpeg: bool


class Ledger:
    """All that the gateway put in the folder, by name."""

    def __init__(self, put: Iterable[Put]) -> None:
        self._by_name = {one.name.text: one for one in put}

    def named(self, name: str | None) -> Put | None:
        """What the gateway put under exactly this name."""
        return None if name is None else self._by_name.get(name)

    def absent(self, standing: Iterable[DriveItem]) -> tuple[SafeName, ...]:
        """Names of the ledger under which nothing stands, whatever it be."""
        there = {item.name for item in standing}
        return tuple(one.name for name, one in self._by_name.items() if name not in there)


def judge(item: DriveItem, *, ledger: Ledger, folder: str, hand: Hand) -> Standing:
    """What an item is that was told to stand in the folder with the id `folder`."""
    put = ledger.named(item.name)
    if put is None or item.deleted or item.parent_id != folder or item.kind is not ItemKind.FILE:
        return Standing.FOREIGN
    if put.item not in {None, item.id} or item.malware or not _is_made_by(item.created_by, hand):
        return Standing.FOREIGN
    if _has_foreign_editor(item.modified_by, hand):
        return Standing.FOREIGN
    if item.pending or item.size is None or item.quickxor is None:
        return Standing.UNFINISHED
    if Content(size=item.size, quickxor=item.quickxor) in put.contents:
        return Standing.OURS if _is_of(item.modified_by, hand) else Standing.REWRITTEN
    near = any(0 < abs(item.size - content.size) <= REWRITTEN_BY for content in put.contents)
    return Standing.REWRITTEN if put.jpeg and near else Standing.FOREIGN


def _is_made_by(actors: Actors, hand: Hand) -> bool:
    """Whether that application, and nobody else, is named."""
    return actors.application is not None and _is_of(actors, hand) and not _has_foreign_editor(actors, hand)


def _is_of(actors: Actors, hand: Hand) -> bool:
    """Whether no other application is named. Where the service names none, the bytes decide."""
    return actors.application is None or _same(actors.application.id, hand.application)


def _has_foreign_editor(actors: Actors, hand: Hand) -> bool:
    """Whether a person, a device or something unknown had a hand in it. Another application may be the service."""
    person = actors.user is not None and (hand.person is None or not _same(actors.user.id, hand.person))
    return person or actors.device is not None or bool(actors.others)


def _same(one: str | None, other: str) -> bool:
    """Ids of the directory; their letters' case means nothing."""
    return one is not None and one.casefold() == other.casefold()

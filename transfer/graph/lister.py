"""What the return guard asks of OneDrive: what lies in the release folder, who may reach it, and that a thing goes.

What enters: ids that the service gave, and the link that it said to go on with. What leaves: facts about items and
permissions, never content: the session has no way to it. Moving and removing name the version that was seen, so that
nothing else can go in its place. The service grants both only together with writing; that nothing is written here is
what the closed list of verbs is for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from transfer.graph.answer import Answer
from transfer.graph.faults import GraphFault, NotThere
from transfer.graph.feed import Resync, changes
from transfer.graph.fields import parse_json
from transfer.graph.records import DriveItem, Page, parse_item
from transfer.graph.session import Session
from transfer.graph.sharing import Grantee, MemberPage, Permission, PermissionPage, parse_members, parse_permissions
from transfer.graph.throttle import Waiting
from transfer.graph.verbs import CHANGE, DELETE, ITEM, MEMBERS, PERMISSIONS

_MOST_PAGES = 100  # of one list
_ListT = TypeVar("_ListT", PermissionPage, MemberPage)


class Lister:
    """One folder of a drive. Every method raises GraphFault."""

    def __init__(self, session: Session, *, drive: str, folder: str) -> None:
        self._session = session
        self._drive = drive
        self.folder = folder

    def changes(self, link: str | None) -> Page | Resync:
        """The page behind a link; without one the first page of everything in the folder and below it."""
        return changes(self._session, drive=self._drive, watched=self.folder, link=link)

    def item(self, item: str) -> DriveItem | None:
        """The facts about an item, None where there is none (any more)."""
        with contextlib.suppress(NotThere):
            return parse_item(parse_json(self._session.ask(ITEM, self._drive, item).body))
        return None

    def permissions(self, item: str) -> tuple[Permission, ...]:
        """Who may reach an item, as far as this identity is told: all of it only where it has full control."""
        answer = self._session.ask(PERMISSIONS, self._drive, item)
        return tuple(one for page in self._pages(answer, parse_permissions) for one in page.permissions)

    def members(self, group: str) -> tuple[Grantee, ...]:
        """Who is in a group of the directory, those of its groups included. Raises NotThere, Denied."""
        answer = self._session.ask(MEMBERS, group)
        return tuple(one for page in self._pages(answer, parse_members) for one in page.members)

    def move(self, item: str, *, folder: str, name: str, etag: str) -> bool:
        """Moves this version of an item into another folder of the drive, under another name; whether it was there.

        Raises Changed if it is another version by now, Conflict if the name is taken.
        """
        body = {"parentReference": {"id": folder}, "name": name}
        return self._done(lambda: self._session.ask(CHANGE, self._drive, item, headers={"If-Match": etag}, body=body))

    def remove(self, item: str, *, etag: str) -> bool:
        """Removes this version of an item; whether it was there. Raises Changed if it is another version by now."""
        return self._done(lambda: self._session.ask(DELETE, self._drive, item, headers={"If-Match": etag}))

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        return self._session.waiting()

    def _done(self, deed: Callable[[], Answer]) -> bool:
        with contextlib.suppress(NotThere):
            deed()
            return True
        return False

    def _pages(self, answer: Answer, parse: Callable[[bytes], _ListT]) -> list[_ListT]:
        pages = [parse(answer.body)]
        while (link := pages[-1].next_link) is not None:
            if len(pages) >= _MOST_PAGES:
                raise GraphFault("OneDrive lists permissions or members without end.", code="endless")
            pages.append(parse(self._session.follow(link).body))
        return pages

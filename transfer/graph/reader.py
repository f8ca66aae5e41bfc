"""What the staging end asks of OneDrive: changes, one item, its versions, its content; it can change nothing there.

What enters: ids that the service gave, and the link that it said to go on with. What leaves: records, pages, bytes as a
stream. The identity behind it needs `read` on the staging site and nothing else.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import BinaryIO

from transfer.graph.faults import GraphFault, NotThere
from transfer.graph.feed import Resync, changes
from transfer.graph.fields import parse_json
from transfer.graph.records import DriveItem, Page, Version, parse_item, parse_versions
from transfer.graph.session import DownloadingSession
from transfer.graph.throttle import Waiting
from transfer.graph.verbs import CONTENT, ITEM, VERSIONS

ROOT = "root"
_MOST_PAGES = 100  # of versions of one item


class Reader:
    """One drive, watched at a folder or at its root. Every method raises GraphFault."""

    def __init__(self, session: DownloadingSession, *, drive: str, watched: str) -> None:
        self._session = session
        self.drive = drive
        self._watched = watched

    def changes(self, link: str | None) -> Page | Resync:
        """The page behind a link; without one the first page of everything."""
        return changes(self._session, drive=self.drive, watched=self._watched, link=link)

    def item(self, item: str) -> DriveItem | None:
        """The facts about an item, None where there is none (any more)."""
        with contextlib.suppress(NotThere):
            return parse_item(parse_json(self._session.ask(ITEM, self.drive, item).body))
        return None

    def versions(self, item: str) -> tuple[Version, ...]:
        """All versions of an item that are kept."""
        page = parse_versions(self._session.ask(VERSIONS, self.drive, item).body)
        found = list(page.versions)
        for _ in range(_MOST_PAGES):
            if page.next_link is None:
                return tuple(found)
            page = parse_versions(self._session.follow(page.next_link).body)
            found += page.versions
        raise GraphFault("OneDrive lists versions of a file without end.", code="endless")

    def open(self, item: str) -> AbstractContextManager[BinaryIO]:
        """The content as a stream. Raises MalwareBlocked where the service holds it back; reading raises too."""
        return self._session.download(CONTENT, self.drive, item)

    def waiting(self) -> Waiting | None:
        """What requests wait for now, if anything."""
        return self._session.waiting()

    @property
    def requests(self) -> int:
        """How many requests went out."""
        return self._session.requests

    def close(self) -> None:
        """Closes all connections."""
        self._session.close()

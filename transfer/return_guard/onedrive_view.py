"""What stands in a folder of OneDrive, kept up to date from the changes that the service tells.

What enters: pages of changes, which repeat, come in any order and tell of what lies above and below as well. What
leaves: the items directly in the folder; what lies deeper goes where the folder around it goes. Memory holds those
items and one link. After a restart everything is listed anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from transfer.graph.faults import GraphFault
from transfer.graph.feed import Resync
from transfer.graph.lister import Lister
from transfer.graph.records import DriveItem, ItemKind

_MOST_PAGES = 10_000  # in one go; a service that never comes to an end must not keep the guard


class View:
    """One folder. To be used by one thread."""

    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        self._link: str | None = None
        self._standing: dict[str, DriveItem] = {}
        self._told: set[str] | None = set()  # while everything is listed anew: what was told so far
        self.complete = False

    def __iter__(self) -> Iterator[DriveItem]:
        """What stands there, as it was when the iteration began; the whole only if `complete`."""
        return iter(tuple(self._standing.values()))

    def refresh(self) -> None:
        """Takes in all that changed. Raises GraphFault; what was taken in by then stays, and the next call goes on."""
        for _ in range(_MOST_PAGES):
            page = self._lister.changes(self._link)
            if isinstance(page, Resync):
                self._link, self._told = page.link, set()
                continue
            for item in page.items:
                self._take(item)
            if page.next_link is None:
                self._finish(page.delta_link)
                return
            self._link = page.next_link
        raise GraphFault("OneDrive lists the release folder without end.", code="endless")

    def left(self, item: str) -> None:
        """It was taken away; the service tells of that later."""
        self._standing.pop(item, None)

    def _take(self, item: DriveItem) -> None:
        if item.parent_id is None and not item.deleted and item.kind is not ItemKind.ROOT:
            known = self._lister.item(item.id)  # told without its place: asked for by its id
            if known is None:
                self._standing.pop(item.id, None)
                return
            item = known
        if item.deleted or item.parent_id != self._lister.folder:
            self._standing.pop(item.id, None)
            return
        self._standing[item.id] = item
        if self._told is not None:
            self._told.add(item.id)

    def _finish(self, delta_link: str | None) -> None:
        """The last page: after a listing from the beginning, what it did not tell of is not there."""
        if delta_link is None:
            self._link, self._told = None, set()
            raise GraphFault("OneDrive ended a list of changes without saying how to go on.", code="endless")
        if self._told is not None:
            self._standing = {key: item for key, item in self._standing.items() if key in self._told}
        self._link, self._told, self.complete = delta_link, None, True

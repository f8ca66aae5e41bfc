"""A staging folder in OneDrive or SharePoint: its Source, which can only list and read, and its Retirer, which cannot.

What enters: what Microsoft Graph tells of a drive, in any order, repeatedly, late and by half; none of it is trusted.
What leaves: arrivals, and the bytes of files that are as long and hash as they were announced. An item is known by its
id, its hash and its size: a name says only where it belongs.

Changes are followed page by page; each page becomes durable with the link to the next one, so that a restart asks for
what is new and nothing else. The most requests for one file in the ordinary case are `REQUESTS_A_FILE`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO

from transfer.errors import Refusal, Unavailable
from transfer.graph.faults import MalwareBlocked
from transfer.graph.feed import Resync
from transfer.graph.reader import Reader
from transfer.graph.records import Actors, DriveItem, Page
from transfer.intake.authorship import Seen, Staff, origin_of
from transfer.intake.delivery import Delivery, delivered
from transfer.intake.onedrive_tree import Tree, node_of
from transfer.model.drive import Cursor, Node, Wait
from transfer.model.ends import Origin
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import NOBODY, PersonId, SourceId
from transfer.model.states import Arrival, Kind
from transfer.store.database import Database
from transfer.store.onedrive_staging import StagingRows

REQUESTS_A_FILE = 6  # the second look, the item, its versions, its content and where that lies, the item once more
_MOST_PAGES = 100_000  # in one go; a listing that is longer goes on the next time
_MOST_RESYNCS = 3  # in one go
_MOST_REMEMBERED = 10_000


class OneDriveSource:
    """One staging folder in a drive. It can list and read, with the rights of the reader's identity.

    `sightings` asks for changes when the last time is `poll_seconds` ago. For one thread at a time, with a lock for
    whoever asks from another.
    """

    def __init__(
        self,
        *,
        source: SourceId,
        folder: str,
        reader: Reader,
        staff: Staff,
        db: Database,
        poll_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._id = source
        self._folder = folder
        self._reader = reader
        self._staff = staff
        self._db = db
        self._rows = StagingRows(source)
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._tree: Tree | None = None
        self._cursor = Cursor(watched=f"{reader.drive}/{folder}")
        self._asked_at: float | None = None
        self._trouble: str | None = None  # a sentence
        self._judged: dict[str, DriveItem] = {}  # what is just being admitted, as it was when its origin was asked for
        self._differed: dict[tuple[object, ...], int] = {}

    @property
    def id(self) -> SourceId:
        """Its identifier in the settings."""
        return self._id

    def sightings(self) -> Iterator[Arrival]:
        """Everything that stands there, as far as the service has told. Raises Unavailable."""
        with self._lock:
            try:
                tree = self._refreshed()
            except Unavailable as trouble:
                self._trouble = trouble.sentence
                raise
            self._trouble = None
            return iter(list(tree.arrivals().values()))

    def observe(self, path: bytes) -> Arrival | None:
        """What stands at this relative path now: the item that was told of there is asked for. Raises Unavailable.

        None also where it has another name or folder by now, or other writers than it was judged by a moment ago.
        """
        with self._lock:
            node = self._known().node(path)
            if node is None:
                node = self._refreshed().node(path)
        item = None if node is None else self._reader.item(node.id)
        if node is None or item is None:
            return None
        now = self._still(node, item)
        judged = self._judged.pop(item.id, None)
        if now is None or (judged is not None and _writers(judged) != _writers(item)):
            return None
        return self._known().arrival(path, now)

    def origin_of(self, arrival: Arrival) -> Origin:
        """Who wrote it and all its versions, and what the service itself says of it.

        Raises Unavailable, also when it is no longer that.
        """
        item = self._the_same(arrival)
        if arrival.version is not None and arrival.version.infected:
            found = Finding(code=Code.MALWARE, detail={"threat": "by OneDrive itself"})
            origin = self._who(item)
            return replace(origin, findings=(*origin.findings, found), readable=False)
        unfinished = arrival.version is not None and arrival.version.unfinished
        if arrival.kind is not Kind.FILE or unfinished:
            return Origin(submitter=self._maker(item), readable=False)
        return self._who(item)

    def open(self, arrival: Arrival) -> BinaryIO:
        """The bytes of exactly this version, held against what was told of them.

        Raises Unavailable if it is no longer that, Refusal (malware) if the service holds it back. Reading raises
        Unavailable if it breaks off or differs, Refusal (not-as-reported) if it differed the last time too.
        """
        judged = self._judged.get(arrival.version.item) if arrival.version is not None else None
        item = self._the_same(arrival, judged)
        if arrival.kind is not Kind.FILE:
            raise _no_longer()
        with ExitStack() as stack:
            try:
                content = stack.enter_context(self._reader.open(item.id))
            except MalwareBlocked as blocked:
                raise Refusal(blocked.sentence, code=Code.MALWARE, advice=blocked.advice, clauses=("G9",)) from blocked
            delivery = Delivery(
                content,
                size=arrival.size,
                quickxor=item.quickxor or "",
                differs=lambda: self._differs(arrival),
                ending=stack.pop_all(),
            )
        return delivered(delivery)

    def waiting(self) -> Wait | None:
        """What keeps it from asking, or what went wrong when it asked last. For any thread."""
        pause = self._reader.waiting()
        if pause is not None:
            return Wait(why=pause.why, until=pause.until)
        return None if self._trouble is None else Wait(why=self._trouble, until=None)

    def close(self) -> None:
        """Closes all connections."""
        self._reader.close()

    def _who(self, item: DriveItem) -> Origin:
        origin = origin_of(item, self._reader.versions(item.id), self._staff)
        if len(self._judged) > _MOST_REMEMBERED:
            self._judged.clear()
        self._judged[item.id] = item
        return origin

    def _maker(self, item: DriveItem) -> PersonId:
        who = self._staff.who(item.created_by)
        return NOBODY if isinstance(who, Seen) else who

    def _the_same(self, arrival: Arrival, item: DriveItem | None = None) -> DriveItem:
        """The item, asked for unless it is given, if it is still this version of it. Raises Unavailable."""
        version = arrival.version
        node = None
        if version is not None and version.drive == self._reader.drive and arrival.source == self._id:
            with self._lock:
                node = self._known().node(arrival.path)
        if node is not None and version is not None and node.id == version.item:
            item = item or self._reader.item(node.id)
        now = None if node is None or item is None else self._still(node, item)
        if item is None or now is None or self._known().arrival(arrival.path, now).identity != arrival.identity:
            raise _no_longer()
        return item

    @staticmethod
    def _still(before: Node, item: DriveItem) -> Node | None:
        """The item as it is now, if it has the same name and folder as before."""
        now = node_of(item)
        if now is None or now.name != before.name or (now.parent is not None and now.parent != before.parent):
            return None
        return replace(now, parent=before.parent)

    def _differs(self, arrival: Arrival) -> Exception:
        """The first time it may have been on the way, or changed meanwhile; the second time it is so."""
        if len(self._differed) > _MOST_REMEMBERED:
            self._differed.clear()
        times = self._differed[arrival.identity] = self._differed.get(arrival.identity, 0) + 1
        if times == 1:
            return Unavailable(
                "OneDrive delivered a file with another length or hash than it tells of it.",
                advice="Nothing was kept of it. It is fetched once more; if it differs again, the file is refused.",
            )
        del self._differed[arrival.identity]
        return Refusal("OneDrive delivered another file than it tells of.", code=Code.NOT_AS_REPORTED, clauses=("G6",))

    def _known(self) -> Tree:
        """What is known without asking; loaded at the first use. Raises Unavailable, Tampered."""
        if self._tree is None:
            tree = Tree(source=self._id, drive=self._reader.drive, folder=self._folder)
            with self._db.read() as tx:
                cursor, nodes = self._rows.cursor(tx), self._rows.nodes(tx)
            if cursor is not None and cursor.watched == self._cursor.watched:
                self._cursor = cursor
                tree.put(nodes)
            elif cursor is not None:  # the settings name another folder than before
                with self._db.write() as write:
                    self._rows.forget(write)
            self._tree = tree
        return self._tree

    def _refreshed(self) -> Tree:
        """What is known, after asking for changes if it is time. Raises Unavailable."""
        tree = self._known()
        now = self._monotonic()
        if self._asked_at is not None and now - self._asked_at < self._poll_seconds:
            return tree
        resyncs = 0
        for _ in range(_MOST_PAGES):
            answer = self._reader.changes(self._cursor.link)
            if isinstance(answer, Resync):
                resyncs += 1
                if resyncs > _MOST_RESYNCS:
                    raise Unavailable("OneDrive asks again and again for a new listing of the staging folder.")
                self._go_on(replace(self._cursor, link=answer.link, listing=self._cursor.listing + 1, complete=False))
            elif self._took(tree, answer):
                break
        self._asked_at = self._monotonic()
        return tree

    def _took(self, tree: Tree, page: Page) -> bool:
        """Takes in one page, durably; whether it was the last one. Raises Unavailable.

        Pages come in the order of what happened, and so do items on a page: the last word about an item counts.
        """
        changes = {item.id: node_of(item) for item in page.items}
        if page.next_link is None and page.delta_link is None:
            raise Unavailable("OneDrive ended a listing without saying how to go on.", advice="It is asked again.")
        link = page.next_link or page.delta_link
        self._go_on(replace(self._cursor, link=link), changes)
        tree.put(node for node in changes.values() if node is not None)
        tree.remove(node for node, now in changes.items() if now is None)
        if page.next_link is not None:
            return False
        if not self._cursor.complete:
            cursor = replace(self._cursor, complete=True)
            with self._db.write() as tx:
                self._rows.ended(tx, cursor)
                nodes = self._rows.nodes(tx)
            self._cursor = cursor
            tree.keep_only(node.id for node in nodes)
        return True

    def _go_on(self, cursor: Cursor, changes: dict[str, Node | None] | None = None) -> None:
        if cursor != self._cursor or changes:  # most questions are answered with nothing new and the same link
            with self._db.write() as tx:
                self._rows.went_on(tx, cursor, changes or {})
            self._cursor = cursor


class OneDriveRetirer:
    """Leaves every original where it is: the reader's identity may not remove anything, and there is no other."""

    def retire(self, _arrival: Arrival) -> bool:
        """False: it stays, and that is remembered. It is the same item for ever, so it is not taken up again."""
        return False


def _writers(item: DriveItem) -> tuple[Actors, Actors]:
    return item.created_by, item.modified_by


def _no_longer() -> Unavailable:
    return Unavailable("The file in OneDrive is no longer what it was.", advice="It is taken up again as it is now.")

"""The release folder in OneDrive in the guard's hands: a thing is moved aside, told, and kept or removed; never read.

What enters: items as the service tells them, ids of two folders in one drive. What leaves: facts for a report. Each
deed names the version that was looked at just before, so that what was put right meanwhile stays where it is.

A thing that was moved aside is called as in the folder's guard: `<milliseconds>-<report>-<SHA-256 of its name>.new`
until the gateway has acknowledged the report, then `.done`: after a crash at any line its name says what is still to be
told. The service keeps its id, so nothing else has to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from transfer.errors import Unavailable
from transfer.graph.faults import Changed
from transfer.graph.lister import Lister
from transfer.graph.records import DriveItem, ItemKind
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.messages import MAX_SIZE, Report, What
from transfer.return_guard.onedrive_view import View
from transfer.return_guard.perimeter import AsideName, parse_aside_name
from transfer.return_guard.recognise import name_digest

_TRIES = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    ItemKind.FILE: Kind.FILE,
    ItemKind.FOLDER: Kind.FOLDER,
    ItemKind.ROOT: Kind.FOLDER,
    ItemKind.REMOTE: Kind.SHORTCUT,
}


class OneDrivePerimeter:
    """The release folder and the folder aside, each by a lister. Every method raises GraphFault."""

    def __init__(self, *, release: Lister, aside: Lister) -> None:
        self._release = release
        self._aside = aside
        self._lying = View(aside)

    def move_aside(self, item: str, target: AsideName, *, condemned: Callable[[DriveItem], bool]) -> DriveItem | None:
        """Takes an item out of the release folder; the facts about what was taken, or None.

        None: it is not there any more, or is not `condemned` any more. Raises Unavailable if it cannot be moved.
        """
        taken: DriveItem | None = None
        for _ in range(_TRIES):
            found = self._release.item(item)
            if found is None or found.deleted:
                return None
            if found.parent_id == self._aside.folder and found.name == target.render():
                return taken or found  # moved, and only the answer was lost
            if found.parent_id != self._release.folder or not condemned(found):
                return None
            taken = found
            try:
                moved = self._release.move(item, folder=self._aside.folder, name=target.render(), etag=_version(found))
            except Changed:
                continue
            return found if moved else None
        raise _restless()

    def unreported(self) -> Iterator[tuple[AsideName, DriveItem]]:
        """What lies aside and was not acknowledged yet."""
        yield from self._named(reported=False)

    def reported(self) -> Iterator[tuple[AsideName, DriveItem]]:
        """What lies aside and is in the log. Nothing that the guard did not name itself."""
        yield from self._named(reported=True)

    def mark_reported(self, item: str, name: AsideName) -> None:
        """The gateway has it in the log: it will not be told again."""
        done = name.render(reported=True)
        self._repeat(
            item,
            meant=name.render(),
            deed=lambda etag: self._aside.move(item, folder=self._aside.folder, name=done, etag=etag),
        )

    def discard(self, item: str, name: AsideName) -> None:
        """Removes what is reported and lies aside: its days are over, or the settings keep nothing."""
        self._repeat(item, meant=name.render(reported=True), deed=lambda etag: self._aside.remove(item, etag=etag))

    def _named(self, *, reported: bool) -> Iterator[tuple[AsideName, DriveItem]]:
        self._lying.refresh()
        for item in self._lying:
            parsed = None if item.name is None else parse_aside_name(item.name, reported=reported)
            if parsed is not None:
                yield parsed, item

    def _repeat(self, item: str, *, meant: str, deed: Callable[[str], bool]) -> None:
        """Does something to an item that lies aside under this name, as the version that it is; if there is one."""
        for _ in range(_TRIES):
            found = self._aside.item(item)
            if found is None or found.deleted or (found.parent_id, found.name) != (self._aside.folder, meant):
                return
            try:
                deed(_version(found))
            except Changed:
                continue
            return
        raise _restless()


def report_of(item: DriveItem, name: AsideName, what: What) -> Report:
    """What is told of an item: of a fixed shape, and without a SHA-256, which only reading could give."""
    kind = _KINDS.get(item.kind, Kind.PACKAGE)
    return Report(
        id=name.report,
        what=what,
        presence=Presence(
            name_sha256=name.name_sha256,
            kind=kind,
            size=min(item.size or 0, MAX_SIZE) if kind is Kind.FILE else 0,
            sha256=None,
            seen_at=_EPOCH + timedelta(milliseconds=name.milliseconds),
        ),
    )


def digest_of(item: DriveItem) -> Sha256:
    """The only form in which the name of an item is ever told; of its id where the service tells no name."""
    return name_digest((item.id if item.name is None else item.name).encode())


def _version(item: DriveItem) -> str:
    if item.etag is None:
        raise Unavailable(
            "OneDrive does not say which version of an item in the release folder it has; it is left where it is.",
            advice="It is tried again by itself. Remove it by hand if this goes on.",
            clauses=("G5",),
        )
    return item.etag


def _restless() -> Unavailable:
    return Unavailable(
        "Something in the release folder changes faster than it can be moved aside.",
        advice="It is tried again by itself; somebody may be working on it there.",
        clauses=("G5",),
    )

"""What stands in the release folder in OneDrive is looked at again, by its facts alone: a minute and an hour later.

What enters: the rows of what we put there, the service's word on each item. What leaves: verified, changed by the
service itself, or other bytes, each an entry when it is new; and the withdrawal of what is not what was approved.
`keep_rewritten` says whether a picture that the service itself has rewritten may stay.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from transfer.errors import NotSo
from transfer.graph.records import DriveItem
from transfer.graph.writer import Writer
from transfer.model.media import Format
from transfer.release.dispatch import Dispatch
from transfer.release.onedrive import FIRST_CHECK
from transfer.release.onedrive_echo import Sent, echo_event, echo_of, is_ours
from transfer.release.onedrive_hash import quickxor_of_blob
from transfer.release.withdraw import withdraw
from transfer.store.onedrive_placements import Echo, PlacementRow, Placements
from transfer.store.releases import ReleaseRow

LAST_CHECK = timedelta(hours=1)  # after it was placed; later only while the service says nothing
_BATCH = 50


class Recheck:
    """One thread runs this. `application` is who we are there."""

    def __init__(
        self, *, writer: Writer, application: str, dispatch: Dispatch, placements: Placements, keep_rewritten: bool
    ) -> None:
        self._writer = writer
        self._application = application
        self._dispatch = dispatch
        self._placements = placements
        self._unwanted = (Echo.MISMATCH,) if keep_rewritten else (Echo.MISMATCH, Echo.SERVICE_MODIFIED)
        self._next_search: datetime | None = None

    def round(self) -> bool:
        """Everything that is due; whether there may be more at once. Raises Unavailable, Tampered."""
        now = self._dispatch.clock.now()
        more = self._search(now)
        with self._dispatch.database.read() as tx:
            due = self._placements.due(tx, now, limit=_BATCH)
        for row in due:
            self._look(row, now)
        self._withdraw()
        return more or len(due) == _BATCH

    def _search(self, now: datetime) -> bool:
        """Releases whose item was not written down, by a crash or a restored database: now and then, they are rare."""
        if self._next_search is not None and now < self._next_search:
            return False
        with self._dispatch.database.read() as tx:
            items = self._placements.unplaced(tx, limit=_BATCH)
            rows = [row for item in items if (row := self._dispatch.releases.find(tx, item)) is not None]
        found = [self._find(row, now) for row in rows]
        more = len(rows) == _BATCH and any(found)
        self._next_search = None if more else now + LAST_CHECK
        return more

    def _find(self, row: ReleaseRow, now: datetime) -> bool:
        item = self._writer.named(row.name)
        if item is None or not is_ours(item, application=self._application, folder=self._writer.folder):
            return False  # gone or foreign: the return guard says so
        sent = Sent(
            sha256=row.sha256,
            size=row.size,
            quickxor=row.quickxor or quickxor_of_blob(self._dispatch.blobs, row.sha256),
            format=Format(row.media_type),
        )
        echo = echo_of(sent, item)
        placed = PlacementRow(
            name_sha256=row.name_sha256,
            item=row.item,
            drive_item=item.id,
            etag=item.etag,
            format=sent.format,
            sha256=sent.sha256,
            size=sent.size,
            quickxor=sent.quickxor,
            echo=echo,
            placed_at=row.released_at or now,
            next_check=now + FIRST_CHECK,
        )
        with self._dispatch.database.write() as tx:
            known = self._placements.by_drive_item(tx, item.id)
            if known is not None:
                return False  # one that we put under another name, and somebody renamed
            self._placements.place(tx, placed, echo_event(echo, item=row.item, sent=sent, reported=item.size))
        return True

    def _look(self, row: PlacementRow, now: datetime) -> None:
        item = self._writer.item(row.drive_item)
        last = now - row.placed_at >= LAST_CHECK
        if item is None or not is_ours(item, application=self._application, folder=self._writer.folder):
            self._record(row, item, row.echo, None if last else row.placed_at + LAST_CHECK)
            return  # gone or moved: the return guard says so
        sent = Sent(sha256=row.sha256, size=row.size, quickxor=row.quickxor, format=row.format)
        echo = echo_of(sent, item)
        if echo is Echo.PENDING and row.echo is not Echo.PENDING:
            echo = row.echo  # it is worked on just now; what was said before stands
        later = now + LAST_CHECK if echo is Echo.PENDING else None
        self._record(row, item, echo, later if last else row.placed_at + LAST_CHECK)

    def _record(self, row: PlacementRow, item: DriveItem | None, echo: Echo, following: datetime | None) -> None:
        event = None
        if echo is not row.echo and item is not None:
            sent = Sent(sha256=row.sha256, size=row.size, quickxor=row.quickxor, format=row.format)
            event = echo_event(echo, item=row.item, sent=sent, reported=item.size)
        etag = row.etag if item is None else item.etag
        with self._dispatch.database.write() as tx:
            self._placements.checked(tx, row.name_sha256, echo=echo, etag=etag, next_check=following, event=event)

    def _withdraw(self) -> None:
        """What is not what was approved does not stay: the release ends, and its entry says why."""
        with self._dispatch.database.read() as tx:
            rows = self._placements.in_echo(tx, self._unwanted)
        for row in rows:
            if row.item is None:
                continue
            with contextlib.suppress(NotSo):  # it ended otherwise
                withdraw(row.item, dispatch=self._dispatch, facts={"echo": row.echo.value})
            with self._dispatch.database.write() as tx:  # of one that was gone already nothing was taken back
                self._placements.removed(tx, row.name_sha256)

"""Where the manifest hangs in a release folder in OneDrive: the one item whose content is replaced.

What enters: the manifest's name and its new content. What leaves: old or new at the service, never a mixture and never
nothing. Its content is replaced by an upload session for that item: the device keeps seeing one item with one id (a new
file that is renamed over the old one would be another item each time, and the old one would have to be deleted before
it). The old version stays until the commit, and If-Match makes it the version that was looked at. Everything else that
the gateway puts there is create-only.
"""

from __future__ import annotations

import hashlib

from transfer.errors import Unavailable
from transfer.graph.records import DriveItem
from transfer.graph.writer import CHUNK, Writer
from transfer.model.clock import Clock
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.release.onedrive_echo import Sent, echo_of, is_ours
from transfer.release.onedrive_hash import quickxor_of_text
from transfer.release.parcel import name_digest
from transfer.store.database import Database
from transfer.store.onedrive_placements import Echo, PlacementRow, Placements


class OneDriveBoard:
    """The manifest's place. `application` is who we are there."""

    def __init__(
        self, *, writer: Writer, application: str, database: Database, placements: Placements, clock: Clock
    ) -> None:
        self._writer = writer
        self._application = application
        self._database = database
        self._placements = placements
        self._clock = clock

    def post(self, name: SafeName, temporary: SafeName, content: bytes) -> None:  # noqa: ARG002
        """Old or new, never a mixture. Nothing needs a temporary name here. Raises Unavailable."""
        sent = _sent(content)
        standing = self._standing(name)
        if standing is None or echo_of(sent, standing) is not Echo.VERIFIED:  # else the last attempt had got there
            standing = self._upload(name, content, standing)
        if echo_of(sent, standing) is Echo.MISMATCH:
            raise Unavailable(
                "OneDrive has other bytes of the manifest than were sent.",
                advice="It is sent again by itself. See whether the library changes files by itself.",
            )
        self._remember(name, standing, sent)

    def _standing(self, name: SafeName) -> DriveItem | None:
        with self._database.read() as tx:
            row = self._placements.find(tx, name_digest(name))
        if row is not None:
            found = self._writer.item(row.drive_item)
            if found is not None and found.name == name.text and self._is_ours(found):
                return found
        found = self._writer.named(name)
        if found is not None and not self._is_ours(found):
            raise Unavailable(
                "Something we did not put there has the manifest's name on the device's side.",
                advice="The return guard moves it aside; the manifest is written again by itself.",
                clauses=("G5",),
            )
        return found

    def _is_ours(self, item: DriveItem) -> bool:
        return is_ours(item, application=self._application, folder=self._writer.folder)

    def _upload(self, name: SafeName, content: bytes, standing: DriveItem | None) -> DriveItem:
        if standing is None:
            url = self._writer.begin(name, len(content))
        else:
            url = self._writer.begin_replacing(standing.id, len(content), etag=standing.etag)
        for first in range(0, len(content), CHUNK):
            self._writer.send(url, content[first : first + CHUNK], first=first, total=len(content))
        return self._writer.commit(url)

    def _remember(self, name: SafeName, item: DriveItem, sent: Sent) -> None:
        now = self._clock.now()
        row = PlacementRow(
            name_sha256=name_digest(name),
            item=None,
            drive_item=item.id,
            etag=item.etag,
            format=None,
            sha256=sent.sha256,
            size=sent.size,
            quickxor=sent.quickxor,
            echo=echo_of(sent, item),
            placed_at=now,
            next_check=None,
        )
        with self._database.write() as tx:
            self._placements.place(tx, row, None)


def _sent(content: bytes) -> Sent:
    sha256 = Sha256(hashlib.sha256(content).hexdigest())
    return Sent(sha256=sha256, size=len(content), quickxor=quickxor_of_text(content), format=None)

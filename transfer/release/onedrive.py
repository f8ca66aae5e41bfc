"""The device's side as a folder in OneDrive: uploaded unseen, committed once, never read.

What enters: a parcel's bytes and names of ours. What leaves: a receipt. Nothing in the folder is trusted, and nothing
of it is ever downloaded: what is asked of an item are facts, and the client here has no verb for anything else.

    fill an upload                    nobody sees it; taken up again after a crash (`onedrive_fill`)
    (row: about to commit)
    (the approval is asked for once more)
    POST the upload's address         after a crash here: the item is recognised as ours by the next put
    (row: which item, what the service says of its bytes; the upload is over)

An item is recognised as ours by the application that made it, the folder, and size and hash of what was sent. Where an
answer was lost, that decides whether the commit took effect; an item of any other make is left to the return guard.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from transfer.errors import TransferError, Unavailable
from transfer.graph.faults import Changed, Conflict, GraphFault, NotThere
from transfer.graph.records import DriveItem
from transfer.graph.writer import Writer
from transfer.model.clock import Clock
from transfer.model.ends import Parcel
from transfer.model.states import Receipt
from transfer.release.onedrive_echo import Sent, echo_event, echo_of, is_ours
from transfer.release.onedrive_fill import Filled, Filler, quickxor_of
from transfer.release.parcel import name_digest
from transfer.store.database import Database
from transfer.store.onedrive_placements import Echo, PlacementRow, Placements
from transfer.store.onedrive_uploads import Uploads

FIRST_CHECK = timedelta(minutes=1)  # a library may rewrite a picture minutes after it came
_TRIES = 3


class OneDriveSink:
    """A `Sink` in a folder of a drive. Knows how to put, and nothing else. `application` is who we are there."""

    def __init__(
        self,
        *,
        writer: Writer,
        application: str,
        database: Database,
        uploads: Uploads,
        placements: Placements,
        filler: Filler,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._application = application
        self._database = database
        self._uploads = uploads
        self._placements = placements
        self._filler = filler
        self._clock = clock

    def put(self, parcel: Parcel) -> Receipt:
        """Makes the parcel visible under its name, once. Raises Unavailable (nothing is there then, or the whole file
        under its name), Tampered if the content is not what was approved, and what the parcel's `still_stands` raises.
        """
        at = self._clock.now()
        if (receipt := self._known(parcel, at)) is not None:
            return receipt
        if self._was_committing(parcel) and (found := self._own(parcel)) is not None:
            return self._placed(parcel, found, quickxor_of(parcel), at)
        filled = self._filled(parcel)
        if filled is not None:
            at = self._clock.now()  # not later than the commit: what is found under the name before was not ours
            return self._placed(parcel, self._committed(parcel, filled), filled.quickxor, at)
        quickxor = quickxor_of(parcel)
        return self._placed(parcel, self._verified(parcel, quickxor), quickxor, at)

    def _known(self, parcel: Parcel, at: datetime) -> Receipt | None:
        """A receipt if all was done before a crash, and it still stands as it was sent or as the service made it.

        Bytes that OneDrive did not keep once are not sent again and again: the release is being taken back.
        """
        with self._database.read() as tx:
            row = self._placements.find(tx, name_digest(parcel.name))
        if row is None or row.sha256 != parcel.clean.sha256:
            return None
        if row.echo is Echo.MISMATCH:
            raise _mismatch(parcel)
        found = self._writer.item(row.drive_item)
        if found is None or found.name != parcel.name.text or not self._is_ours(found):
            return None
        if echo_of(_sent(parcel, row.quickxor), found) is Echo.MISMATCH:
            return None
        return Receipt(name=parcel.name, sha256=row.sha256, size=row.size, at=at)

    def _is_ours(self, item: DriveItem) -> bool:
        return is_ours(item, application=self._application, folder=self._writer.folder)

    def _was_committing(self, parcel: Parcel) -> bool:
        with self._database.read() as tx:
            row = self._uploads.find(tx, parcel.temporary)
        return row is not None and row.committing and row.sha256 == parcel.clean.sha256

    def _filled(self, parcel: Parcel) -> Filled | None:
        """The upload with all bytes in it; None if the name is taken."""
        try:
            return self._filler.fill(parcel)
        except Conflict:
            self._filler.give_up(parcel.temporary)
            return None

    def _committed(self, parcel: Parcel, filled: Filled) -> DriveItem:
        with self._database.write() as tx:
            self._uploads.committing(tx, parcel.temporary)
        try:
            parcel.still_stands()
        except TransferError:
            self._filler.give_up(parcel.temporary)
            raise
        try:
            return self._writer.commit(filled.url)
        except Conflict:
            self._filler.give_up(parcel.temporary)
            return self._verified(parcel, filled.quickxor)
        except GraphFault as fault:
            found = self._own(parcel)  # its answer may have been all that was lost
            if found is None:
                if isinstance(fault, NotThere):  # the upload has ended, and not by a commit
                    self._filler.give_up(parcel.temporary)
                raise
            return found

    def _verified(self, parcel: Parcel, quickxor: str) -> DriveItem:
        """What has the name, if it is exactly this: put by us, and that was not written down. Raises Unavailable."""
        found = self._own(parcel)
        if found is None or echo_of(_sent(parcel, quickxor), found) is not Echo.VERIFIED:
            raise _taken(parcel)
        return found

    def _own(self, parcel: Parcel) -> DriveItem | None:
        """What stands under the name, if we put it there: a commit took effect. Raises Unavailable if it is somebody
        else's, or something else of ours."""
        found = self._writer.named(parcel.name)
        if found is None:
            return None
        with self._database.read() as tx:
            known = self._placements.by_drive_item(tx, found.id)
        meant = (name_digest(parcel.name), parcel.clean.sha256)
        other = known is not None and (known.name_sha256, known.sha256) != meant
        if other or not self._is_ours(found):
            raise _taken(parcel)
        return found

    def _placed(self, parcel: Parcel, item: DriveItem, quickxor: str, at: datetime) -> Receipt:
        sent = _sent(parcel, quickxor)
        echo = echo_of(sent, item)
        row = PlacementRow(
            name_sha256=name_digest(parcel.name),
            item=parcel.item,
            drive_item=item.id,
            etag=item.etag,
            format=sent.format,
            sha256=sent.sha256,
            size=sent.size,
            quickxor=quickxor,
            echo=echo,
            placed_at=at,
            next_check=at + FIRST_CHECK,
        )
        with self._database.write() as tx:
            self._placements.place(tx, row, echo_event(echo, item=parcel.item, sent=sent, reported=item.size))
            self._uploads.ended(tx, parcel.temporary)
        if echo is Echo.MISMATCH:
            remove_own(self._writer, item)  # at once; that the release is withdrawn follows from the row
            raise _mismatch(parcel)
        return Receipt(name=parcel.name, sha256=parcel.clean.sha256, size=parcel.clean.size, at=at)


def remove_own(writer: Writer, item: DriveItem) -> bool:
    """Removes an item of ours where it still lies; whether it lay there. Raises Unavailable.

    Its eTag may change by itself at any moment (pictures are looked at by the service), so it is asked for again.
    """
    known: DriveItem | None = item
    for _ in range(_TRIES):
        if known is None or known.deleted or known.parent_id != writer.folder:
            return False
        with contextlib.suppress(Changed):
            writer.remove(known.id, etag=known.etag)
            return True  # also if it was gone by then: a first answer may have been lost
        known = writer.item(known.id)
    raise Unavailable(
        "A file in the release folder changes faster than it can be taken back.",
        advice="It is tried again by itself; somebody may be working on it there.",
        clauses=("G5",),
    )


def _sent(parcel: Parcel, quickxor: str) -> Sent:
    clean = parcel.clean
    return Sent(sha256=clean.sha256, size=clean.size, quickxor=quickxor, format=clean.format)


def _taken(parcel: Parcel) -> Unavailable:
    return Unavailable(
        f"Something we did not put there has the name meant for {parcel.item} on the device's side.",
        advice="The return guard moves it aside; the release is tried again by itself.",
        clauses=("G5",),
    )


def _mismatch(parcel: Parcel) -> Unavailable:
    return Unavailable(
        f"OneDrive has other bytes than were sent of {parcel.item}; what it has was removed, the release is withdrawn.",
        advice="See whether the library changes files by itself (columns, labels), and stage the file again.",
        clauses=("G6",),
    )

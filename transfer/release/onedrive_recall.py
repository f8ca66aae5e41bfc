"""What is taken back from a release folder in OneDrive: one item of ours, by its id.

What enters: a name of ours. What leaves: whether something of ours still stood there. It is removed by its id and only
as the version that was seen, so that nothing else can go in its place; what a person moved to another folder stays, it
is the return guard's business.
"""

from __future__ import annotations

from transfer.graph.records import DriveItem
from transfer.graph.writer import Writer
from transfer.model.names import SafeName
from transfer.release.onedrive import remove_own
from transfer.release.onedrive_echo import is_ours
from transfer.release.onedrive_fill import Filler
from transfer.release.parcel import is_temporary, name_digest
from transfer.store.database import Database
from transfer.store.onedrive_placements import Placements


class OneDriveRecaller:
    """A `Recaller` for a folder in OneDrive. A temporary name stands for an upload under way, which nobody sees."""

    def __init__(
        self, *, writer: Writer, application: str, database: Database, placements: Placements, filler: Filler
    ) -> None:
        self._writer = writer
        self._application = application
        self._database = database
        self._placements = placements
        self._filler = filler

    def recall(self, name: SafeName) -> bool:
        """Removes what we put under this name; whether it was still there. Raises Unavailable."""
        if is_temporary(name):
            return self._filler.give_up(name)
        found = self._standing(name)
        removed = found is not None and remove_own(self._writer, found)
        # A crash here: it is gone, and the row leads to nothing, which the next recall finds.
        with self._database.write() as tx:
            self._placements.removed(tx, name_digest(name))
        return removed

    def _standing(self, name: SafeName) -> DriveItem | None:
        with self._database.read() as tx:
            row = self._placements.find(tx, name_digest(name))
        if row is not None:
            return self._writer.item(row.drive_item)
        found = self._writer.named(name)  # committed, and a crash before that was written down
        if found is None or not is_ours(found, application=self._application, folder=self._writer.folder):
            return None
        with self._database.read() as tx:
            known = self._placements.by_drive_item(tx, found.id)
        return None if known is not None else found  # one that we put under another name, and somebody renamed

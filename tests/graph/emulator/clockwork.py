"""What the service does by itself when its time has come: rewriting JPEGs in libraries, giving pictures new eTags."""

from __future__ import annotations

from tests.graph.emulator import quickxor
from tests.graph.emulator.answers import Problem
from tests.graph.emulator.identities import SHAREPOINT, identity_set
from tests.graph.emulator.items import Item, Tree

_COMMENT = b"\xff\xfe\x00\x0aSP-PROMO"  # a JPEG segment of 12 bytes, after the two that begin a JPEG


class Clockwork:
    """Does what is due; every request turns it."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def turn(self) -> None:
        """Does all that is due now."""
        database = self.tree.database
        if database.one("SELECT 1 FROM due WHERE at <= ? LIMIT 1", self.tree.now()) is None:
            return
        with database.transaction():
            for row in database.all("SELECT rowid, * FROM due WHERE at <= ? ORDER BY at", self.tree.now()):
                database.run("DELETE FROM due WHERE rowid = ?", row["rowid"])
                try:
                    item = self.tree.item(row["drive"], row["item"])
                except Problem:
                    continue  # it was removed meanwhile
                if row["kind"] == "rewrite":
                    self.rewrite(item)
                else:
                    self.tree.update(item, ctag=item.ctag + 1)

    def rewrite(self, item: Item) -> Item:
        """Twelve bytes more in a JPEG, as a document library adds them; creator and modifier stay."""
        if item.content is None:
            return item
        content = self.tree.blob(item.content).read_bytes()
        if content[:2] != b"\xff\xd8":
            return item
        blob = self.tree.new_blob()
        self.tree.blob(blob).write_bytes(content[:2] + _COMMENT + content[2:])
        hash_, size = quickxor.of_file(self.tree.blob(blob))
        by = item.modified_by or identity_set(SHAREPOINT)
        return self.tree.refill(item, blob, size, hash_, by, version=False)

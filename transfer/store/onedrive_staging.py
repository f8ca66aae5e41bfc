"""What lies in a staging folder in OneDrive as far as the service has told, so that a restart goes on where it was.

What enters: changes in the order in which they were told, and the link to go on with; both become durable together.
What leaves: the link, and everything that lies there. One source's rows are written by one gateway's thread only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import parse_time, render_time
from transfer.model.drive import Cursor, Node, Wait
from transfer.model.identifiers import SourceId
from transfer.store.database import ReadTx, WriteTx
from transfer.store.onedrive_staging_tables import ONEDRIVE_CURSOR, ONEDRIVE_NODE, ONEDRIVE_WAIT


def note_wait(tx: WriteTx, source: SourceId, wait: Wait | None) -> None:
    """What a source waits for now; None: nothing any more."""
    tx.connection.execute(delete(ONEDRIVE_WAIT).where(ONEDRIVE_WAIT.c.source == source))
    if wait is not None:
        until = None if wait.until is None else render_time(wait.until)
        tx.connection.execute(insert(ONEDRIVE_WAIT).values(source=source, why=wait.why, until=until))


def forget_waits(tx: WriteTx) -> None:
    """Nothing waits: whoever noted it runs no more."""
    tx.connection.execute(delete(ONEDRIVE_WAIT))


def waits(tx: ReadTx) -> dict[SourceId, Wait]:
    """What each source waited for when that was last noted by a running gateway."""
    return {
        SourceId(row.source): Wait(why=row.why, until=None if row.until is None else parse_time(row.until))
        for row in tx.connection.execute(select(ONEDRIVE_WAIT).order_by(ONEDRIVE_WAIT.c.source))
    }


class StagingRows:
    """The rows of one source. Every method takes the transaction it belongs to."""

    def __init__(self, source: SourceId) -> None:
        self._source = source

    def cursor(self, tx: ReadTx) -> Cursor | None:
        """Where it went on last, if it ever began."""
        query = select(ONEDRIVE_CURSOR).where(ONEDRIVE_CURSOR.c.source == self._source)
        found = tx.connection.execute(query).first()
        if found is None:
            return None
        return Cursor(watched=found.watched, link=found.link, listing=found.listing, complete=bool(found.complete))

    def nodes(self, tx: ReadTx) -> list[Node]:
        """Everything that was told of and not taken back."""
        query = select(ONEDRIVE_NODE).where(ONEDRIVE_NODE.c.source == self._source)
        return [
            Node(
                id=row.node,
                parent=row.parent,
                name=row.name,
                kind=row.kind,
                size=row.size,
                quickxor=row.quickxor,
                modified_ns=row.modified_ns,
                unfinished=bool(row.unfinished),
                infected=bool(row.infected),
            )
            for row in tx.connection.execute(query)
        ]

    def went_on(self, tx: WriteTx, cursor: Cursor, changes: Mapping[str, Node | None]) -> None:
        """These items changed, or went where there is None; the next time it goes on from `cursor`."""
        gone = [node for node, now in changes.items() if now is None]
        there = [now for now in changes.values() if now is not None]
        mine = ONEDRIVE_NODE.c.source == self._source
        for node in gone:
            tx.connection.execute(delete(ONEDRIVE_NODE).where(mine, ONEDRIVE_NODE.c.node == node))
        if there:
            self._put(tx, there, cursor.listing)
        self._keep(tx, cursor)

    def ended(self, tx: WriteTx, cursor: Cursor) -> None:
        """A full listing has come to its end: what it did not tell of is there no longer."""
        old = (ONEDRIVE_NODE.c.source == self._source, ONEDRIVE_NODE.c.listing != cursor.listing)
        tx.connection.execute(delete(ONEDRIVE_NODE).where(*old))
        self._keep(tx, cursor)

    def forget(self, tx: WriteTx) -> None:
        """Another folder is watched now."""
        for table in (ONEDRIVE_NODE, ONEDRIVE_CURSOR):
            tx.connection.execute(delete(table).where(table.c.source == self._source))

    def _put(self, tx: WriteTx, nodes: Iterable[Node], listing: int) -> None:
        rows = [
            {
                "source": self._source,
                "node": node.id,
                "parent": node.parent,
                "name": node.name,
                "kind": node.kind,
                "size": node.size,
                "quickxor": node.quickxor,
                "modified_ns": node.modified_ns,
                "unfinished": int(node.unfinished),
                "infected": int(node.infected),
                "listing": listing,
            }
            for node in nodes
        ]
        statement = upsert(ONEDRIVE_NODE)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in {"source", "node"}}
        tx.connection.execute(statement.on_conflict_do_update(index_elements=["source", "node"], set_=changed), rows)

    def _keep(self, tx: WriteTx, cursor: Cursor) -> None:
        values = {
            "watched": cursor.watched,
            "link": cursor.link,
            "listing": cursor.listing,
            "complete": int(cursor.complete),
        }
        statement = upsert(ONEDRIVE_CURSOR).values(source=self._source, **values)
        tx.connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))

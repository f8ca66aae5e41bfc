"""Signed statements as they were handed in, which items they speak of, and the words behind their digests.

The notes are stored whole, because they are the evidence: whoever reads them here checks their signatures again
(`approvals.desk`). `wording` holds free text that statements name only by a salted digest; it can be erased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, insert, select, true, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.events import EntryRef
from transfer.model.identifiers import ItemId, Sha256
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory_tables import DECISION, STATEMENT, WORDING
from transfer.store.schema import CONTROL


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRow:
    """One accepted statement: the signed note, and the log entry that took it in."""

    sha256: Sha256
    entry: int
    kind: str
    note: str


class Statements:
    """Reads and writes accepted statements inside the caller's transaction. Holds nothing."""

    def add(
        self,
        tx: WriteTx,
        *,
        sha256: Sha256,
        kind: str,
        note: str,
        series: str | None,
        after: Sha256 | None,
        items: Iterable[ItemId],
        entry: EntryRef,
    ) -> None:
        """Keep a statement that was accepted and recorded as `entry`. The caller has looked whether it is `known`."""
        tx.connection.execute(
            insert(STATEMENT).values(
                sha256=sha256,
                entry=entry.index,
                kind=kind,
                note=note,
                series=series,
                after=None if series is None else (after or ""),
            )
        )
        for item in items:
            tx.connection.execute(insert(DECISION).values(item=item, statement=sha256, kind=kind, open=0))

    def known(self, tx: ReadTx, sha256: Sha256) -> bool:
        """Whether exactly this note was accepted before."""
        return tx.connection.execute(select(STATEMENT.c.entry).where(STATEMENT.c.sha256 == sha256)).first() is not None

    def governing(self, tx: ReadTx, series: Iterable[str]) -> list[StatementRow]:
        """The statements of these series in the order in which they took effect."""
        return self._rows(tx, STATEMENT.c.series.in_(list(series)))

    def all_governing(self, tx: ReadTx) -> list[StatementRow]:
        """The statements of all series in the order in which they took effect."""
        return self._rows(tx, STATEMENT.c.series.is_not(None))

    def everything(self, tx: ReadTx) -> list[StatementRow]:
        """All statements that were ever accepted, in their order."""
        return self._rows(tx, true())

    def about(self, tx: ReadTx, item: ItemId, kind: str) -> list[StatementRow]:
        """The decisions of one kind about one item, oldest first."""
        wanted = select(DECISION.c.statement).where(DECISION.c.item == item, DECISION.c.kind == kind)
        return self._rows(tx, STATEMENT.c.sha256.in_(wanted))

    def leave_open(self, tx: WriteTx, item: ItemId, sha256: Sha256) -> None:
        """The gateway has to carry this decision out."""
        wanted = (DECISION.c.item == item) & (DECISION.c.statement == sha256)
        tx.connection.execute(update(DECISION).where(wanted).values(open=1))

    def close(self, tx: WriteTx, item: ItemId) -> None:
        """Whatever was open about this item has been carried out."""
        tx.connection.execute(update(DECISION).where(DECISION.c.item == item, DECISION.c.open == 1).values(open=0))

    def open_items(self, tx: ReadTx, *, limit: int = 1000) -> list[ItemId]:
        """Items about which a decision is still to be carried out."""
        found = select(DECISION.c.item).where(DECISION.c.open == 1).distinct().order_by(DECISION.c.item).limit(limit)
        return [ItemId(item) for item in tx.connection.execute(found).scalars()]

    def keep_words(self, tx: WriteTx, *, digest: Sha256, salt: str, text: str) -> None:
        """The words behind a digest, kept before anybody signs it."""
        tx.connection.execute(upsert(WORDING).values(digest=digest, salt=salt, text=text).on_conflict_do_nothing())

    def words(self, tx: ReadTx, digest: Sha256) -> tuple[str, str] | None:
        """Salt and text, or None if they were never here or have been erased."""
        row = tx.connection.execute(select(WORDING).where(WORDING.c.digest == digest)).one_or_none()
        return None if row is None or row.text is None or row.salt is None else (row.salt, row.text)

    def erase_words(self, tx: WriteTx, digest: Sha256, *, entry: EntryRef) -> None:
        """From now on the digest says nothing to anybody."""
        del entry
        tx.connection.execute(update(WORDING).where(WORDING.c.digest == digest).values(salt=None, text=None))

    def show_pause(self, tx: WriteTx, *, by: str | None, statement: Sha256 | None, entry: EntryRef) -> None:
        """The pause for whoever only looks (status, pages); what counts is the statement itself."""
        del entry
        tx.connection.execute(update(CONTROL).values(paused_by=by, paused_statement=statement))

    def _rows(self, tx: ReadTx, condition: ColumnElement[bool]) -> list[StatementRow]:
        found = tx.connection.execute(select(STATEMENT).where(condition).order_by(STATEMENT.c.entry))
        return [StatementRow(sha256=Sha256(row.sha256), entry=row.entry, kind=row.kind, note=row.note) for row in found]

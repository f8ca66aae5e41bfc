"""Uploads under way to a release folder in OneDrive, so that a crash costs no more than the chunk that was on its way.

What enters: the address that the service gave for an upload, and how far it got. What leaves: the same, to whoever
takes it up again. The address is a secret, and this table in the gateway's own state the only place that holds it; the
row goes when the upload ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.store.database import ReadTx, WriteTx
from transfer.store.onedrive_tables import ONEDRIVE_UPLOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The first `end` bytes of a file, and what they hash to: what was sent is known, not only how much."""

    end: int
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """One upload. `sent` has arrived; `sending` was on its way when this was written; `committing`: all has arrived,
    and the commit was about to be asked for."""

    temporary: SafeName
    url: str = field(repr=False)
    sha256: Sha256
    size: int
    sent: Part
    sending: Part
    committing: bool = False


class Uploads:
    """The rows of all uploads under way. Every method takes the transaction it belongs to."""

    def begin(self, tx: WriteTx, row: UploadRow) -> None:
        """An address was given; in place of one that was given before."""
        values = {
            "url": row.url,
            "sha256": row.sha256,
            "size": row.size,
            "sent": row.sent.end,
            "sent_sha256": row.sent.sha256,
            "sending": row.sending.end,
            "sending_sha256": row.sending.sha256,
            "committing": int(row.committing),
        }
        statement = upsert(ONEDRIVE_UPLOAD).values(temporary=row.temporary.text, **values)
        tx.connection.execute(statement.on_conflict_do_update(index_elements=["temporary"], set_=values))

    def find(self, tx: ReadTx, temporary: SafeName) -> UploadRow | None:
        """The upload of this release, if one is under way."""
        found = tx.connection.execute(
            select(ONEDRIVE_UPLOAD).where(ONEDRIVE_UPLOAD.c.temporary == temporary.text)
        ).first()
        if found is None:
            return None
        return UploadRow(
            temporary=temporary,
            url=found.url,
            sha256=Sha256(found.sha256),
            size=found.size,
            sent=Part(end=found.sent, sha256=Sha256(found.sent_sha256)),
            sending=Part(end=found.sending, sha256=Sha256(found.sending_sha256)),
            committing=bool(found.committing),
        )

    def advance(self, tx: WriteTx, temporary: SafeName, *, sent: Part, sending: Part) -> None:
        """`sent` has arrived, `sending` is about to go out."""
        values = {
            "sent": sent.end,
            "sent_sha256": sent.sha256,
            "sending": sending.end,
            "sending_sha256": sending.sha256,
        }
        self._change(tx, temporary, **values)

    def committing(self, tx: WriteTx, temporary: SafeName) -> None:
        """All has arrived; the commit is about to be asked for."""
        self._change(tx, temporary, committing=1)

    def ended(self, tx: WriteTx, temporary: SafeName) -> None:
        """It was committed, cancelled or given up."""
        tx.connection.execute(delete(ONEDRIVE_UPLOAD).where(ONEDRIVE_UPLOAD.c.temporary == temporary.text))

    def _change(self, tx: WriteTx, temporary: SafeName, **values: object) -> None:
        row = update(ONEDRIVE_UPLOAD).where(ONEDRIVE_UPLOAD.c.temporary == temporary.text)
        tx.connection.execute(row.values(**values))

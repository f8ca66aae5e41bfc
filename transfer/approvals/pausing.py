"""The pause: in an incident an approver or operator stops releasing at once, and later lets it go on; both signed.

What counts is the last signed statement of its series, replayed before every release; the row that `transfer status`
shows is only for looking at. A pause that was deleted from the tables is still in the log, and `trail` finds whatever
was released in spite of it.
"""

from __future__ import annotations

from transfer.approvals.desk import Desk, wrong_kind
from transfer.approvals.statement import PauseStatement
from transfer.model.events import EventName
from transfer.store.database import ReadTx, WriteTx


def set_pause(tx: WriteTx, note: str, *, desk: Desk) -> PauseStatement:
    """Pause or resume, as the statement says. Raises Misuse, NotSo (already so), Tampered; then nothing was changed."""
    signed = desk.govern(tx, note, PauseStatement)
    statement = signed.statement
    if not isinstance(statement, PauseStatement):
        raise wrong_kind(statement.kind, PauseStatement.kind)
    reason = desk.words(tx, statement.reason)
    name = EventName.GATEWAY_PAUSED if statement.paused else EventName.GATEWAY_RESUMED
    entry = desk.take_in(tx, signed, name, private={"reason": reason} if reason else {})
    desk.statements.show_pause(
        tx,
        by=statement.by if statement.paused else None,
        statement=signed.sha256 if statement.paused else None,
        entry=entry,
    )
    return statement


def pause_in_force(tx: ReadTx, *, desk: Desk) -> PauseStatement | None:
    """The pause in force, if there is one. Raises Tampered if the stored statements do not agree."""
    return desk.authority(tx).pause

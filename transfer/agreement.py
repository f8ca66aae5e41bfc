"""What else the database says, held against its log: kept checkpoints, openings of commitments, who may decide.

What enters: a workspace whose log itself was verified. What leaves: nothing, or Tampered with the row that the
log does not bear out. No right follows from any of these rows; but people read them, and a reader must not be told by
the database what the log does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transfer.approvals.statement import Role
from transfer.audit.entries import decode_leaf, disclosure_digest
from transfer.audit.notes import Verifier
from transfer.audit.reader_running import no_pace
from transfer.audit.verify_kept import KeptCheckpoints
from transfer.errors import Tampered
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.wiring import Site

_PAGE = 4096
_RESTORE = "Find out who changed the database, and restore the last backup: `transfer restore DIR`."


def check_tables(site: Site, verifiers: Sequence[Verifier], pace: Callable[[], None] = no_pace) -> None:
    """A page at a time, with `pace` called between. Raises Tampered."""
    with site.db.read() as tx:
        _check_approvers(tx, site)
    check_rows(site.db, verifiers, pace)


def check_rows(db: Database, verifiers: Sequence[Verifier], pace: Callable[[], None] = no_pace) -> None:
    """What lies beside the entries of one shard: the checkpoints that are kept, and the openings. Raises Tampered."""
    with db.read() as tx:
        _check_kept_checkpoint(tx)
        head = journal.head(tx)
    kept = KeptCheckpoints(verifiers, origin=head.signed_note.partition("\n")[0])
    for first in range(0, head.size, _PAGE):
        pace()
        end = min(first + _PAGE, head.size)
        with db.read() as tx:
            kept.check_page(tx, end)
            _check_openings(tx, first, end)
    with db.read() as tx:
        beyond = journal.openings(tx, journal.head(tx).size)
    if beyond:
        raise Tampered(f"The database keeps a text of entry {beyond[0][0]}, which does not exist.", advice=_RESTORE)


def _check_kept_checkpoint(tx: ReadTx) -> None:
    """The newest one that is kept is the one signed last, so that no second one was signed and hidden."""
    head = journal.head(tx)
    newest = journal.newest_signed(tx)
    if newest != head.signed_size or (journal.signed_note(tx, newest) or "") != head.signed_note:
        raise Tampered(
            f"The database says that it signed {head.signed_size} entries last; the newest checkpoint it keeps is "
            f"another one, of {newest}.",
            advice=_RESTORE,
        )


def _check_openings(tx: ReadTx, first: int, end: int) -> None:
    rows = journal.openings(tx, first, end)
    leaves = journal.leaves(tx, first, end) if rows else []
    for index, digest, text in rows:
        committed = decode_leaf(leaves[index - first]).get("_sd")
        opens = text.isascii() and disclosure_digest(text) == digest
        if not opens or not isinstance(committed, list) or digest not in committed:
            raise Tampered(
                f"What the database keeps as a name or text of entry {index} is not what that entry commits to.",
                advice=_RESTORE,
            )


def _check_approvers(tx: ReadTx, site: Site) -> None:
    """The stored statements are those of the log, and whoever the directory calls an approver is one by signature."""
    members = site.desk.whole_authority(tx).members
    for row in site.desk.directory.people(tx):
        member = members.get(row.person)
        if Role.APPROVER.value in row.roles and (member is None or Role.APPROVER not in member.roles):
            raise Tampered(
                f"The database calls {row.person} an approver, and no signature that leads back to the first approver "
                "says so.",
                advice=_RESTORE,
                clauses=("G1",),
            )

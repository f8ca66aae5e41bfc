"""The newest checkpoint: signed once for each size, stored before anybody sees it.

What enters: the database and the log's signer. What leaves: a checkpoint that is durable in the database and continues
the one signed before. The rows are checked before a signature is put to them, because a signature cannot be taken back.
"""

from __future__ import annotations

from transfer.audit.checkpoint import Checkpoint, open_checkpoint, render_checkpoint
from transfer.audit.merkle import Frontier
from transfer.audit.notes import Ed25519Signer, sign_note
from transfer.audit.tiles import range_hash
from transfer.errors import Tampered
from transfer.store import journal
from transfer.store.database import Database, ReadTx
from transfer.store.journal import Head

_RESTORE = "Stop the gateway and find out who changed the database; restore the last backup: `transfer restore DIR`."


def sign_newest(db: Database, signer: Ed25519Signer, origin: str) -> Checkpoint | None:
    """Signs what the log has grown to; None if that is signed already. Raises Tampered, Unavailable."""
    with db.read() as tx:
        head = journal.head(tx)
        if head.size == head.signed_size:
            check_signed(head, signer, origin)
            return None
    with db.write() as tx:
        head = journal.head(tx)
        before = check_signed(head, signer, origin)
        newest = journal.newest_signed(tx)
        if newest != head.signed_size:
            raise Tampered(
                f"The database says that {head.signed_size} entries were signed last, but it keeps a checkpoint of "
                f"{newest}.",
                advice=_RESTORE,
            )
        root = Frontier.from_bytes(head.size, head.peaks).root()
        check_row_root(tx, head.size, root)
        if before is not None:
            check_row_root(tx, before.size, before.root)
        checkpoint = Checkpoint(origin=origin, size=head.size, root=root)
        note = sign_note(render_checkpoint(checkpoint), [signer])
        if not journal.store_signed(tx, was=head.signed_size, size=head.size, note=note):
            return None
    # After a crash before this line nobody has seen the signature; after it, the database knows it. Two different
    # roots for one size can therefore never be handed out.
    return checkpoint


def check_signed(head: Head, signer: Ed25519Signer, origin: str) -> Checkpoint | None:
    """The checkpoint that the database says was signed last. Raises Tampered if it was not signed by us."""
    if head.size < head.signed_size:
        raise Tampered(
            f"The database has {head.size} entries, but {head.signed_size} have been signed.", advice=_RESTORE
        )
    if not head.signed_note:
        if head.signed_size:
            raise Tampered("The database has lost the checkpoint that was signed last.", advice=_RESTORE)
        return None
    try:
        checkpoint = open_checkpoint(head.signed_note, [signer.verifier]).checkpoint
    except Tampered as error:
        raise Tampered(
            f"The database's signed checkpoint is not one by this gateway's key: {error.sentence}",
            advice="Put the key back with which the log was signed, or restore the last backup.",
        ) from error
    if checkpoint.origin != origin or checkpoint.size != head.signed_size:
        raise Tampered(
            f"The database says that {head.signed_size} entries of {origin} were signed last, but its checkpoint is of "
            f"{checkpoint.size} entries of {checkpoint.origin}.",
            advice=_RESTORE,
        )
    edge_fits = checkpoint.size != head.size or checkpoint.root == Frontier.from_bytes(head.size, head.peaks).root()
    if not edge_fits:
        raise Tampered(
            f"The database's right edge of the tree does not have the root that was signed for {head.size} entries.",
            advice=_RESTORE,
        )
    return checkpoint


def check_row_root(tx: ReadTx, size: int, root: bytes) -> None:
    """Whether the recorded hashes still have this root for the first `size` entries. Raises Tampered."""
    if root_from_rows(tx, size) != root:
        raise Tampered(
            f"The recorded hashes of the first {size} entries do not have the root that they had.",
            advice="Run `transfer audit verify` to see which entry was changed, and restore the last backup.",
        )


def root_from_rows(tx: ReadTx, size: int) -> bytes | None:
    """The root of the first `size` entries from recorded hashes, a few hundred at most; None if some are missing."""
    missing = False

    def recorded(level: int, first: int, count: int) -> list[bytes]:
        nonlocal missing
        found = journal.hashes(tx, level, first, count)
        missing = missing or len(found) != count
        return found if len(found) == count else [b""] * count

    root = range_hash(0, size, recorded)
    return None if missing else root

"""Before the first signature of a run: do database and folder agree?

What enters: the database, the public folder and the log's key. What leaves: a report, or Tampered with the one thing
that disagrees. Neither side is trusted alone: a database that was rolled back knows less than the folder has shown, an
edited one no longer makes the root that was signed. Every entry is hashed again (about three seconds a million).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from transfer.audit.checkpoint import Checkpoint, open_checkpoint
from transfer.audit.notes import Ed25519Signer
from transfer.audit.reader import Claim, Survey
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.shards import archived, label_of
from transfer.audit.signing import check_signed
from transfer.audit.tiles import WIDTH, Tile, tile_widths
from transfer.audit.walk import Walk
from transfer.errors import Tampered
from transfer.store import journal
from transfer.store.database import Database
from transfer.store.durable import world_errors

_ROLLED_BACK = (
    "Put the newest database back. If it is lost, `transfer audit adopt` takes over what the log's folder has."
)
_EDITED = "Find out who changed the database, and restore the last backup: `transfer restore DIR`."
_FOREIGN = "Name this gateway's own log folder in transfer.toml, or put its own key back."


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReport:
    """What was found in order: entries hashed again, the signed and the published size, and what a crash left."""

    entries_checked: int
    signed: int
    published: int
    unfinished: int
    republishing: int  # how many published entries the folder had lost, as after a restore; they are written again


def check_start(*, db: Database, log_dir: Path, signer: Ed25519Signer, origin: str) -> StartReport:
    """Raises Tampered, Unavailable. Repeats harmlessly; the caller holds the folder."""
    folder = FolderReader(log_dir)
    with db.read() as tx:
        reader = DatabaseReader(tx)
        head = reader.head
        stored = check_signed(head, signer, origin)
        shown = published_checkpoint(folder, signer, origin)
        compare_sizes(shown, stored, head.published)
        survey = folder.survey(shown.size if shown else 0)
        check_nothing_newer(folder, survey, head.signed_size)
        claims = [*reader.claims()]
        claims += [_claim(stored, "the database's signed checkpoint")] if stored else []
        claims += [_claim(shown, f"{log_dir.name}/checkpoint")] if shown else []
        checked = _hash_again(reader, folder, claims, shown)
    size = shown.size if shown else 0
    if size < head.published:
        with db.write() as tx:
            journal.set_published(tx, size)
    with world_errors("tidying the log"):
        _sweep(folder, survey, size)
    return StartReport(
        entries_checked=checked,
        signed=head.signed_size,
        published=size,
        unfinished=len(survey.unfinished),
        republishing=max(0, head.published - size),
    )


def published_checkpoint(folder: FolderReader, signer: Ed25519Signer, origin: str) -> Checkpoint | None:
    """What the folder shows; None if nothing yet, or nothing since the shard before was sealed.

    Raises Tampered if it is not this gateway's.
    """
    name = folder.folder.name
    note = folder.checkpoint()
    if note is None or _is_sealed_one(folder, note, origin):
        return None
    key = folder.own_key()
    if key is not None and key != signer.verifier:
        raise Tampered(f"{name}/log.vkey is not this gateway's verifier key: it is {key.vkey}.", advice=_FOREIGN)
    try:
        checkpoint = open_checkpoint(note, [signer.verifier]).checkpoint
    except Tampered as error:
        raise Tampered(f"{name}/checkpoint is not one of this gateway: {error.sentence}", advice=_FOREIGN) from error
    if checkpoint.origin != origin:
        raise Tampered(f"{name}/checkpoint is of the log {checkpoint.origin}, not of {origin}.", advice=_FOREIGN)
    return checkpoint


def _is_sealed_one(folder: FolderReader, note: bytes, origin: str) -> bool:
    sealed = archived(folder.folder)
    return bool(sealed) and sealed[-1].checkpoint() == note and sealed[-1].folder.name != label_of(origin)


def compare_sizes(shown: Checkpoint | None, stored: Checkpoint | None, published: int) -> None:
    """Whether the folder can be a former state of this database. Raises Tampered."""
    signed = stored.size if stored else 0
    if shown is None:
        if published:
            raise Tampered(
                f"The log's folder has no checkpoint, although {published} entries were published.",
                advice="Put the folder back, or have it written anew from the database: `transfer audit republish`.",
            )
    elif shown.size > signed:
        raise Tampered(
            f"The database was rolled back: the log's folder shows {shown.size} entries, the database has signed "
            f"only {signed}.",
            advice=_ROLLED_BACK,
        )
    elif stored is not None and shown.size == signed and shown.root != stored.root:
        raise Tampered(f"Two different roots are signed for the size of {signed} entries.", advice=_EDITED)


def check_nothing_newer(folder: FolderReader, survey: Survey, signed: int) -> None:
    """Whether the folder speaks of no more entries than were signed. Raises Tampered."""
    newer = sorted(tile for tile in survey.extras if tile.end > signed)
    if newer:
        raise Tampered(
            f"{folder.name(newer[0])} speaks of {newer[0].end} entries, the database has signed only {signed}.",
            advice=_ROLLED_BACK,
        )


def _claim(checkpoint: Checkpoint, who: str) -> Claim:
    return Claim(size=checkpoint.size, root=checkpoint.root, who=who)


def _hash_again(reader: DatabaseReader, folder: FolderReader, claims: list[Claim], shown: Checkpoint | None) -> int:
    survey = reader.survey(max(claim.size for claim in claims))
    walk = Walk(reader, survey, signed=claims[-1], claims=claims)
    try:
        for _ in walk.bundles():
            pass
    except Tampered as error:
        where = _first_difference(reader, folder, shown.size) if shown else None
        entry = "" if where is None else f" The first entry that differs from the published one is {where}."
        raise Tampered(f"The database was edited. {error.sentence}{entry}", advice=_EDITED) from error
    return walk.entries_checked


def _first_difference(reader: DatabaseReader, folder: FolderReader, size: int) -> int | None:
    """The first entry in which the database is not what the folder shows, as far as both can be read."""
    with contextlib.suppress(Tampered):
        for index in range(-(-size // WIDTH)):
            width = min(WIDTH, size - index * WIDTH)
            ours, theirs = reader.entries(index, width), folder.entries(index, width)
            if ours != theirs:
                return index * WIDTH + next(j for j in range(width) if ours[j] != theirs[j])
    return None


def _sweep(folder: FolderReader, survey: Survey, size: int) -> None:
    """Takes away what a crash left half written, and partial tiles that full ones have replaced."""
    for path in survey.unfinished:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder.folder / path)
    for tile in survey.extras:
        if tile.width < WIDTH and tile.index < tile_widths(tile.level, size)[0]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(folder.folder / tile.path)
            with contextlib.suppress(OSError):  # not empty: another partial one's turn comes
                os.rmdir(folder.folder / f"{Tile(tile.level, tile.index).path}.p")

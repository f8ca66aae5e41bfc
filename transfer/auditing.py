"""Verifying a transfer log with everything that leads to it: tree, tiles, signatures, and who approved each release.

What enters: a folder with a published log and the keys that the auditor brings, or a whole workspace. What leaves: what
was checked, with counts, or Tampered with the one thing that does not fit. A folder needs no workspace and no gateway.
Of a workspace also the database is verified, and that folder and database tell the same story.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from transfer.agreement import check_rows, check_tables
from transfer.approvals.authority import Root
from transfer.approvals.coverage import Approvals, Covered
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from transfer.audit.notes import Verifier, parse_note, parse_vkey
from transfer.audit.reader import LogReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.reader_running import PacedReader, RunningReader, no_pace
from transfer.audit.shards import archived, family_of, is_switching, label_of
from transfer.audit.signing import check_row_root
from transfer.audit.start import compare_sizes
from transfer.audit.tiles import BUNDLE, Tile
from transfer.audit.verify import VerifyReport
from transfer.errors import NotSo, Tampered, Unavailable
from transfer.shards import Shard, ShardReport, verify_shards
from transfer.store.database import Database
from transfer.store.shards import archive_path, archives
from transfer.wiring import Site

_T = TypeVar("_T")

_NAME_IT = "Name the folder that holds the log's `checkpoint`."
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was verified; `database` is None where only a folder was given.

    `folder` and `database` are of the running shard (or, just after it was sealed, the last one), `sealed` those before
    it, oldest first.
    """

    folder: VerifyReport
    database: VerifyReport | None
    covered: Covered
    sealed: tuple[ShardReport, ...] = ()


def audit_folder(
    folder: Path,
    verifiers: Sequence[Verifier],
    *,
    origin: str | None = None,
    older: bytes | None = None,
    root: Root | None = None,
    four_eyes: bool = True,
) -> Audit:
    """A published log by itself. `root` is the first approver if the auditor knows them from elsewhere.

    Raises Tampered; NotSo if there is nothing to verify; Unavailable if it is switched to its next shard just now.
    """
    if not folder.is_dir():
        raise NotSo(f"There is no folder {folder}.", advice=_NAME_IT)

    def verify() -> tuple[list[ShardReport], Approvals]:
        approvals = Approvals(root=root, four_eyes=four_eyes)
        alone = FolderReader(folder).sealed() is not None  # a sealed shard, copied by itself
        return verify_shards(_published(folder), verifiers, approvals, older=older, alone=alone), approvals

    reports, approvals = _while_it_holds_still(folder, verify)
    found = [one.report.origin for one in reports]
    if origin is not None and origin not in found:
        raise Tampered(f"This is the log {found[-1]}, not {origin}.")
    return Audit(folder=reports[-1].report, database=None, covered=approvals.covered, sealed=tuple(reports[:-1]))


def audit_site(
    site: Site, verifiers: Sequence[Verifier], *, older: bytes | None = None, pace: Callable[[], None] = no_pace
) -> Audit:
    """A workspace: its published folder, its database, and each against the other. Raises as `audit_folder`.

    The database is read a little at a time, and `pace` called between: others may go on working.
    """
    return _while_it_holds_still(site.workspace.log, lambda: _audit_site(site, verifiers, older, pace))


def _audit_site(site: Site, verifiers: Sequence[Verifier], older: bytes | None, pace: Callable[[], None]) -> Audit:
    log, origin = site.workspace.log, site.settings.gateway.origin
    by_folder, by_database = (
        Approvals(root=site.desk.root, four_eyes=site.policy.approval.four_eyes) for _ in range(2)
    )
    _check_not_switching(site)
    folder, published = FolderReader(log), _published(log, pace)
    shown: Checkpoint | None = None
    reports: list[ShardReport] = []
    # What the folder shows is read before the database: a gateway that runs meanwhile only makes the database longer.
    if len(published) > 1 or published[0].reader.checkpoint() is not None:
        reports = verify_shards(published, verifiers, by_folder, older=older)
        report = reports[-1].report
        if family_of(report.origin) != family_of(origin):
            raise Tampered(f"This is the log {report.origin}, not {origin}.")
        shown = Checkpoint(origin=report.origin, size=report.size, root=report.root)
    extras = folder.survey(shown.size if shown else 0).extras
    reader = RunningReader(site.db, pace)
    stored = reader.checkpoint()
    keys = [*verifiers, *(parse_vkey(one.vkey) for one in reports if one.vkey)]
    signed = _open_stored(stored, keys) if stored is not None else None
    compare_sizes(shown, signed, reader.head.published)
    _check_not_older(folder, reader.head.published)
    with contextlib.ExitStack() as opened:
        kept = [*_archived_rows(site, published[:-1], keys, opened, pace), Shard(reader=reader)]
        database = verify_shards(kept, keys, by_database, older=older)[-1].report
    if shown is None:
        raise NotSo("Nothing has been published yet.", advice="Run the gateway once first.")
    with site.db.read() as tx:
        check_row_root(tx, shown.size, shown.root)
    for tile in sorted(extras):
        _compare(folder, reader, tile, reader.head.size)
    check_tables(site, keys, pace)
    return Audit(folder=reports[-1].report, database=database, covered=by_database.covered, sealed=tuple(reports[:-1]))


def _published(log: Path, pace: Callable[[], None] = no_pace) -> list[Shard]:
    """The sealed shards and the running one, as far as each shows a checkpoint; a log without any is an empty list."""
    sealed = [
        Shard(
            reader=PacedReader(reader, pace),
            name=f"{log.name}/archive/{reader.folder.name}",
            opening=reader.opened(),
            proof=reader.sealed(),
            pruned=reader.is_pruned(),
        )
        for reader in archived(log)
    ]
    running = FolderReader(log)
    if is_switching(log) or (running.checkpoint() is None and not sealed):
        return sealed or [Shard(reader=PacedReader(running, pace))]
    return [*sealed, Shard(reader=PacedReader(running, pace))]


def _archived_rows(
    site: Site,
    published: Sequence[Shard],
    keys: Sequence[Verifier],
    opened: contextlib.ExitStack,
    pace: Callable[[], None],
) -> Iterator[Shard]:
    """The database of each sealed shard, its openings and kept checkpoints checked; of a pruned one there is none, and
    its hashes stand in.

    Raises Tampered for one that is missing, and for one that no sealed shard belongs to.
    """
    there = archives(site.workspace.database)
    for shard in published:
        path = there.pop(label_of(shard.origin), None)
        if shard.pruned:
            yield shard
            continue
        if path is None:
            raise Tampered(
                f"The rows of the sealed log {shard.origin} are missing: "
                f"{archive_path(site.workspace.database, label_of(shard.origin)).name}.",
                advice="Put the file back from the last backup.",
            )
        db = Database.open(path)
        opened.callback(db.close)
        check_rows(db, keys, pace)
        yield Shard(reader=RunningReader(db, pace), name=path.name)
    for label, path in there.items():
        raise Tampered(f"{path.name} holds rows of a log, and no sealed log is called {label}.")


def _check_not_switching(site: Site) -> None:
    if not is_switching(site.workspace.log):
        return
    reader = RunningReader(site.db)
    if reader.head.published and reader.head.size and b'"shard.opened"' in reader.entries(0, 1)[0]:
        raise Tampered(
            f"The log's folder was rolled back: it shows the sealed log only, and {reader.head.published} entries of "
            "the next one were published.",
            advice="Find out who changed the folder. A gateway that starts publishes the rest again.",
        )
    raise Unavailable(
        "The log is sealed, and its next shard is not published yet.",
        advice="Try again. If no gateway runs, its next start finishes this, or `transfer audit rotate`.",
    )


def _while_it_holds_still(log: Path, verify: Callable[[], _T]) -> _T:
    """Verifies again if the folder was switched to another shard under the reader. Raises Unavailable if it never ends.

    What does not fit in a folder that stays as it is, is Tampered at once.
    """
    for _ in range(_TRIES):
        before = _state(log)
        try:
            return verify()
        except Tampered:
            if _state(log) == before:
                raise
    raise Unavailable("The log is switched to its next shard while it is read.", advice="Try again.")


def _state(log: Path) -> tuple[object, ...]:
    """Changes while a log is switched, and never while it grows."""
    with contextlib.suppress(Tampered):
        sealed = tuple((one.folder.name, one.is_pruned()) for one in archived(log))
        return (*sealed, is_switching(log), Shard(reader=FolderReader(log)).origin)
    return ()


def _open_stored(note: bytes, verifiers: Sequence[Verifier]) -> Checkpoint:
    try:
        return open_checkpoint(note, verifiers).checkpoint
    except Tampered as error:
        raise Tampered(
            f"The database's signed checkpoint is not what the log's key signed: {error.sentence}"
        ) from error


def _check_not_older(folder: FolderReader, published: int) -> None:
    """Read after the database was: a gateway that publishes meanwhile only makes the folder newer."""
    note = folder.checkpoint()
    size = 0 if note is None else parse_checkpoint(parse_note(note)[0]).size
    if note is not None and size < published:
        raise Tampered(
            f"The log's folder was rolled back: it shows {size} entries, and {published} were published.",
            advice="Find out who changed the folder. A gateway that starts publishes the rest again.",
        )


def _compare(folder: LogReader, database: LogReader, tile: Tile, size: int) -> None:
    """A file after the checkpoint, as a crash while publishing leaves it, has to be what the database would publish."""
    if tile.end > size:
        raise Tampered(
            f"{folder.name(tile)} speaks of {tile.end} entries; the database has {size}.",
            advice="If the database was restored or rolled back: `transfer audit adopt`. Otherwise find out who put "
            "the file there.",
        )
    if tile.level == BUNDLE:
        same = folder.entries(tile.index, tile.width) == database.entries(tile.index, tile.width)
    else:
        same = folder.hashes(tile.level, tile.index, tile.width) == database.hashes(tile.level, tile.index, tile.width)
    if not same:
        raise Tampered(
            f"{folder.name(tile)} is not what the database would publish.",
            advice="Keep a copy of the folder, and find out who changed it; `transfer audit republish` writes it anew.",
        )

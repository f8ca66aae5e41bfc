"""Verifying a transfer log with everything that leads to it: tree, tiles, signatures, and who approved each release.

What enters: a folder with a published log and the keys that the auditor brings, or a whole workspace. What leaves: what
was checked, with counts, or Tampered with the one thing that does not fit. A folder needs no workspace and no gateway.
Of a workspace also the database is verified, and that folder and database tell the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transfer.agreement import check_tables
from transfer.approvals.authority import Root
from transfer.approvals.trail import Trail
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from transfer.audit.notes import Verifier, parse_note
from transfer.audit.reader import LogReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.reader_running import PacedReader, RunningReader, no_pace
from transfer.audit.signing import check_row_root
from transfer.audit.start import compare_sizes
from transfer.audit.tiles import BUNDLE, Tile
from transfer.audit.verify import VerifyReport, verify_log
from transfer.errors import NotSo, Tampered
from transfer.model.events import EventName
from transfer.wiring import Site

_NAME_IT = "Name the folder that holds the log's `checkpoint`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """Every one of `releases` was covered by some of `statements`, whose signatures lead back to `first`."""

    statements: int
    releases: int
    first: Root | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was verified; `database` is None where only a folder was given."""

    folder: VerifyReport
    database: VerifyReport | None
    covered: Covered


@dataclass(kw_only=True)
class _Approvals:
    """The check of approvals as `verify_log` calls it, with what it counted."""

    root: Root | None
    four_eyes: bool
    covered: Covered = field(default=Covered(statements=0, releases=0, first=None), init=False)

    def __call__(self, leaves: Iterator[tuple[int, dict[str, Any]]]) -> list[str]:
        trail = Trail(root=self.root, four_eyes=self.four_eyes)
        statements = releases = 0
        released = EventName.FILE_RELEASED.value  # looked up once: a million entries pass here in a few seconds
        for index, leaf in leaves:
            trail.feed(index, leaf)
            facts = leaf.get("facts")
            statements += type(facts) is dict and isinstance(facts.get("statement"), str)
            releases += leaf["event"] == released
        self.covered = Covered(statements=statements, releases=releases, first=trail.first)
        return trail.problems


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

    Raises Tampered; NotSo if there is nothing to verify.
    """
    if not folder.is_dir():
        raise NotSo(f"There is no folder {folder}.", advice=_NAME_IT)
    approvals = _Approvals(root=root, four_eyes=four_eyes)
    report = verify_log(FolderReader(folder), verifiers, origin=origin, older=older, statement_check=approvals)
    return Audit(folder=report, database=None, covered=approvals.covered)


def audit_site(
    site: Site, verifiers: Sequence[Verifier], *, older: bytes | None = None, pace: Callable[[], None] = no_pace
) -> Audit:
    """A workspace: its published folder, its database, and each against the other. Raises as `audit_folder`.

    The database is read a little at a time, and `pace` called between: others may go on working.
    """
    folder, origin = FolderReader(site.workspace.log), site.settings.gateway.origin
    by_folder, by_database = (
        _Approvals(root=site.desk.root, four_eyes=site.policy.approval.four_eyes) for _ in range(2)
    )
    shown: Checkpoint | None = None
    # What the folder shows is read before the database: a gateway that runs meanwhile only makes the database longer.
    if folder.checkpoint() is not None:
        paced = PacedReader(folder, pace)
        report = verify_log(paced, verifiers, origin=origin, older=older, statement_check=by_folder)
        shown = Checkpoint(origin=report.origin, size=report.size, root=report.root)
    extras = folder.survey(shown.size if shown else 0).extras
    reader = RunningReader(site.db, pace)
    stored = reader.checkpoint()
    signed = _open_stored(stored, verifiers) if stored is not None else None
    compare_sizes(shown, signed, reader.head.published)
    _check_not_older(folder, reader.head.published)
    database = verify_log(reader, verifiers, origin=origin, older=older, statement_check=by_database)
    if shown is None:
        raise NotSo("Nothing has been published yet.", advice="Run the gateway once first.")
    with site.db.read() as tx:
        check_row_root(tx, shown.size, shown.root)
    for tile in sorted(extras):
        _compare(folder, reader, tile, reader.head.size)
    check_tables(site, pace)
    return Audit(folder=report, database=database, covered=by_database.covered)


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
        raise Tampered(f"{folder.name(tile)} is not what the database would publish.")

"""Backups as the log knows them: made, restored, and going on after a restore or a rollback.

What enters: an opened workspace, or the folder of a backup. What leaves: copies, and entries that say so. A restored
workspace appends nothing before `go_on` was called: what its log has shown since the backup is taken over first, so
that no two logs ever go by one name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transfer.audit.adopt import adopt
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.reader_folder import FolderReader
from transfer.audit.shards import archived, is_switching
from transfer.audit.signing import check_row_root
from transfer.audit.start import published_checkpoint
from transfer.erasing import erase_again, scrub_and_finish
from transfer.errors import Misuse, NotSo, TransferError
from transfer.key_change import NEXT_KEY
from transfer.model.clock import render_time
from transfer.model.events import Event, EventName, Json
from transfer.retrace import Retrace, Retraced
from transfer.settings import load_settings
from transfer.store import journal
from transfer.store.apart import PATIENCE, Doing, alone, untold
from transfer.store.backup import BackupReport, RestoreReport, backup, restore
from transfer.store.database import WriteTx
from transfer.store.durable import world_errors
from transfer.store.receipt_cursor import receipts_again
from transfer.store.restored import Restored, clear_restored, mark_restored, restored_from
from transfer.wiring import LOG_KEY, Site
from transfer.workspace import Workspace

_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class WentOn:
    """The workspace goes on: its log has `entries` now, of which `taken_over` came from the published folder."""

    made_at: datetime | None
    taken_over: int
    entries: int
    retraced: Retraced


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """A restored workspace. `missing` are folders of the settings that have to be made or mounted by hand; `log_key`
    is where its settings say that the log's key is kept, empty for the workspace itself."""

    report: RestoreReport
    missing: tuple[Path, ...]
    log_key: str


def make_backup(
    site: Site,
    destination: Path,
    *,
    keys: bool,
    progress: Callable[[str], None],
    tell: Callable[[str], None] = untold,
) -> BackupReport:
    """A consistent copy while the gateway runs, and its entry. Raises Misuse, Unavailable, Tampered.

    Waits while the log is switched to its next shard, and keeps it from being switched meanwhile. A log key that is
    kept elsewhere is never in it, nor what was left of it in the workspace.
    """
    _refuse_inside_the_sides(site, destination)
    apart = (LOG_KEY, NEXT_KEY) if site.log_key.elsewhere else ()
    with alone(site.workspace.records_lock, Doing.BACKUP, patience=PATIENCE, tell=tell):
        report = backup(
            site.db,
            workspace=site.workspace,
            destination=destination,
            clock=site.clock,
            keys=keys,
            leave_out=apart,
            progress=progress,
        )
    facts: dict[str, Json] = {
        "made_at": render_time(report.made_at),
        "files": report.files,
        "bytes": report.size,
        "keys": report.keys,
        "log_key": report.keys and not apart,
        "damaged": len(report.damaged),
    }
    # A crash here: the backup is complete and has no entry; whoever restores it is told its time all the same.
    with site.db.write() as tx:
        site.log.append(tx, Event(name=EventName.BACKUP_MADE, facts=facts))
    return report


def put_back(source: Path, destination: Path) -> PutBack:
    """Restores a backup into an empty or new folder, every byte verified before. Raises Misuse, Tampered, Unavailable.

    The folders that no backup has are made anew where they lie inside the workspace.
    """
    if destination.resolve().is_relative_to(source.resolve()):
        raise Misuse("A backup cannot be restored into itself.", advice="Name another folder with --to.")
    report = restore(source, destination)
    workspace = Workspace(destination.absolute())
    settings = load_settings(workspace.root)
    folders = [source.folder for source in settings.folder_sources]
    folders += [*settings.release.folders, workspace.feedback, workspace.receipts]
    with world_errors("making the folders that no backup has"):
        for folder in folders:
            if folder.is_relative_to(workspace.root):
                folder.mkdir(parents=True, exist_ok=True)
        workspace.keys.mkdir(mode=0o700, exist_ok=True)
    missing = tuple(folder for folder in folders if not folder.is_dir())
    return PutBack(report=report, missing=missing, log_key=settings.log.key)


def go_on(site: Site, *, signer: Ed25519Signer, log_dir: Path) -> WentOn:
    """The explicit way on after a restore or a rollback; `log_dir` holds the newest published log there is.

    The caller holds the workspace, opened with `going_on`. Raises NotSo if there is nothing to go on from, Tampered if
    the folder does not verify under this gateway's key or does not continue the database. Repeats harmlessly.
    """
    origin = signer.name
    _refuse_another_shard(log_dir, signer)
    publisher = Publisher(db=site.db, log_dir=site.workspace.log, signer=signer, origin=origin, clock=site.clock)
    shown = published_checkpoint(FolderReader(log_dir), signer, origin)
    if shown is None:
        raise NotSo(f"There is no published log in {log_dir}.", advice="Name the folder that holds `checkpoint`.")
    with site.db.read() as tx:
        was, head = restored_from(tx), journal.head(tx)
    if shown.size > head.signed_size:
        # After a crash from here on the mark stands: nothing is appended until this was called again.
        with _marked(site, was or Restored(entries=head.size, made_at=None), keep=was is not None):
            adopt(db=site.db, log_dir=log_dir, signer=signer, origin=origin)
    elif was is None:
        raise NotSo(
            f"There is nothing to go on from: the database has all {shown.size} entries that {log_dir} shows.",
            advice="This is for a restored workspace, or one whose database is behind its published log.",
        )
    else:
        with site.db.read() as tx:
            check_row_root(tx, shown.size, shown.root)
    publisher.check_start()
    with site.db.write() as tx:
        done = _settle(tx, site)
    # A crash from here on leaves erasures that are marked as unfinished; `people erase` finishes them.
    scrub_and_finish(site, [person for person, _, _ in done.retraced.erased])
    publisher.sign()
    publisher.publish()
    return done


def _refuse_another_shard(log_dir: Path, signer: Ed25519Signer) -> None:
    """A backup from before a rotation knows neither the next key nor what was carried into the next shard."""
    for shard in archived(log_dir):
        if shard.own_key() == signer.verifier and not is_switching(log_dir):
            raise NotSo(
                f"This workspace is of {signer.name}, which was sealed after the backup was made: the log in {log_dir} "
                "goes on under another key.",
                advice="Restore a backup that was made after the rotation; the sealed log verifies without any.",
            )


@contextmanager
def _marked(site: Site, mark: Restored, *, keep: bool) -> Iterator[None]:
    """The mark stands while entries are taken over; if that fails it goes again, unless it stood before (`keep`)."""
    with site.db.write() as tx:
        mark_restored(tx, mark)
    try:
        yield
    except TransferError:
        if not keep:
            with site.db.write() as tx:
                clear_restored(tx)
        raise


def _settle(tx: WriteTx, site: Site) -> WentOn:
    end = journal.head(tx).size
    mark = restored_from(tx)
    if mark is None:
        raise NotSo("Another process has let this workspace go on.", advice="Nothing more is to be done.")
    retrace = Retrace(tx=tx, site=site)
    for first in range(mark.entries, end, _BATCH):
        for index, leaf in enumerate(journal.leaves(tx, first, min(first + _BATCH, end)), first):
            retrace.feed(index, leaf)
    clear_restored(tx)
    facts: dict[str, Json] = {"entries": mark.entries, "taken_over": end - mark.entries}
    if mark.made_at is not None:
        facts["made_at"] = render_time(mark.made_at)
    if retrace.erased:
        facts["erased"] = len(retrace.erased)
    site.log.append(tx, Event(name=EventName.BACKUP_RESTORED, facts=facts))
    retraced = retrace.finish()
    site.register.feedback_again(tx)
    for person, entry, at in retraced.erased:
        erase_again(tx, person, entry=entry, at=at, site=site)
    receipts_again(tx)
    return WentOn(
        made_at=mark.made_at,
        taken_over=end - mark.entries,
        entries=journal.head(tx).size,
        retraced=retraced,
    )


def _refuse_inside_the_sides(site: Site, destination: Path) -> None:
    """A backup holds everything; it must not lie where the device or staff can read it."""
    sides = [source.folder for source in site.settings.folder_sources]
    for side in (*sides, *site.settings.release.folders):
        if destination.resolve().is_relative_to(side.resolve()):
            raise Misuse(
                f"{destination} lies inside {side}, where others can read it.",
                advice="Give a folder that only the operator can read, on another disk.",
                clauses=("G5",),
            )

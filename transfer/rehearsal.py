"""What would happen to a file if it were dropped, and why. Nothing is staged, recorded or kept.

What enters: paths that the caller may read; the files are not trusted. What leaves: what the door, the sandbox, the
rebuild and the policy say of each. A file goes through the very code that a dropped one goes through, over a spool and
a register of its own that are thrown away, so the answer differs from the real one in nothing but what only time can
tell. The real register is read, for what was released before; the log is left alone.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from transfer.arrivals import Taking
from transfer.errors import Misuse, Unavailable
from transfer.inspection.scan import Scanners
from transfer.intake.folder import FolderSource
from transfer.intake.place import is_leftover
from transfer.judging import Standing
from transfer.model.clock import Clock
from transfer.model.ends import Origin
from transfer.model.events import EntryRef, Event
from transfer.model.fingerprint import Comparison, Fingerprint, NearCopy
from transfer.model.identifiers import NOBODY, CampaignId, ItemId, Sha256, SourceId
from transfer.model.states import Arrival, Held, Kind
from transfer.pipeline import Line
from transfer.policy.rules import Policy
from transfer.sandbox.pool import Pool
from transfer.store.blobs import Blobs
from transfer.store.database import Database, ReadTx, WriteTx
from transfer.store.durable import world_errors
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import ItemRow, Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What would become of a file: its row as it would be listed, and what the rebuild would remove.

    `row` is None for a file that nobody means to send, such as a sync client's, and that is left where it is.
    """

    row: ItemRow | None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """One line for as many files as wanted. `campaign` is the folder they are thought to be dropped into."""

    taking: Taking
    line: Line
    campaign: CampaignId
    numbers: Iterator[int]

    def of(self, path: Path) -> Rehearsed:
        """What would happen to this file. Raises Misuse if there is none, Unavailable if it cannot be told now."""
        source = _OneFile(path, source=SourceId(f"check-{next(self.numbers)}"), campaign=self.campaign)
        arrival = source.observe(source.path)
        if arrival is None:
            raise Misuse(f"There is no file at {path}.", advice="Name the files to be looked at.")
        if arrival.kind is Kind.FOLDER:
            raise Misuse(f"{path} is a folder.", advice="Name the files in it.")
        if is_leftover(arrival.path):
            return Rehearsed(row=None)
        item = self.taking.take(arrival, source)
        if item is None:
            raise Unavailable(f"{path} changed while it was read.", advice="Try again when it is finished.")
        self.line.carry(item)
        with self.line.db.read() as tx:
            row, record = self.line.register.row(tx, item), self.line.register.load(tx, item)
        return Rehearsed(row=row, removed=record.rebuilt.rebuild.removed if isinstance(record, Held) else ())


@contextmanager
def rehearsal(
    *,
    campaign: CampaignId,
    policy: Policy,
    media: Pool,
    residue: Pool,
    scanner: Scanners,
    standing: Standing,
    past: tuple[Database, Register],
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> Iterator[Rehearsal]:
    """A line for rehearsals. `past` is the real database and its register, which are only read. Raises Unavailable."""
    with world_errors("making a temporary spool"), tempfile.TemporaryDirectory(prefix="transfer-check-") as name:
        folder = Path(name)
        blobs, recorder = Blobs(folder), _NoLog()
        blobs.prepare()
        db = Database.create(folder / "register.sqlite")
        register = _Remembering(recorder, clock=clock, past=past)
        taking = Taking(db=db, register=register, blobs=blobs, policy=policy, clock=clock, entropy=entropy, reserve=0)
        line = Line(
            db=db,
            register=register,
            recorder=recorder,
            blobs=blobs,
            media=media,
            residue=residue,
            scanner=scanner,
            policy=policy,
            standing=standing,
            fingerprints=_Recognising(past[0]),
        )
        try:
            yield Rehearsal(taking=taking, line=line, campaign=campaign, numbers=itertools.count(1))
        finally:
            db.close()


class _NoLog:
    """A recorder for what does not happen."""

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        del tx, event
        return EntryRef(index=0, leaf_hash=b"")


class _Remembering(Register):
    """A register of its own that knows of the real one what was made and staged before: for what comes back (G5)."""

    def __init__(self, recorder: _NoLog, *, clock: Clock, past: tuple[Database, Register]) -> None:
        super().__init__(recorder, clock=clock)
        self._past, self._real = past

    def produced(self, tx: ReadTx, sha256: Sha256, *, but: ItemId | None = None) -> ItemId | None:
        del tx, but
        with self._past.read() as real:
            return self._real.produced(real, sha256)

    def staged_before(self, tx: ReadTx, sha256: Sha256, *, than: ItemId | None) -> bool:
        del tx, than
        with self._past.read() as real:
            return self._real.staged_before(real, sha256, than=None)


class _Recognising(Fingerprints):
    """Of what was really released: a file that would be dropped now comes after all of it."""

    def __init__(self, past: Database) -> None:
        super().__init__()
        self._past = past

    def near(
        self, tx: ReadTx, item: ItemId, prints: Iterable[Fingerprint], *, comparison: Comparison
    ) -> NearCopy | None:
        del tx, item
        with self._past.read() as real:
            return self.near_to(real, prints, comparison=comparison)


class _OneFile:
    """A Source of one file, wherever it lies, as if it stood in a campaign's folder."""

    def __init__(self, path: Path, *, source: SourceId, campaign: CampaignId) -> None:
        absolute = os.fsencode(os.path.abspath(path))
        folder, self._name = os.path.split(absolute)
        self._folder = FolderSource(source=source, submitter=NOBODY, root=Path(os.fsdecode(folder)))
        self.path = campaign.encode() + b"/" + self._name

    @property
    def id(self) -> SourceId:
        return self._folder.id

    def origin_of(self, arrival: Arrival) -> Origin:
        return self._folder.origin_of(arrival)

    def sightings(self) -> Iterator[Arrival]:
        found = self.observe(self.path)
        if found is not None:
            yield found

    def observe(self, path: bytes) -> Arrival | None:
        found = self._folder.observe(self._name) if path == self.path else None
        return None if found is None else replace(found, path=self.path)

    def open(self, arrival: Arrival) -> BinaryIO:
        return self._folder.open(replace(arrival, path=self._name))

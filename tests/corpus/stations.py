"""The real stations, for as many files as wanted: door, scanner, sandbox children, rebuild, proof and policy.

What enters: paths. What leaves: for each what a dropped file would have come to, and the rebuilt bytes. The policy is
the shipped one, the scanner a real clamd, the children are confined; one pool of each kind serves all files.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.clamd import dated, running_clamd
from transfer.arrivals import Taking
from transfer.inspection.clamd import ClamdScanner
from transfer.inspection.clamd_talk import Address
from transfer.inspection.scan import Scanners
from transfer.model.events import EntryRef, Event
from transfer.model.findings import Reason, Severity
from transfer.model.identifiers import CampaignId, Sha256
from transfer.model.states import Held, State
from transfer.pipeline import Line
from transfer.policy.rulebook import load_policy
from transfer.policy.rules import CampaignStanding, Policy
from transfer.rehearsal import Rehearsal, rehearsal
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.requests import Role
from transfer.store.blobs import Blobs
from transfer.store.database import Database, WriteTx
from transfer.store.register import Register
from transfer.wiring import SystemClock

POLICY = Path(__file__).parents[2] / "policies" / "university.toml"
MEMORY = 1 << 30  # bytes a child may take, as the settings have it by default
SECONDS = 120.0
STREAM_MAX = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a file came to. `verdict` as in the manifest; `content` is the rebuilt file if there is one."""

    verdict: str
    reasons: tuple[Reason, ...]
    media_type: str = ""
    removed: tuple[str, ...] = ()
    content: bytes | None = None

    @property
    def rules(self) -> tuple[str, ...]:
        """Those that decide, in alphabetical order."""
        return tuple(sorted({reason.rule for reason in self._deciding()}))

    @property
    def clauses(self) -> tuple[str, ...]:
        """What the deciding rules cite, in order."""
        cited = {clause for reason in self._deciding() for clause in reason.clauses}
        return tuple(sorted(cited, key=lambda clause: int(clause[1:])))

    @property
    def notes(self) -> tuple[str, ...]:
        """The other rules that had something to say, but for the advice about the platform."""
        said = {reason.rule for reason in self.reasons if reason.severity is Severity.NOTE}
        return tuple(sorted(rule for rule in said if not rule.startswith("platform-")))

    def _deciding(self) -> list[Reason]:
        severity = Severity.REFUSE if self.verdict == "refused" else Severity.HOLD
        return [reason for reason in self.reasons if reason.severity is severity]


class Stations:
    """Everything between the staging folder and the verdict. Several threads may ask at once."""

    def __init__(self, *, policy: Policy, media: Pool, residue: Pool, scanner: Scanners, past: Path) -> None:
        self.policy, self.media, self.residue, self.scanner = policy, media, residue, scanner
        self.register = Register(_NoLog(), clock=SystemClock())
        self.past = Database.create(past / "past.sqlite")
        self.blobs = Blobs(past)
        self.blobs.prepare()
        self._numbers = itertools.count(1)

    @contextmanager
    def line(self) -> Iterator[Rehearsal]:
        """A line of its own, for one thread."""
        with rehearsal(
            campaign=CampaignId("open-day"),
            policy=self.policy,
            media=self.media,
            residue=self.residue,
            scanner=self.scanner,
            standing=lambda _tx, _campaign: CampaignStanding.APPROVED,
            past=(self.past, self.register),
            clock=SystemClock(),
            entropy=secrets.token_bytes,
        ) as line:
            yield line

    def judge(self, line: Rehearsal, path: Path) -> Judged:
        """What becomes of one file."""
        told = line.of(path)
        row = told.row
        if row is None:
            return Judged(verdict="ignored", reasons=())
        made = None
        if row.rebuilt_sha256 is not None and row.state is not State.REFUSED:
            with line.line.blobs.open_clean(Sha256(row.rebuilt_sha256)) as stream:
                made = stream.read()
        verdict = f"held:{row.waiting_for}" if row.state is State.HELD else row.state.value
        return Judged(
            verdict=verdict,
            reasons=tuple(row.reasons),
            media_type=row.media_type or "",
            removed=told.removed,
            content=made,
        )

    def release(self, path: Path) -> bytes:
        """Take a file through a line that remembers, as if it had been released; the bytes that left."""
        campaign, clock, entropy = CampaignId("open-day"), SystemClock(), secrets.token_bytes
        line = Line(
            db=self.past,
            register=self.register,
            recorder=_NoLog(),
            blobs=self.blobs,
            media=self.media,
            residue=self.residue,
            scanner=self.scanner,
            policy=self.policy,
            standing=lambda _tx, _campaign: CampaignStanding.APPROVED,
        )
        taking = Taking(
            db=self.past,
            register=self.register,
            blobs=self.blobs,
            policy=self.policy,
            clock=clock,
            entropy=entropy,
            reserve=0,
        )
        row = Rehearsal(taking=taking, line=line, campaign=campaign, numbers=self._numbers).of(path).row
        assert row is not None
        assert row.rebuilt_sha256 is not None, row.reasons
        with self.past.write() as tx:
            held = self.register.load(tx, row.item)
            assert isinstance(held, Held)
            line.fingerprints.released(tx, row.item, held.rebuilt.examined.fingerprints)
        with self.blobs.open_clean(Sha256(row.rebuilt_sha256)) as stream:
            return stream.read()

    def judge_all(self, paths: Iterable[Path], *, threads: int = 2) -> Iterator[tuple[Path, Judged]]:
        """What becomes of each, in the order given."""
        local = threading.local()
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(threads) as workers:

            def one(path: Path) -> tuple[Path, Judged]:
                if not hasattr(local, "line"):
                    local.line = stack.enter_context(self.line())
                return path, self.judge(local.line, path)

            yield from workers.map(one, paths)


@contextmanager
def stations(*, workers: int = 2) -> Iterator[Stations]:
    """All of it, with a clamd and two pools started for the occasion."""
    policy = load_policy(POLICY)
    limits = ChildLimits(memory_bytes=MEMORY, request_seconds=SECONDS)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="corpus-")))
        real = stack.enter_context(running_clamd(folder / "clamd", stream_max=STREAM_MAX))
        path = stack.enter_context(dated(real, folder / "dated.sock"))
        clamd = ClamdScanner(
            address=Address(path=path),
            clock=SystemClock(),
            timeout=60,
            size_limit=STREAM_MAX,
            max_age=timedelta(days=policy.malware.max_signature_age_days),
        )
        scanner = stack.enter_context(Scanners(clamd))
        media = stack.enter_context(Pool(role=Role.MEDIA, workers=workers, limits=limits))
        residue = stack.enter_context(Pool(role=Role.RESIDUE, workers=workers, limits=limits))
        (folder / "past").mkdir()
        yield Stations(policy=policy, media=media, residue=residue, scanner=scanner, past=folder / "past")


class _NoLog:
    """A recorder for what is only rehearsed."""

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        del tx, event
        return EntryRef(index=0, leaf_hash=b"")

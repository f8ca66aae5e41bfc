"""The line's last stretch, real: database, log, sink, post, and a guard in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tests.store.pieces import HAPPENED, digest, held, item_id
from transfer.audit.log import Log
from transfer.audit.notes import Ed25519Signer
from transfer.errors import Tampered
from transfer.model.identifiers import DeviceId, ItemId, PersonId, Sha256
from transfer.model.names import safe_name
from transfer.model.states import Approved, CleanBlob, Examined, Rebuilt, State
from transfer.release.dispatch import Dispatch
from transfer.release.folder import FolderBoard, FolderRecaller, FolderSink
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.renew import ManifestKeeper
from transfer.return_guard.messages import Report, Verdict
from transfer.return_guard.post import Post
from transfer.return_guard.refuse import ReturnDesk
from transfer.store import journal, tables  # noqa: F401 - makes every table known
from transfer.store.database import Database
from transfer.store.manifests import Manifests, Reports
from transfer.store.register import Register
from transfer.store.releases import ReleaseRow, Releases

GUARD = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from transfer.return_guard.watch import run_guard
from transfer.sandbox.profiles import GuardPaths, confine_guard

class Now:
    def now(self):
        return datetime.now(UTC)

release, aside, socket = map(Path, sys.argv[1:])
run_guard(release=release, aside=aside, socket_path=socket, clock=Now(),
          confine=lambda: confine_guard(GuardPaths(release=release, aside=aside)),
          monotonic=time.monotonic, entropy=os.urandom)
"""
TOP = Path(__file__).parents[2]
SIGNER = Ed25519Signer("gateway.example/demo", bytes(range(32)))
DEVICE = DeviceId("ipad")


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


class MemoryBlobs:
    def __init__(self) -> None:
        self.content: dict[Sha256, bytes] = {}

    def keep(self, content: bytes) -> Sha256:
        sha256 = Sha256(hashlib.sha256(content).hexdigest())
        self.content[sha256] = content
        return sha256

    def open_clean(self, sha256: Sha256) -> BinaryIO:
        if sha256 not in self.content:
            raise Tampered("gone")
        return io.BytesIO(self.content[sha256])


class Side:
    """The gateway's side on a real folder. `close` and another `Side` on the same folder is a restart."""

    def __init__(self, top: Path, *, aside_days: int = 0) -> None:
        self.top = top
        self.release, self.aside, self.run = top / "release", top / "release-aside", top / "run"
        for folder in (self.release, self.aside, self.run):
            folder.mkdir(exist_ok=True)
        self.socket = self.run / "guard.sock"
        path = top / "db"
        fresh = not path.exists()
        self.database = Database.create(path) if fresh else Database.open(path)
        self.log = Log(origin="gateway.example/demo", clock=Now(), entropy=os.urandom)
        self.releases, self.manifests, self.reports = Releases(self.log), Manifests(), Reports()
        self.register = Register(self.log, clock=Now())
        self.desk = ReturnDesk(
            database=self.database,
            recorder=self.log,
            releases=self.releases,
            manifests=self.manifests,
            reports=self.reports,
            manifest_name=MANIFEST_NAME,
            policy=digest(7),
            aside_days=aside_days,
        )
        self.seen: list[tuple[Report, Verdict]] = []
        self.post = Post(
            path=self.socket,
            listing=self.desk.listing,
            record=self._record,
            recorded=lambda: None,
            monotonic=time.monotonic,
            aside_days=aside_days,
        )
        self.post.start()
        self.blobs = MemoryBlobs()
        self.dispatch = Dispatch(
            database=self.database,
            register=self.register,
            releases=self.releases,
            blobs=self.blobs,
            sink=FolderSink(self.release, clock=Now()),
            recaller=FolderRecaller(self.release),
            lookout=self.post,
            clock=Now(),
            entropy=os.urandom,
            stands=lambda tx, approved: None,
        )
        self.keeper = ManifestKeeper(
            database=self.database,
            releases=self.releases,
            manifests=self.manifests,
            board=FolderBoard(self.release),
            lookout=self.post,
            signer=SIGNER,
            origin="gateway.example/demo",
            clock=Now(),
            entropy=os.urandom,
        )

    def _record(self, report: Report) -> Verdict:
        verdict = self.desk.record(report)
        self.seen.append((report, verdict))
        return verdict

    def close(self) -> None:
        self.post.close()
        self.database.close()

    def approved(self, number: int, content: bytes, *, name: str | None = None) -> Approved:
        """An item that has got as far as approval, in the register too."""
        sha256 = self.blobs.keep(content)
        ready = held(number, clean=sha256)
        clean = CleanBlob(sha256=sha256, size=len(content), format=ready.rebuilt.clean.format)
        arrived = ready.rebuilt.examined.spooled.arrived
        arrived = replace(arrived, name=safe_name(name or arrived.name.text))
        first = replace(ready.rebuilt.examined.spooled, arrived=arrived)
        examined = replace(ready.rebuilt.examined, spooled=first)
        rebuilt = replace(ready.rebuilt, examined=examined, clean=clean)
        ready = replace(ready, rebuilt=rebuilt)
        with self.database.write() as tx:
            self.register.enter(tx, first, HAPPENED)
            steps: list[tuple[Examined | Rebuilt, State]] = [(examined, State.SPOOLED), (rebuilt, State.EXAMINED)]
            for state, was in steps:
                self.register.advance(tx, state, HAPPENED, was=was)
            self.register.advance(tx, ready, HAPPENED, was=State.REBUILT)
            self.register.mark(tx, item_id(number), State.APPROVED, HAPPENED, was=frozenset({State.HELD}))
        return Approved(
            held=ready, statement_sha256=digest(9), approvers=(PersonId("u_" + "1" * 32),), approved_at=Now().now()
        )

    def row(self, item: ItemId) -> ReleaseRow | None:
        with self.database.read() as tx:
            return self.releases.find(tx, item)

    def state(self, item: ItemId) -> State:
        with self.database.read() as tx:
            return self.register.row(tx, item).state

    def entries(self, event: str) -> list[dict[str, object]]:
        with self.database.read() as tx:
            leaves = [json.loads(leaf) for leaf in journal.leaves(tx, 0, journal.head(tx).size)]
        return [leaf for leaf in leaves if leaf["event"] == event]

    def released(self) -> dict[str, bytes]:
        """What lies in the release folder, as the device sees it, without the manifest."""
        return {p.name: p.read_bytes() for p in self.release.iterdir() if p.name != MANIFEST_NAME.text}


class Guard:
    """A guard in a process of its own, limited by the kernel as in earnest."""

    def __init__(self, side: Side) -> None:
        command = [sys.executable, "-c", GUARD, str(side.release), str(side.aside), str(side.socket)]
        self.process = subprocess.Popen(command, cwd=TOP, stderr=subprocess.PIPE)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def words(self) -> str:
        """What it said when it ended by itself."""
        return (self.process.communicate(timeout=10)[1] or b"").decode()


@contextlib.contextmanager
def guarded(top: Path) -> Iterator[tuple[Side, Guard]]:
    side = Side(top)
    guard = Guard(side)
    try:
        assert side.post.wait_until_alive(15), guard.process.poll()
        yield side, guard
    finally:
        guard.kill()
        side.close()


def eventually(condition: Callable[[], object], *, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def sha256_of(content: bytes) -> Sha256:
    return Sha256(hashlib.sha256(content).hexdigest())

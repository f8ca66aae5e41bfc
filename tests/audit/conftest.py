"""A small real log: database, recorder, key and folder, with a clock that is told the time."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.audit.attacked import Scene, live
from transfer.audit.log import Log
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.verify import VerifyReport, verify_log
from transfer.model.events import EntryRef, Event, EventName, FileFact
from transfer.model.identifiers import ItemId, PersonId, Sha256, item_id_from_entropy
from transfer.store import journal
from transfer.store.database import Database

ORIGIN = "tests.example/audit"
PERSON = PersonId("u_" + "7f" * 16)


@dataclass
class Ticking:
    """A clock that goes on by a millisecond at each look."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@dataclass
class Salts:
    """Entropy that never repeats and is the same in every run."""

    given: int = 0

    def __call__(self, count: int) -> bytes:
        self.given += 1
        return hashlib.shake_128(self.given.to_bytes(8, "big")).digest(count)


def item(number: int) -> ItemId:
    return item_id_from_entropy(number.to_bytes(5, "big"))


def digest(number: int) -> Sha256:
    return Sha256(hashlib.sha256(number.to_bytes(8, "big")).hexdigest())


def event(number: int) -> Event:
    """Four entries an item, as its life would be."""
    names = (EventName.FILE_SPOOLED, EventName.FILE_HELD, EventName.FILE_APPROVED, EventName.FILE_RELEASED)
    return Event(
        name=names[number % 4],
        item=item(number // 4),
        by=PERSON,
        file=FileFact(sha256=digest(number // 4), size=number),
        facts={"number": number},
        private={"name": f"photo {number // 4}.jpg"} if number % 4 == 0 else {},
    )


@dataclass
class Bench:
    """Everything a gateway has of the log."""

    folder: Path
    clock: Ticking = field(default_factory=Ticking)
    signer: Ed25519Signer = field(default_factory=lambda: Ed25519Signer(ORIGIN, bytes(range(32))))

    def __post_init__(self) -> None:
        path = self.folder / "transfer.db"
        self.db = Database.open(path) if path.exists() else Database.create(path)
        self.log = Log(origin=ORIGIN, clock=self.clock, entropy=Salts())
        self.log_dir = self.folder / "log"

    def record(self, count: int, *, at_once: bool = True) -> list[EntryRef]:
        """`count` more entries, in one transaction or one each."""
        with self.db.read() as tx:
            start = journal.head(tx).size
        if at_once:
            with self.db.write() as tx:
                return [self.log.append(tx, event(n)) for n in range(start, start + count)]
        refs = []
        for number in range(start, start + count):
            with self.db.write() as tx:
                refs.append(self.log.append(tx, event(number)))
        return refs

    @property
    def publisher(self) -> Publisher:
        return Publisher(db=self.db, log_dir=self.log_dir, signer=self.signer, origin=ORIGIN, clock=self.clock)

    def publish(self, count: int = 0) -> int:
        """`count` more entries, signed and published."""
        self.record(count)
        self.publisher.sign()
        return self.publisher.publish()

    def verify_folder(self, **given) -> VerifyReport:
        return verify_log(FolderReader(self.log_dir), [self.signer.verifier], origin=ORIGIN, **given)

    def verify_database(self, **given) -> VerifyReport:
        with self.db.read() as tx:
            return verify_log(DatabaseReader(tx), [self.signer.verifier], origin=ORIGIN, **given)

    def files(self) -> list[str]:
        """Relative paths of everything in the log's folder."""
        return sorted(str(p.relative_to(self.log_dir)) for p in self.log_dir.rglob("*") if not p.is_dir())

    def sql(self, *statements: str) -> None:
        """Edits the database as somebody with the file in hand would: without the triggers."""
        with self.db.write() as tx:
            for table in ("audit_entry", "audit_node", "audit_checkpoint"):
                for verb in ("update", "delete", "replace"):
                    tx.connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
            for statement in statements:
                tx.connection.exec_driver_sql(statement)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 entries, signed and published; made once."""
    made = Bench(tmp_path_factory.mktemp("template"))
    made.publish(600)
    made.db.close()
    return made.folder


@pytest.fixture
def published(template: Path, tmp_path: Path) -> Iterator[Bench]:
    """A log of 600 entries, its own copy."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    made = Bench(tmp_path, clock=Ticking(datetime(2026, 1, 2, tzinfo=UTC)))
    yield made
    made.db.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.db.close()


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A workspace that has lived, made once. Do not change it."""
    return live(tmp_path_factory.mktemp("attacked"))


@pytest.fixture
def scene(lived: Scene, tmp_path: Path) -> Scene:
    """A copy of it, to be attacked."""
    folder = tmp_path / "scene"
    shutil.copytree(lived.folder, folder, ignore=shutil.ignore_patterns("*.sock"))
    return replace(lived, folder=folder, arguments=[])

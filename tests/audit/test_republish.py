"""The published log written anew: what was lost or damaged is there again to the byte, and nothing else is shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.conftest import ORIGIN, Bench, Salts
from transfer.audit.log import Log
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.republish import Republished, republish
from transfer.errors import NotSo, Tampered
from transfer.store import journal

Damage = Callable[[Path], object]


def anew(bench: Bench, signer: Ed25519Signer | None = None) -> Republished:
    return republish(db=bench.db, log_dir=bench.log_dir, signer=signer or bench.signer)


def contents(bench: Bench) -> dict[str, bytes]:
    return {path: (bench.log_dir / path).read_bytes() for path in bench.files()}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Damage, set[str] | None]] = {
    "all of it is lost": (shutil.rmtree, None),
    "a bundle is lost": (lambda log: (log / "tile/entries/000").unlink(), {"tile/entries/000"}),
    "an entry is other": (lambda log: flip(log / "tile/entries/001"), {"tile/entries/001"}),
    "a hash is other": (lambda log: flip(log / "tile/0/000"), {"tile/0/000"}),
    "a tile is cut": (lambda log: (log / "tile/0/002.p/88").write_bytes(b"x" * 32), {"tile/0/002.p/88"}),
    "no checkpoint": (lambda log: (log / "checkpoint").unlink(), {"checkpoint"}),
    "half a checkpoint": (lambda log: (log / "checkpoint").write_text("h.example/"), {"checkpoint"}),
    "a signature is other": (lambda log: flip(log / "checkpoint"), {"checkpoint"}),
    "no key": (lambda log: (log / "log.vkey").unlink(), {"log.vkey"}),
    "half a key": (lambda log: (log / "log.vkey").write_text("h.exam"), {"log.vkey"}),
    "nothing": (lambda _log: None, set()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_was_lost_or_damaged_is_there_again(bench: Bench, damage: str) -> None:
    bench.publish(600)
    before, (damaging, files) = contents(bench), DAMAGE[damage]
    damaging(bench.log_dir)
    done = anew(bench)
    assert (done.entries, done.shards) == (600, 1)
    lost = set(before) if files is None else files
    assert set(done.written) == lost
    assert contents(bench) == before
    assert bench.verify_folder().size == 600
    assert bench.publisher.check_start().published == 600
    bench.publish(5)
    assert bench.verify_folder().size == 605


def test_what_was_signed_and_not_published_is_published(bench: Bench) -> None:
    bench.publish(3)
    bench.record(4)
    bench.publisher.sign()
    bench.record(1)
    assert anew(bench).entries == 7
    with bench.db.read() as tx:
        assert journal.head(tx).published == 7
    bench.publish(0)
    assert bench.verify_folder().size == 8


def test_before_anything_was_signed_there_is_nothing_to_publish(bench: Bench) -> None:
    bench.record(3)
    with pytest.raises(NotSo, match="Nothing has been signed yet"):
        anew(bench)
    assert bench.files() == []


EDITS = {
    "an entry": "UPDATE audit_entry SET leaf = x'7b7d' WHERE i = 258",
    "a hash": "UPDATE audit_entry SET h = x'" + "11" * 32 + "' WHERE i = 258",
    "a node": "UPDATE audit_node SET h = x'" + "22" * 32 + "'",
    "a row": "DELETE FROM audit_entry WHERE i = 258",
}


@pytest.mark.parametrize("edit", EDITS)
def test_rows_that_are_not_what_was_signed_are_not_published(bench: Bench, edit: str) -> None:
    bench.publish(600)
    (bench.log_dir / "tile/entries/001").unlink()
    before = contents(bench)
    bench.sql(EDITS[edit])
    with pytest.raises(Tampered):
        anew(bench)
    assert contents(bench) == before


@pytest.mark.parametrize("lost", ["nothing", "checkpoint"])
def test_what_has_been_shown_is_never_taken_back(bench: Bench, tmp_path: Path, lost: str) -> None:
    bench.publish(305)
    (bench.log_dir / lost).unlink(missing_ok=True)
    before = contents(bench)
    (tmp_path / "older").mkdir()
    older = Bench(tmp_path / "older")  # the database, as it was some entries ago
    older.publish(300)
    with pytest.raises(Tampered, match=r"rolled back|has signed only 300"):
        republish(db=older.db, log_dir=bench.log_dir, signer=bench.signer)
    assert contents(bench) == before
    older.db.close()


@pytest.mark.parametrize("lost", ["nothing", "checkpoint", "log.vkey"])
def test_another_gateways_folder_is_left_alone(bench: Bench, tmp_path: Path, lost: str) -> None:
    bench.publish(3)
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", signer=Ed25519Signer(ORIGIN + "/2099", bytes(32)))
    other.log = Log(origin=ORIGIN + "/2099", clock=other.clock, entropy=Salts())
    other.record(3)
    publisher = Publisher(
        db=other.db, log_dir=other.log_dir, signer=other.signer, origin=other.signer.name, clock=other.clock
    )
    publisher.sign()
    publisher.publish()
    (other.log_dir / lost).unlink(missing_ok=True)
    before = contents(other)
    with pytest.raises(Tampered, match=r"log\.vkey is not this gateway's|is of the log"):
        republish(db=bench.db, log_dir=other.log_dir, signer=bench.signer)
    assert contents(other) == before
    other.db.close()


def test_what_has_no_place_there_is_kept_for_whoever_looks_into_it(bench: Bench) -> None:
    bench.publish(3)
    (bench.log_dir / "checkpoint").unlink()
    (bench.log_dir / "notes.txt").write_text("x")
    with pytest.raises(Tampered, match="has no place in a log"):
        anew(bench)
    (bench.log_dir / "notes.txt").unlink()
    assert anew(bench).written == ("checkpoint",)

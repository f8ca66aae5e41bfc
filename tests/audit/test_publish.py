"""Signing and publishing: what lies in the folder, and that nothing is signed or shown that should not be."""

from __future__ import annotations

import stat

import pytest

from tests.audit.conftest import ORIGIN, Bench
from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.merkle import leaf_hash, root_of
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.audit.tiles import BUNDLE, Tile, render_bundle, tiles_of
from transfer.errors import Tampered, Unavailable
from transfer.store import journal


def shown(bench: Bench) -> tuple[int, bytes]:
    checkpoint = open_checkpoint((bench.log_dir / "checkpoint").read_bytes(), [bench.signer.verifier]).checkpoint
    return checkpoint.size, checkpoint.root


def expected_files(size: int) -> list[str]:
    tiles = list(tiles_of(size))
    bundles = [Tile(BUNDLE, tile.index, tile.width) for tile in tiles if tile.level == 0]
    return sorted(["checkpoint", "log.vkey", *(tile.path for tile in tiles + bundles)])


@pytest.mark.parametrize("steps", [[1], [255, 1], [256], [257], [300, 212], [1, 1, 1], [100, 500, 7], [700, 324, 1]])
def test_the_folder_holds_exactly_the_tiles_of_its_size(bench, steps):
    total = 0
    for step in steps:
        total += step
        assert bench.publish(step) == total
        with bench.db.read() as tx:
            leaves = journal.leaves(tx, 0, total)
            assert journal.head(tx).published == journal.head(tx).signed_size == total
        assert shown(bench) == (total, root_of([leaf_hash(leaf) for leaf in leaves]))
        assert bench.files() == expected_files(total)
        assert bench.verify_folder().size == total
    first = (bench.log_dir / Tile(BUNDLE, 0, min(total, 256)).path).read_bytes()
    assert first == render_bundle(leaves[:256])


@pytest.mark.slow
def test_three_levels_of_tiles(bench):
    bench.publish(66_000)
    assert bench.files() == expected_files(66_000)
    assert "tile/2/000.p/1" in bench.files()
    assert bench.verify_folder().entries_checked == 66_000


def test_nothing_new_is_neither_signed_nor_published_again(bench):
    assert bench.publisher.sign() is None
    assert bench.publisher.publish() == 0
    bench.publish(3)
    before = {path: (bench.log_dir / path).stat().st_mtime_ns for path in bench.files()}
    assert bench.publisher.sign() is None
    assert bench.publisher.publish() == 3
    assert {path: (bench.log_dir / path).stat().st_mtime_ns for path in bench.files()} == before


def test_signing_alone_shows_nothing(bench):
    bench.record(3)
    checkpoint = bench.publisher.sign()
    assert checkpoint is not None
    assert checkpoint.size == 3
    assert not bench.log_dir.exists()
    with bench.db.read() as tx:
        assert open_checkpoint(journal.head(tx).signed_note, [bench.signer.verifier]).checkpoint == checkpoint
        assert journal.signed_note(tx, 3) == journal.head(tx).signed_note


def test_every_signed_checkpoint_is_kept(bench):
    for _ in range(3):
        bench.publish(2)
    with bench.db.read() as tx:
        assert [journal.signed_note(tx, size) is not None for size in range(7)] == [0, 0, 1, 0, 1, 0, 1]


def test_publishing_what_was_signed_before_more_was_recorded(bench):
    bench.record(5)
    bench.publisher.sign()
    bench.record(5)
    assert bench.publisher.publish() == 5
    assert bench.verify_folder().size == 5


def test_auditors_can_read_the_folder(bench):
    bench.publish(3)
    assert all(stat.S_IMODE((bench.log_dir / path).stat().st_mode) & 0o400 for path in bench.files())
    assert (bench.log_dir / "log.vkey").read_text() == bench.signer.vkey + "\n"


def test_a_key_that_did_not_sign_the_log_signs_nothing_more(bench):
    bench.publish(3)
    bench.record(1)
    other = Ed25519Signer(ORIGIN, bytes(32))
    publisher = Publisher(db=bench.db, log_dir=bench.log_dir, signer=other, origin=ORIGIN, clock=bench.clock)
    with pytest.raises(Tampered, match="not one by this gateway's key"):
        publisher.sign()
    assert shown(bench)[0] == 3


EDITS = {
    "a smaller size": "UPDATE audit_head SET size = 3, peaks = (SELECT substr(peaks, 1, 64) FROM audit_head)",
    "another edge": "UPDATE audit_head SET peaks = x'" + "00" * 96 + "'",
    "a hash of a signed entry": "UPDATE audit_entry SET h = x'" + "11" * 32 + "' WHERE i = 258",
    "a node over signed entries": "UPDATE audit_node SET h = x'" + "22" * 32 + "'",
    "a lost row": "DELETE FROM audit_entry WHERE i = 258",
    "a lost note": "UPDATE audit_head SET signed_note = ''",
    "a forgotten signature": "UPDATE audit_head SET signed_size = 0, signed_note = ''",
    "another signed size": "UPDATE audit_head SET signed_size = 259",
}


@pytest.mark.parametrize("edit", EDITS)
def test_nothing_is_signed_over_an_edited_database(bench, edit):
    """Three hundred entries later the database must still be the one that was signed before."""
    bench.publish(260)
    bench.record(2)
    with bench.db.read() as tx:
        before = journal.head(tx).signed_note
    bench.sql(EDITS[edit])
    with pytest.raises(Tampered):
        bench.publisher.sign() or bench.publisher.check_start()
    assert shown(bench)[0] == 260
    with bench.db.read() as tx:
        assert journal.signed_note(tx, 260) == before


def test_a_folder_that_cannot_be_written_is_tried_again(bench):
    bench.record(3)
    bench.publisher.sign()
    bench.log_dir.write_text("in the way")
    with pytest.raises(Unavailable):
        bench.publisher.publish()
    bench.log_dir.unlink()
    assert bench.publisher.publish() == 3

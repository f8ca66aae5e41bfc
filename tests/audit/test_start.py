"""Before a run: what agrees, what a crash left, and what must stop the gateway, each with the sentence that says so."""

from __future__ import annotations

import shutil

import pytest

from tests.audit.conftest import ORIGIN, Bench
from transfer.audit.merkle import leaf_hash
from transfer.audit.notes import Ed25519Signer
from transfer.audit.publish import Publisher
from transfer.errors import Tampered
from transfer.store import journal
from transfer.store.database import Database


def roll_back(bench: Bench, to: int, then: int) -> None:
    """The database as it was at `to` entries, the folder as it was at `then`."""
    bench.publish(to)
    bench.db.close()
    before = bench.folder / "before"
    before.mkdir()
    for path in bench.folder.glob("transfer.db*"):
        shutil.copy(path, before)
    bench.db = Database.open(bench.folder / "transfer.db")
    bench.publish(then - to)
    bench.db.close()
    for path in bench.folder.glob("transfer.db*"):
        path.unlink()
    for path in before.glob("transfer.db*"):
        shutil.copy(path, bench.folder)
    bench.db = Database.open(bench.folder / "transfer.db")


def test_all_in_order(bench):
    assert bench.publisher.check_start().entries_checked == 0
    bench.publish(300)
    bench.record(5)
    report = bench.publisher.check_start()
    assert (report.entries_checked, report.signed, report.published, report.republishing) == (305, 300, 300, 0)


def test_signed_but_not_published(bench):
    bench.publish(300)
    bench.record(5)
    bench.publisher.sign()
    assert bench.publisher.check_start().published == 300
    assert bench.publisher.publish() == 305


def test_a_database_that_was_rolled_back(bench):
    roll_back(bench, 10, 15)
    with pytest.raises(Tampered, match=r"rolled back.* shows 15 entries.* signed only 10"):
        bench.publisher.check_start()
    assert bench.verify_folder().size == 15


def test_a_database_that_was_rolled_back_and_went_on(bench):
    roll_back(bench, 10, 15)
    bench.clock.at = bench.clock.at.replace(hour=5)
    bench.record(5)
    bench.publisher.sign()
    with pytest.raises(Tampered, match="Two different roots are signed for the size of 15"):
        bench.publisher.check_start()
    bench.record(1)
    bench.publisher.sign()
    with pytest.raises(
        Tampered, match=r"first 15 entries do not have the root that log/checkpoint .* entry .* is 10\."
    ):
        bench.publisher.check_start()


def test_an_empty_database_beside_a_full_folder(bench, tmp_path_factory):
    bench.publish(10)
    fresh = Bench(tmp_path_factory.mktemp("fresh"))
    shutil.copytree(bench.log_dir, fresh.log_dir)
    with pytest.raises(Tampered, match=r"shows 10 entries.* signed only 0"):
        fresh.publisher.check_start()


@pytest.mark.parametrize("where", [3, 255, 256, 299])
def test_an_edited_leaf(bench, where):
    bench.publish(300)
    bench.sql(f"UPDATE audit_entry SET leaf = CAST(replace(leaf, '{where}', '9') AS BLOB) WHERE i = {where}")
    with pytest.raises(Tampered, match=rf"database was edited.*Entry {where} is not what was signed.* is {where}\."):
        bench.publisher.check_start()


@pytest.mark.parametrize("where", [3, 255, 256, 299])
def test_an_edited_leaf_with_its_hash_made_to_fit(bench, where):
    bench.publish(300)
    with bench.db.read() as tx:
        forged = journal.leaves(tx, where, where + 1)[0].replace(b'"v":1', b'"v":2')
    bench.sql(f"UPDATE audit_entry SET leaf = x'{forged.hex()}', h = x'{leaf_hash(forged).hex()}' WHERE i = {where}")
    with pytest.raises(Tampered, match=rf"The first entry that differs from the published one is {where}\."):
        bench.publisher.check_start()


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        ("DELETE FROM audit_entry WHERE i = 7", "lacks"),
        ("DELETE FROM audit_node", "tree nodes.*some are missing"),
        ("UPDATE audit_node SET h = zeroblob(32)", "tree nodes"),
        (
            "UPDATE audit_head SET size = 256, peaks = (SELECT h FROM audit_node)",
            "has 256 entries, but 300 have been signed",
        ),
        (
            "UPDATE audit_head SET (size, peaks, signed_size, signed_note) = (256, (SELECT h FROM audit_node), 0, '')",
            "only 0",
        ),
        ("INSERT INTO audit_entry VALUES (300, x'00', x'00')", "more entries than the 300"),
        ("DELETE FROM audit_head", "head is missing"),
        ("UPDATE audit_head SET signed_size = 0, signed_note = ''", "signed only 0"),
    ],
)
def test_an_edited_database(bench, edit, sentence):
    bench.publish(300)
    bench.sql(edit)
    with pytest.raises(Tampered, match=sentence):
        bench.publisher.check_start()


def test_an_edit_in_the_unsigned_tail(bench):
    bench.publish(300)
    bench.record(10)
    bench.sql("UPDATE audit_entry SET leaf = x'7b7d' WHERE i = 305")
    with pytest.raises(Tampered, match="From entry 305 on"):
        bench.publisher.check_start()


def test_the_folder_of_another_gateway(bench, tmp_path_factory):
    bench.publish(10)
    other = Bench(tmp_path_factory.mktemp("other"), signer=Ed25519Signer(ORIGIN, bytes(32)))
    other.publish(4)
    shutil.rmtree(bench.log_dir)
    shutil.copytree(other.log_dir, bench.log_dir)
    with pytest.raises(Tampered, match="not this gateway's verifier key"):
        bench.publisher.check_start()
    (bench.log_dir / "checkpoint").unlink()
    with pytest.raises(Tampered, match="no checkpoint"):
        bench.publisher.check_start()


def test_another_origin(bench):
    bench.publish(10)
    publisher = Publisher(
        db=bench.db, log_dir=bench.log_dir, signer=bench.signer, origin="x.example", clock=bench.clock
    )
    with pytest.raises(Tampered, match=r"x\.example"):
        publisher.check_start()


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "tile/0/000.txt",
        "tile/0/1",
        "tile/9/000",
        "checkpoint~",
        "tile/0/000.p/0",
        ".part-notes.txt",
        "a/b",
    ],
)
def test_unknown_files(bench, name):
    bench.publish(300)
    (bench.log_dir / name).parent.mkdir(exist_ok=True, parents=True)
    (bench.log_dir / name).write_bytes(b"x")
    with pytest.raises(Tampered, match="no place in a log"):
        bench.publisher.check_start()
    with pytest.raises(Tampered, match="no place in a log"):
        bench.verify_folder()


@pytest.mark.parametrize("name", ["tile/0/099", "tile/0/001.p/77", "tile/entries/001.p/45", "tile/3/000.p/1"])
def test_files_that_speak_of_more_than_was_signed(bench, name):
    bench.publish(300)
    (bench.log_dir / name).parent.mkdir(exist_ok=True, parents=True)
    (bench.log_dir / name).write_bytes(b"x")
    with pytest.raises(Tampered, match="signed only 300"):
        bench.publisher.check_start()
    with pytest.raises(Tampered):
        bench.verify_folder()


def test_links_are_not_followed(bench):
    bench.publish(300)
    (bench.log_dir / "tile/0/000").rename(bench.folder / "000")
    (bench.log_dir / "tile/0/000").symlink_to(bench.folder / "000")
    for check in (bench.publisher.check_start, bench.verify_folder):
        with pytest.raises(Tampered, match="no place in a log"):
            check()


def test_what_a_crash_left_is_tidied(bench):
    bench.publish(300)
    for name in (".part-checkpoint", "tile/0/.part-002", "tile/entries/001.p/.part-45"):
        (bench.log_dir / name).write_bytes(b"half")
    (bench.log_dir / "tile/0/000.p").mkdir()
    (bench.log_dir / "tile/0/000.p/44").write_bytes((bench.log_dir / "tile/0/000").read_bytes()[: 44 * 32])
    assert bench.verify_folder().unfinished == 3
    assert bench.publisher.check_start().unfinished == 3
    assert not [name for name in bench.files() if ".part-" in name or "000.p/44" in name]


def test_a_folder_older_than_the_database_is_brought_up_again(bench):
    """As after a restore whose folder was copied before the database."""
    bench.publish(300)
    shutil.copytree(bench.log_dir, bench.folder / "older")
    bench.publish(300)
    shutil.rmtree(bench.log_dir)
    (bench.folder / "older").rename(bench.log_dir)
    assert bench.publisher.check_start().republishing == 300
    assert bench.publisher.publish() == 600
    assert bench.verify_folder().size == 600


def test_a_lost_folder_is_not_replaced_silently(bench):
    bench.publish(300)
    shutil.rmtree(bench.log_dir)
    with pytest.raises(Tampered, match="no checkpoint, although 300"):
        bench.publisher.check_start()

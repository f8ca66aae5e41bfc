"""After a rollback, explicitly: what the folder still has comes back into the database."""

from __future__ import annotations

import shutil

import pytest

from tests.audit.conftest import ORIGIN, Bench, event, item
from tests.audit.test_start import roll_back
from transfer.audit.adopt import Adopted, adopt
from transfer.audit.show import show_entry
from transfer.errors import NotSo, Tampered


def take_over(bench: Bench) -> Adopted:
    return adopt(db=bench.db, log_dir=bench.log_dir, signer=bench.signer, origin=ORIGIN)


def test_a_rolled_back_database_goes_on_where_the_folder_ends(bench):
    roll_back(bench, 250, 600)
    before = {path: (bench.log_dir / path).read_bytes() for path in bench.files()}
    assert take_over(bench) == Adopted(first=250, end=600, items=tuple(item(n) for n in range(62, 150)))
    assert bench.publisher.check_start().entries_checked == 600
    assert {path: (bench.log_dir / path).read_bytes() for path in bench.files()} == before
    bench.clock.at = bench.clock.at.replace(day=2)
    assert bench.publish(30) == 630
    assert bench.verify_folder(older=before["checkpoint"]).pinned == 600
    assert bench.verify_database().size == 630
    with bench.db.read() as tx:
        assert show_entry(tx, 252).erased == 1


def test_a_new_database_takes_over_everything(bench, tmp_path_factory):
    bench.publish(300)
    fresh = Bench(tmp_path_factory.mktemp("fresh"))
    shutil.copytree(bench.log_dir, fresh.log_dir)
    assert take_over(fresh).end == 300
    assert fresh.verify_database().size == 300


def test_nothing_to_take_over(bench):
    bench.publish(5)
    with pytest.raises(NotSo, match="nothing to adopt"):
        take_over(bench)


def test_a_fork_is_not_adopted(bench):
    roll_back(bench, 10, 15)
    with bench.db.write() as tx:
        bench.log.append(tx, event(99))
    with pytest.raises(Tampered, match="not the beginning"):
        take_over(bench)


def test_a_folder_that_does_not_verify_is_not_adopted(bench):
    roll_back(bench, 10, 15)
    path = bench.log_dir / "tile/entries/000.p/15"
    path.write_bytes(path.read_bytes().replace(b"file.held", b"file.hold"))
    with pytest.raises(Tampered, match="Entry 1 is not what was signed"):
        take_over(bench)
    with bench.db.read() as tx, pytest.raises(NotSo):
        show_entry(tx, 10)

"""Appending: rows, order, the clock, several processes, and what the triggers refuse."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from tests.audit.conftest import PERSON, Bench, digest, event, item
from transfer.audit.entries import parse_disclosure, parse_leaf
from transfer.audit.merkle import Frontier, leaf_hash, root_of
from transfer.errors import Misuse, Tampered
from transfer.model.events import Event, EventName
from transfer.store import journal

ROOT = Path(__file__).parents[2]


def rows(bench: Bench) -> list[bytes]:
    with bench.db.read() as tx:
        return journal.leaves(tx, 0, journal.head(tx).size)


def test_an_entry_has_all_its_rows(bench):
    refs = bench.record(5, at_once=False)
    assert [ref.index for ref in refs] == [0, 1, 2, 3, 4]
    with bench.db.read() as tx:
        leaves = journal.leaves(tx, 0, 10)
        assert [leaf_hash(leaf) for leaf in leaves] == [ref.leaf_hash for ref in refs] == journal.hashes(tx, 0, 0, 9)
        head = journal.head(tx)
        assert (head.size, head.signed_size, head.published) == (5, 0, 0)
        assert Frontier.from_bytes(5, head.peaks).root() == root_of([ref.leaf_hash for ref in refs])
        (opening,) = journal.disclosures(tx, 0)
        assert parse_disclosure(opening).digest in parse_leaf(leaves[0]).commitments
        index = list(journal.index_rows(tx, 0, 10))
    assert [(row.index, row.item, row.sha256, row.by) for row in index] == [
        (n, item(n // 4), digest(n // 4), PERSON) for n in range(5)
    ]
    parsed = [parse_leaf(leaf) for leaf in leaves]
    assert [(p.index, p.event, p.at) for p in parsed] == [(r.index, r.event, r.at) for r in index]
    assert [p.previous for p in parsed] == [None, 0, 1, 2, None]


def test_the_edge_and_nodes_of_many_entries(bench):
    refs = bench.record(700)
    hashes = [ref.leaf_hash for ref in refs]
    with bench.db.read() as tx:
        assert journal.hashes(tx, 1, 0, 9) == [root_of(hashes[:256]), root_of(hashes[256:512])]
        assert Frontier.from_bytes(700, journal.head(tx).peaks).root() == root_of(hashes)


def test_a_transaction_that_fails_leaves_no_entry(bench):
    bench.record(3)

    def record_one_good_and_one_bad():
        with bench.db.write() as tx:
            bench.log.append(tx, event(3))
            bench.log.append(tx, Event(name=EventName.FILE_HELD, facts={"x": 1.5}))

    with pytest.raises(Misuse):
        record_one_good_and_one_bad()
    assert len(rows(bench)) == 3
    assert bench.record(1)[0].index == 3


def test_a_clock_that_goes_back(bench):
    bench.record(2)
    bench.clock.at -= timedelta(hours=1)
    bench.record(1)
    bench.clock.at += timedelta(hours=2)
    bench.record(1)
    times = [json.loads(leaf)["at"] for leaf in rows(bench)]
    assert times == sorted(times)
    assert times[1] == times[2] < times[3]
    assert [json.loads(leaf).get("clock") for leaf in rows(bench)] == [None, None, "back", None]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET leaf = x'00' WHERE i = 1",
        "DELETE FROM audit_entry WHERE i = 1",
        "UPDATE audit_node SET h = x'00'",
        "DELETE FROM audit_node",
        "REPLACE INTO audit_entry VALUES (1, x'00', x'00')",
    ],
)
def test_entries_cannot_be_changed_by_mistake(bench, statement):
    bench.record(300)
    before = rows(bench)
    with pytest.raises(IntegrityError, match="only grows"), bench.db.write() as tx:
        tx.connection.exec_driver_sql(statement)
    assert rows(bench) == before


def test_a_head_that_is_behind_its_entries_is_found_at_once(bench):
    bench.record(4)
    bench.sql("UPDATE audit_head SET size = 2, peaks = substr(peaks, 1, 32)")
    with pytest.raises(Tampered, match="one of that number"):
        bench.record(1)


def test_a_missing_head_is_found_at_once(bench):
    bench.record(4)
    bench.sql("DELETE FROM audit_head")
    with pytest.raises(Tampered, match="head is missing"), bench.db.write() as tx:
        bench.log.append(tx, event(4))


def test_a_damaged_edge_is_found_at_once(bench):
    bench.record(4)
    bench.sql("UPDATE audit_head SET peaks = x'00'")
    with pytest.raises(Tampered, match="right edge"):
        bench.record(1)


APPENDER = """
import os, sys
from pathlib import Path
from tests.audit.conftest import Ticking, event
from transfer.audit.log import Log
from transfer.store.database import Database
db = Database.open(Path(sys.argv[1]))
log = Log(origin="tests.example/audit", clock=Ticking(), entropy=os.urandom)
for number in range(int(sys.argv[2])):
    with db.write() as tx:
        print(log.append(tx, event(number)).index)
"""


def test_three_processes_append_without_a_gap(bench):
    command = [sys.executable, "-c", APPENDER, str(bench.db.path), "60"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert all(process.returncode == 0 for process in running)
    assert sorted(given) == list(range(180))
    leaves = rows(bench)
    assert [parse_leaf(leaf).index for leaf in leaves] == list(range(180))
    with bench.db.read() as tx:
        assert Frontier.from_bytes(180, journal.head(tx).peaks).root() == root_of([leaf_hash(x) for x in leaves])


def test_an_entry_costs_little_more_than_a_durable_commit(bench):
    """The budget is 1,000 a second (scripts/bench); here the measure is a bare commit on the same disk."""
    bench.record(50, at_once=False)
    bench.sql("CREATE TABLE bare(i INTEGER PRIMARY KEY, x BLOB)")
    bare = ours = 0.0
    for _ in range(4):
        start = time.perf_counter()
        for _ in range(50):
            with bench.db.write() as tx:
                tx.connection.exec_driver_sql("INSERT INTO bare(x) VALUES (zeroblob(350))")
        middle = time.perf_counter()
        bench.record(50, at_once=False)
        bare, ours = bare + middle - start, ours + time.perf_counter() - middle
    assert ours < 8 * bare

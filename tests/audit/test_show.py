"""Finding entries, and what is shown of them."""

from __future__ import annotations

import pytest

from tests.audit.conftest import PERSON, digest, event, item
from transfer.audit.show import check_chain, life, show, show_entry
from transfer.errors import NotSo, Tampered
from transfer.model.events import Event, EventName, FileFact
from transfer.model.query import Query


def indexes(entries) -> list[int]:
    return [entry.leaf.index for entry in entries]


def test_by_item_file_person_event_and_time(bench):
    bench.record(40)
    with bench.db.read() as tx:
        assert indexes(show(tx, Query(item=item(3)))) == [15, 14, 13, 12]
        assert indexes(show(tx, Query(sha256=digest(3)))) == [15, 14, 13, 12]
        assert indexes(show(tx, Query(sha256=digest(3)[:8]))) == [15, 14, 13, 12]
        assert indexes(show(tx, Query(events=("file.held",), limit=3))) == [37, 33, 29]
        assert indexes(show(tx, Query(events=("file.held", "file.spooled"), limit=4, oldest_first=True))) == [
            0,
            1,
            4,
            5,
        ]
        assert len(show(tx, Query(person=PERSON))) == 40
        at = show_entry(tx, 30).leaf.at
        assert indexes(show(tx, Query(since=at))) == list(range(39, 29, -1))
        assert indexes(show(tx, Query(until=at, limit=2))) == [30, 29]
        assert indexes(show(tx, Query(since=at, until=at))) == [30]
        assert indexes(show(tx, Query(item=item(3), since=at))) == []
        assert indexes(show(tx, Query(limit=2))) == [39, 38]
        assert show(tx, Query(person="u_" + "0" * 32)) == []


def test_what_is_shown_of_an_entry(bench):
    bench.record(5)
    with bench.db.read() as tx:
        shown = show_entry(tx, 4)
        assert shown.private == {"name": "photo 1.jpg"}
        assert shown.erased == 0
        assert shown.as_dict()["event"] == "file.spooled"
        assert shown.as_dict()["private"] == {"name": "photo 1.jpg"}
    bench.sql("DELETE FROM audit_disclosure")
    with bench.db.read() as tx:
        assert (show_entry(tx, 4).private, show_entry(tx, 4).erased) == ({}, 1)


def test_a_life_is_followed_back_entry_by_entry(bench):
    bench.record(20)
    with bench.db.write() as tx:
        bench.log.append(tx, Event(name=EventName.FILE_WITHDRAWN, item=item(2)))
    with bench.db.read() as tx:
        assert indexes(life(tx, item(2))) == [8, 9, 10, 11, 20]
        with pytest.raises(NotSo):
            life(tx, item(77))
        with pytest.raises(NotSo):
            show_entry(tx, 21)


def test_everything_about_a_file(bench):
    bench.record(8)
    with bench.db.write() as tx:
        bench.log.append(tx, Event(name=EventName.FILE_HELD, item=item(1), file=FileFact(sha256=digest(9), size=1)))
        bench.log.append(tx, Event(name=EventName.RETURN_REFUSED, file=FileFact(sha256=digest(9), size=1)))
    with bench.db.read() as tx:
        assert indexes(show(tx, Query(sha256=digest(9), oldest_first=True))) == [4, 5, 6, 7, 8, 9]
        assert show(tx, Query(sha256=digest(8))) == []


def test_a_life_that_was_cut_is_not_told(bench):
    bench.record(8)
    with bench.db.read() as tx:
        entries = show(tx, Query(item=item(1), oldest_first=True))
    check_chain(item(1), entries)
    check_chain(item(1), entries[2:])
    with pytest.raises(Tampered):
        check_chain(item(1), [*entries[:1], *entries[2:]])


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit_index SET event = 'file.refused' WHERE i = 4",
        f"UPDATE audit_index SET item = '{item(0)}' WHERE i = 4",
        "UPDATE audit_index SET sha256 = NULL WHERE i = 4",
        "INSERT INTO audit_tag VALUES ('clause:G5', 4)",
        "UPDATE audit_disclosure SET disclosure = (SELECT disclosure FROM audit_disclosure WHERE i = 0) WHERE i = 4",
        "UPDATE audit_disclosure SET disclosure = 'e30' WHERE i = 4",
        "UPDATE audit_entry SET leaf = x'7b7d' WHERE i = 4",
        "DELETE FROM audit_entry WHERE i = 4",
    ],
)
def test_what_was_edited_is_not_shown(bench, edit):
    bench.record(5)
    bench.sql(edit)
    with bench.db.read() as tx, pytest.raises(Tampered):
        show_entry(tx, 4)


def test_a_life_whose_chain_was_cut(bench):
    bench.record(8)
    bench.sql(f"UPDATE audit_index SET item = '{item(0)}' WHERE i = 7")
    with bench.db.read() as tx, pytest.raises(Tampered):
        life(tx, item(0))


def test_many_entries_stay_quick(bench):
    bench.record(400)
    with bench.db.write() as tx:
        for number in range(400, 420):
            bench.log.append(tx, event(number))
    with bench.db.read() as tx:
        assert len(show(tx, Query(limit=500))) == 420

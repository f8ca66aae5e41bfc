"""Searching: every criterion, alone and with others; database, folder and plain comparison find the same entries."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.conftest import ORIGIN, PERSON, Bench, digest, item
from transfer.audit.adopt import adopt
from transfer.audit.entries import decode_leaf
from transfer.audit.reader_database import DatabaseReader
from transfer.audit.reader_folder import FolderReader
from transfer.audit.search import search_log
from transfer.audit.shard_search import search_folder
from transfer.audit.show import show
from transfer.errors import NotSo, Tampered
from transfer.model.events import Event, EventName, FileFact
from transfer.model.facets import Inheritance
from transfer.model.identifiers import PersonId
from transfer.model.query import Query, fits
from transfer.store import journal, journal_index, journal_search
from transfer.store.database import Database

PEOPLE = [PersonId("u_" + f"{number:02x}" * 16) for number in range(3)]
CAMPAIGNS = ["open-day", "library"]
CLAUSES = ["G1", "G5", "G6"]
FILES = [digest(number) for number in range(5)]
ITEMS = [item(number) for number in range(5)]
NAMES = [EventName.FILE_SPOOLED, EventName.FILE_HELD, EventName.FILE_REFUSED, EventName.RETURN_REFUSED]


def statement(items: list[str], campaign: str | None) -> str:
    said = {"by": PEOPLE[0], "items": [[one, FILES[0]] for one in items], "kind": "approval"}
    return f"h\n{json.dumps(said | ({'campaign': campaign} if campaign else {}))}\n\n— sig\n"


@st.composite
def events(draw: st.DrawFn) -> Event:
    maybe = lambda values: st.none() | st.sampled_from(values)  # noqa: E731 a strategy in short
    facts: dict[str, object] = {}
    campaign = draw(maybe(CAMPAIGNS))
    if draw(st.integers(0, 3)) == 0:
        return Event(
            name=EventName.STATEMENT_ACCEPTED,
            by=PEOPLE[0],
            facts={"statement": statement(draw(st.lists(st.sampled_from(ITEMS), max_size=3)), campaign)},
        )
    if campaign and draw(st.booleans()):
        facts["campaign"] = campaign
    if draw(st.booleans()):
        facts["reasons"] = [{"rule": "r", "clauses": draw(st.lists(st.sampled_from(CLAUSES))), "severity": "hold"}]
    if draw(st.booleans()):
        facts["person"] = draw(st.sampled_from(PEOPLE))
    file = draw(maybe(FILES))
    return Event(
        name=draw(st.sampled_from(NAMES)),
        item=draw(maybe(ITEMS)),
        by=draw(maybe(PEOPLE)),
        file=FileFact(sha256=file, size=1) if file else None,
        facts=facts,
    )


def moments(count: int) -> st.SearchStrategy[str | None]:
    """Times of the ticking clock, and some between and beyond."""
    return st.none() | st.integers(0, count + 3).map(lambda number: f"2026-01-01T00:00:00.{number:03}Z")


@st.composite
def queries(draw: st.DrawFn, count: int) -> Query:
    given_ = lambda values: draw(st.one_of(*[st.none()] * 3, values))  # noqa: E731 most criteria are not given
    return Query(
        item=given_(st.sampled_from(ITEMS)),
        items=given_(st.frozensets(st.sampled_from(ITEMS))),
        sha256=given_(st.sampled_from(FILES + [file[:8] for file in FILES])),
        person=given_(st.sampled_from(PEOPLE + [person[:10] for person in PEOPLE])),
        campaign=given_(st.sampled_from(CAMPAIGNS)),
        clause=given_(st.sampled_from(CLAUSES)),
        events=given_(st.lists(st.sampled_from([name.value for name in NAMES]), max_size=2).map(tuple)) or (),
        since=draw(moments(count)),
        until=draw(moments(count)),
        oldest_first=draw(st.booleans()),
        limit=draw(st.sampled_from([1, 3, 1000])),
    )


def plainly(bench: Bench, query: Query) -> list[tuple[int, str | None]]:
    """Entry by entry, without any index."""
    inheritance = Inheritance(lambda index: None)
    with bench.db.read() as tx:
        bodies = [decode_leaf(leaf) for leaf in journal.leaves(tx, 0, 10_000)]
    every = [inheritance.facets(body) for body in bodies]
    lives = {one.item for one in every if one.item and query.sha256 and (one.sha256 or "").startswith(query.sha256)}
    found = [(index, one.campaign) for index, one in enumerate(every) if fits(one, query, lives=lives)]
    return (found if query.oldest_first else found[::-1])[: query.limit]


@given(st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_database_folder_and_plain_comparison_agree(data: st.DataObject) -> None:
    log = data.draw(st.lists(events(), min_size=1, max_size=40))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        with bench.db.write() as tx:
            for event in log:
                bench.log.append(tx, event)
        bench.publish()
        bench.verify_database()
        for query in data.draw(st.lists(queries(len(log)), min_size=1, max_size=8)):
            expected = plainly(bench, query)
            with bench.db.read() as tx:
                assert [(one.leaf.index, one.campaign) for one in show(tx, query)] == expected, query
            found = search_folder(bench.log_dir, query).entries
            assert [(one.leaf.index, one.campaign) for one in found] == expected, query
        bench.db.close()


@pytest.mark.parametrize("few", [0, 4096])
def test_whichever_criterion_leads_the_same_is_found(bench, monkeypatch, few):
    """With `few` 0 nothing is few, so the entries are gone through as with a million."""
    monkeypatch.setattr(journal_search, "_FEW", few)
    with bench.db.write() as tx:
        for number in range(60):
            bench.log.append(
                tx,
                Event(
                    name=NAMES[number % 4],
                    item=ITEMS[number % 5],
                    by=PEOPLE[number % 3],
                    file=FileFact(sha256=FILES[number % 5], size=1),
                    facts={"campaign": CAMPAIGNS[number % 2], "clauses": [CLAUSES[number % 3]]},
                ),
            )
    criteria = {
        "item": ITEMS[1],
        "items": frozenset(ITEMS[:3]),
        "sha256": FILES[1][:10],
        "person": PEOPLE[1],
        "campaign": "library",
        "clause": "G5",
        "events": ("file.held", "return.refused"),
    }
    for one, other in itertools.product(criteria.items(), repeat=2):
        query = Query(**dict([one, other]), limit=7)
        with bench.db.read() as tx:
            assert [(entry.leaf.index, entry.campaign) for entry in show(tx, query)] == plainly(bench, query)


def test_a_folder_of_many_bundles_is_searched_from_either_end(published):
    every = list(search_folder(published.log_dir, Query(limit=1000, oldest_first=True)).entries)
    assert [one.leaf.index for one in every] == list(range(600))
    assert [one.leaf.index for one in search_folder(published.log_dir, Query(limit=3)).entries] == [599, 598, 597]
    at = every[300].leaf.at
    assert [one.leaf.index for one in search_folder(published.log_dir, Query(until=at, limit=2)).entries] == [300, 299]
    since = Query(since=at, limit=2, oldest_first=True)
    assert [one.leaf.index for one in search_folder(published.log_dir, since).entries] == [300, 301]
    assert [one.leaf.index for one in search_folder(published.log_dir, Query(item=item(70))).entries] == [
        283,
        282,
        281,
        280,
    ]
    assert [one.private for one in every if one.private] == []
    assert {one.openings for one in every} == {False}


class Counting(FolderReader):
    """Counts the bundles that are read."""

    reads = 0

    def entries(self, index: int, width: int) -> list[bytes]:
        self.reads += 1
        return super().entries(index, width)


def test_no_more_is_read_than_is_asked_for(published):
    reader = Counting(published.log_dir)
    assert len(list(search_log(reader, 600, Query(limit=5)))) == 5
    assert reader.reads == 1


def test_a_database_is_searched_entry_by_entry_too(published):
    """Whatever can be verified can be searched without an index."""
    with published.db.read() as tx:
        found = [one.leaf.index for one in search_log(DatabaseReader(tx), 600, Query(person=PERSON[:12], limit=4))]
    assert found == [599, 598, 597, 596]


def test_a_rare_campaign_in_a_folder(bench, monkeypatch):
    monkeypatch.setattr("transfer.audit.search._PATIENCE", 3)
    with bench.db.write() as tx:
        for number in range(30):
            campaign = "rare" if number == 7 else "open-day"
            bench.log.append(tx, Event(name=EventName.FILE_SPOOLED, item=item(number), facts={"campaign": campaign}))
        for number in range(30):
            bench.log.append(tx, Event(name=EventName.FILE_HELD, item=item(number)))
    bench.publish()
    assert [one.leaf.index for one in search_folder(bench.log_dir, Query(campaign="rare")).entries] == [37, 7]


def test_a_place_without_a_log(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotSo):
            search_folder(place, Query())


def test_an_entry_of_another_form_is_tampered(published):
    bundle = published.log_dir / "tile" / "entries" / "000"
    content = bundle.read_bytes()
    bundle.write_bytes(content.replace(b'"i":17,', b'"i":71,'))
    with pytest.raises(Tampered, match="Entry 17"):
        list(search_folder(published.log_dir, Query(limit=1000)).entries)


def test_an_index_with_a_hole_is_tampered(bench):
    bench.record(40)
    bench.sql("DELETE FROM audit_index WHERE i = 20")
    with bench.db.read() as tx, pytest.raises(Tampered, match="lacks entry 20"):
        show(tx, Query(since="2026-01-01T00:00:00.010Z"))


def tagged(bench: Bench) -> None:
    with bench.db.write() as tx:
        for number in range(300):
            bench.log.append(
                tx,
                Event(
                    name=EventName.FILE_HELD,
                    item=item(number // 3),
                    facts={"clauses": ["G5"], **({"campaign": "open-day"} if number % 3 == 0 else {})},
                ),
            )
    bench.publish()


EDITED = {
    "INSERT INTO audit_tag VALUES ('clause:G9', 7)": "Entry 7 .*«clause:G9», which it does not say",
    "DELETE FROM audit_tag WHERE i = 299": "Entry 299 .*does not have it under «clause:G5»",
    "UPDATE audit_tag SET tag = 'clause:G1' WHERE i = 256": "Entry 256 .*«clause:G1»",
    "UPDATE audit_tag SET i = 300 WHERE i = 7": "index tells of an entry 300",
    "INSERT INTO audit_tag VALUES ('clause:G5', -1)": "index tells of an entry -1",
    "INSERT INTO audit_index(i, event, at) VALUES (300, 'file.held', '2026')": "index tells of an entry 300",
    "UPDATE audit_index SET campaign = 'library' WHERE i = 4": "Entry 4 .*describes it otherwise",
    "UPDATE audit_index SET campaign = NULL WHERE i = 5": "Entry 5 .*describes it otherwise",
    "UPDATE audit_index SET campaign = 'library' WHERE item = (SELECT item FROM audit_index WHERE i = 9)": "Entry 9 ",
}


@pytest.mark.parametrize(("edit", "said"), EDITED.items(), ids=EDITED)
def test_an_edited_index_is_found_and_made_again(bench, edit, said):
    tagged(bench)
    before = dump(bench)
    bench.sql(edit)
    with pytest.raises(Tampered, match=said):
        bench.verify_database()
    with bench.db.write() as tx:
        done = journal_index.rebuild(tx)
    assert done.rebuilt
    assert done.entries == 300
    assert dump(bench) == before
    assert bench.verify_database().entries_checked == 300
    with bench.db.write() as tx:
        assert journal_index.rebuild(tx) == journal_index.Rebuilt(entries=300, differing=0, rebuilt=False)


def test_an_index_is_not_made_of_what_is_no_entry(bench):
    tagged(bench)
    bench.sql("UPDATE audit_entry SET leaf = x'7b7d' WHERE i = 4")
    with pytest.raises(Tampered, match="Entry 4 "), bench.db.write() as tx:
        journal_index.rebuild(tx)


def test_an_adopted_log_is_indexed_like_its_own(bench, tmp_path):
    """Entries taken over from the folder inherit across the place where they continue the database."""
    with bench.db.write() as tx:
        bench.log.append(tx, Event(name=EventName.FILE_SPOOLED, item=item(1), facts={"campaign": "open-day"}))
    bench.publish()
    bench.db.copy_to(tmp_path / "older.db")
    with bench.db.write() as tx:
        bench.log.append(tx, Event(name=EventName.FILE_HELD, item=item(1), facts={"clauses": ["G5"]}))
    bench.publish()
    older = Database.open(tmp_path / "older.db")
    adopt(db=older, log_dir=bench.log_dir, signer=bench.signer, origin=ORIGIN)
    with older.read() as tx:
        assert journal_index.facets(tx, 1, 2)[1][-2:] == ("open-day", ("clause:G5",))
    older.close()


def dump(bench: Bench) -> list[object]:
    with bench.db.read() as tx:
        return [
            [tuple(row) for row in tx.connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in ("audit_index", "audit_tag")
        ]

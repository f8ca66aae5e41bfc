"""A database of an earlier release gets its index anew, with what the present one knows besides."""

from __future__ import annotations

from pathlib import Path

from tests.cli.rooms import Room
from tests.store.version1 import lay_out, make_database
from transfer.audit.entries import decode_leaf
from transfer.audit.show import show
from transfer.model.facets import Inheritance
from transfer.model.query import Query
from transfer.store import journal, journal_index
from transfer.store.database import Database


def test_a_migrated_database_is_indexed_as_its_entries_are(tmp_path: Path) -> None:
    make_database(tmp_path / "db")
    db = Database.open(tmp_path / "db")
    with db.read() as tx:
        inheritance = Inheritance(lambda index: None)
        expected = [inheritance.facets(decode_leaf(leaf)) for leaf in journal.leaves(tx, 0, 100)]
        found = journal_index.facets(tx, 0, 100)
        assert list(found) == list(range(30))
        assert list(found.values()) == expected
        assert {one.campaign for one in expected} == {None, "open-day"}
        assert any(tag.startswith("clause:") for one in expected for tag in one.tags)
        assert any(tag.startswith("person:") for one in expected for tag in one.tags)
        assert any(tag.startswith("item:") for one in expected for tag in one.tags)
        held = show(tx, Query(campaign="open-day", clause="G6", events=("file.held",)))
        assert len(held) == 2
    db.close()


def test_a_migrated_workspace_verifies_and_is_searched(tmp_path: Path) -> None:
    room = Room(tmp_path / "w")
    lay_out(room.root)
    room.must("audit", "verify")
    assert room.must("audit", "reindex", "--json").json == {"entries": 30, "differing": 0, "rebuilt": False}
    entries = room.must("audit", "show", "--campaign", "open-day", "--event", "file.released", "--json").json["entries"]
    assert [entry["i"] for entry in entries] == [22]

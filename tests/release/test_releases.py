"""The rows of releases: names that never meet again, states that only move forward, and a pause that holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tests.store.pieces import START, CountingRecorder, digest, item_id
from transfer.errors import NotSo, Unavailable
from transfer.model.events import Event, EventName
from transfer.model.identifiers import DeviceId
from transfer.model.media import Format
from transfer.model.names import SafeName, safe_name
from transfer.model.states import CleanBlob, Receipt
from transfer.store.database import Database
from transfer.store.manifests import ManifestRow, Manifests, Reports
from transfer.store.releases import Releases, ReleaseState, fold
from transfer.store.schema import CONTROL

EVENT = Event(name=EventName.FILE_RELEASING)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "db")
    yield database
    database.close()


def intend(database: Database, releases: Releases, number: int, wanted: str = "photo.jpg") -> SafeName:
    with database.write() as tx:
        name = releases.free_name(tx, safe_name(wanted), reserved=(safe_name("manifest.note"),))
        releases.intend(
            tx,
            item=item_id(number),
            number=releases.next_number(tx),
            clean=CleanBlob(sha256=digest(number), size=3, format=Format.JPEG),
            name=name,
            temporary=safe_name(f"part-{number}.tmp"),
            campaign=None,
            device=DeviceId("ipad"),
            event=EVENT,
        )
    return name


def receipt(name: SafeName, number: int) -> Receipt:
    return Receipt(name=name, sha256=digest(number), size=3, at=START)


def test_names_are_numbered_and_never_used_again(database: Database) -> None:
    releases = Releases(CountingRecorder())
    wanted = ["photo.jpg", "photo.jpg", "PHOTO.JPG", "photo-2.jpg", "Photo.jpg", "manifest.note", "Manifest.NOTE"]
    names = [intend(database, releases, n, name).text for n, name in enumerate(wanted)]
    assert names == [
        "photo.jpg", "photo-2.jpg", "PHOTO-3.JPG", "photo-2-2.jpg", "Photo-4.jpg", "manifest-2.note", "Manifest-3.NOTE",
    ]  # fmt: skip
    with database.write() as tx:
        releases.leave(tx, item_id(0), was_there=True)
        releases.gone(tx, item_id(0), ReleaseState.WITHDRAWN)
    assert intend(database, releases, 99).text == "photo-5.jpg"


def test_the_ten_thousandth_of_a_name_is_found_at_once(database: Database) -> None:
    releases = Releases(CountingRecorder())
    for number in range(30):
        intend(database, releases, number)
    looked: list[object] = []
    taken = releases.name_taken
    releases.name_taken = lambda tx, name: (looked.append(name), taken(tx, name))[1]  # type: ignore[method-assign]
    intend(database, releases, 30)
    assert len(looked) == 1


@given(st.text(min_size=1, max_size=30))
def test_names_that_a_careless_file_system_confuses_fold_alike(text: str) -> None:
    name = safe_name(text)
    for other in (text.upper(), text.lower(), text.swapcase()):
        if safe_name(other).text.casefold() == name.text.casefold():
            assert fold(safe_name(other)) == fold(name)


def test_the_states_move_only_as_drawn(database: Database) -> None:
    recorder = CountingRecorder()
    releases = Releases(recorder)
    name = intend(database, releases, 1)
    with pytest.raises(NotSo), database.write() as tx:
        releases.altered(tx, item_id(1), EVENT)
    with database.write() as tx:
        releases.confirm(tx, item_id(1), receipt(name, 1))
    with pytest.raises(NotSo), database.write() as tx:
        releases.confirm(tx, item_id(1), receipt(name, 1))
    with database.write() as tx:
        releases.altered(tx, item_id(1), EVENT)
        releases.restored(tx, item_id(1), EVENT)
        releases.removed(tx, item_id(1), EVENT)
    for move in (releases.altered, releases.restored, releases.removed):
        with pytest.raises(NotSo, match="removed"), database.write() as tx:
            move(tx, item_id(1), EVENT)
    with pytest.raises(NotSo, match="never released"), database.write() as tx:
        releases.leave(tx, item_id(2), was_there=False)
    assert len(recorder.events) == 4


def test_what_is_current_is_found_by_number_and_by_the_digest_of_its_name(database: Database) -> None:
    releases = Releases(CountingRecorder())
    names = [intend(database, releases, number) for number in range(4)]
    with database.write() as tx:
        releases.confirm(tx, item_id(2), receipt(names[2], 2))
        releases.leave(tx, item_id(3), was_there=True)
        releases.gone(tx, item_id(3), ReleaseState.EXPIRED)
    with database.read() as tx:
        assert [row.number for row in releases.current(tx)] == [1, 2, 3]
        (present,) = releases.current(tx, ReleaseState.PRESENT)
        assert (present.item, present.released_at, present.name) == (item_id(2), START, names[2])
        assert releases.by_name_digest(tx, present.name_sha256) == present
        assert releases.by_name_digest(tx, digest(5)) is None
        assert releases.by_bytes(tx, digest(2)) == item_id(2)
        assert releases.by_bytes(tx, digest(77)) is None


def test_a_pause_is_a_sentence(database: Database) -> None:
    releases = Releases(CountingRecorder())
    with database.write() as tx:
        releases.require_open(tx)
        tx.connection.execute(update(CONTROL).values(paused_by="u_" + "0" * 32))
    with database.read() as tx, pytest.raises(Unavailable, match="paused"):
        releases.require_open(tx)


def test_a_report_is_new_once(database: Database) -> None:
    reports = Reports()
    with database.write() as tx:
        assert [reports.first_time(tx, name) for name in ("aa", "bb", "aa")] == [True, True, False]
    with database.write() as tx:
        assert reports.first_time(tx, "bb") is False


def test_of_manifests_the_published_and_the_coming_one_are_kept(database: Database) -> None:
    manifests = Manifests()
    for number in (1, 2, 3):
        row = ManifestRow(
            number=number, sha256=digest(number), listing_sha256=digest(9), note=b"n", temporary="t", placed=False
        )
        with database.write() as tx:
            manifests.intend(tx, row)
            assert [(r.number, r.placed) for r in manifests.current(tx)] == (
                [(1, False)] if number == 1 else [(number - 1, True), (number, False)]
            )
            manifests.placed(tx, number)
    with database.write() as tx:
        manifests.unplaced(tx, 3)
        assert [(r.number, r.placed) for r in manifests.current(tx)] == [(3, False)]

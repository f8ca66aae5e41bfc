"""What released files look like: all that is near is found, nothing else, and only what was released before counts."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import pieces
from tests.store.pieces import HAPPENED, item_id
from transfer.model.fingerprint import BITS, LARGEST_DISTANCE, Comparison, Fingerprint, NearCopy, differing_bits
from transfer.store.database import Database, ReadTx
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import Register

PRINTS = Fingerprints()
ANY = Comparison(compare=True, distance=LARGEST_DISTANCE, quality=50, share=50, mirrored=True)


def printed(number: int, *, quality: int = 100) -> Fingerprint:
    bits = random.Random(number).getrandbits(2 * BITS)
    return Fingerprint(hash=f"{bits >> BITS:064x}", mirrored=f"{bits & ((1 << BITS) - 1):064x}", quality=quality)


def changed(one: Fingerprint, bits: int, *, seed: int = 0) -> Fingerprint:
    mask = sum(1 << bit for bit in random.Random(seed).sample(range(BITS), bits))
    return Fingerprint(hash=f"{int(one.hash, 16) ^ mask:064x}", mirrored=one.mirrored, quality=one.quality)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "db")
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with database.write() as tx:
        register.enter(tx, pieces.spooled(1), HAPPENED)
        PRINTS.released(tx, item_id(1), [printed(1)])
        register.enter(tx, pieces.spooled(2), HAPPENED)
    yield database
    database.close()


def near(db: Database, number: int, *prints: Fingerprint, comparison: Comparison = ANY) -> tuple[str, int, int] | None:
    with db.read() as tx:
        found = PRINTS.near(tx, item_id(number), prints, comparison=comparison)
    return None if found is None else (found.item, found.distance, found.share)


@pytest.mark.parametrize("bits", [0, 1, 17, LARGEST_DISTANCE])
def test_what_is_near_is_found(db: Database, bits: int) -> None:
    for seed in range(5):
        assert near(db, 2, changed(printed(1), bits, seed=seed)) == (item_id(1), bits, 100)


def test_what_is_far_is_not(db: Database) -> None:
    assert near(db, 2, changed(printed(1), LARGEST_DISTANCE + 1)) is None
    assert near(db, 2, printed(7)) is None
    assert near(db, 2) is None


def test_a_policy_may_ask_for_less(db: Database) -> None:
    strict = Comparison(compare=True, distance=10, quality=50, share=50, mirrored=True)
    assert near(db, 2, changed(printed(1), 10), comparison=strict) is not None
    assert near(db, 2, changed(printed(1), 11), comparison=strict) is None
    off = Comparison(compare=False, distance=31, quality=50, share=50, mirrored=True)
    assert near(db, 2, printed(1), comparison=off) is None


def test_an_even_surface_is_like_nothing(db: Database) -> None:
    assert near(db, 2, printed(1, quality=49)) is None


def test_a_mirror_image_is_found_if_the_policy_says_so(db: Database) -> None:
    seen = Fingerprint(hash=printed(9).hash, mirrored=printed(1).hash, quality=100)
    assert near(db, 2, seen) == (item_id(1), 0, 100)
    with db.read() as tx:
        found = PRINTS.near(tx, item_id(2), [seen], comparison=ANY)
    assert found is not None
    assert found.mirrored
    plain = Comparison(compare=True, distance=31, quality=50, share=50, mirrored=False)
    assert near(db, 2, seen, comparison=plain) is None


def test_a_film_is_a_copy_if_enough_of_its_frames_are(db: Database) -> None:
    others = [printed(number) for number in (11, 12, 13)]
    assert near(db, 2, printed(1), others[0]) == (item_id(1), 0, 50)
    assert near(db, 2, printed(1), *others[:2]) is None
    assert near(db, 2, printed(1), others[0], printed(14, quality=3)) == (
        item_id(1),
        0,
        50,
    )  # a black frame says nothing


def test_only_what_had_been_released_before_it_arrived_counts(db: Database) -> None:
    assert near(db, 1, printed(1)) is None
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with db.write() as tx:
        PRINTS.released(tx, item_id(2), [printed(2)])
        register.enter(tx, pieces.spooled(3), HAPPENED)
    assert near(db, 1, printed(2)) is None
    assert near(db, 3, printed(2)) == (item_id(2), 0, 100)


def test_the_closest_of_several_is_named(db: Database) -> None:
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with db.write() as tx:
        PRINTS.released(tx, item_id(2), [changed(printed(1), 4)])
        register.enter(tx, pieces.spooled(3), HAPPENED)
    assert near(db, 3, changed(printed(1), 4)) == (item_id(2), 0, 100)
    assert near(db, 3, printed(1)) == (item_id(1), 0, 100)


def test_what_was_released_without_being_looked_at_is_due(db: Database) -> None:
    register = Register(pieces.CountingRecorder(), clock=pieces.SteppingClock())
    with db.write() as tx:
        PRINTS.released(tx, item_id(2), [])
        PRINTS.released(tx, item_id(2), [])
        register.enter(tx, pieces.spooled(3), HAPPENED)
        assert PRINTS.due(tx, limit=9) == [item_id(2)]
        PRINTS.seen(tx, item_id(2), [printed(2)])
        assert PRINTS.due(tx, limit=9) == []
        PRINTS.seen(tx, item_id(2), [printed(3)])  # another thread was quicker
    assert near(db, 3, printed(2)) == (item_id(2), 0, 100)
    assert near(db, 2, printed(2)) is None
    assert near(db, 3, printed(3)) is None


def plainly(
    rows: list[tuple[int, Fingerprint, int]], prints: list[Fingerprint], comparison: Comparison, arrived: int
) -> NearCopy | None:
    """The definition, one comparison after the other: `rows` are item, fingerprint and what had arrived before it."""
    clear = [one for one in prints if one.quality >= comparison.quality]
    copies = []
    for item in {item for item, _, _ in rows}:
        agreeing = []
        for one in clear:
            seen = [(one.hash, False), (one.mirrored, True)] if comparison.mirrored else [(one.hash, False)]
            near_ones = [
                (differing_bits(wanted, other.hash), mirrored)
                for wanted, mirrored in seen
                for owner, other, before in rows
                if owner == item and before < arrived and other.quality >= comparison.quality
            ]
            agreeing += [min(found)] if (found := [one for one in near_ones if one[0] <= comparison.distance]) else []
        if agreeing:
            distance, mirrored = min(agreeing)
            copies.append(
                NearCopy(
                    item=item_id(item),
                    distance=distance,
                    agreeing=len(agreeing),
                    frames=len(clear),
                    mirrored=mirrored,
                )
            )
    close = [copy for copy in copies if copy.share >= comparison.share]
    return min(close, key=lambda copy: (-copy.agreeing, copy.distance, copy.item), default=None)


SHAPES = st.builds(
    lambda shape, mirror, bits, seed, quality: Fingerprint(
        hash=changed(printed(shape), bits, seed=seed).hash, mirrored=printed(mirror).hash, quality=quality
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, LARGEST_DISTANCE + 3),
    st.integers(0, 5),
    st.sampled_from((0, 49, 50, 100)),
)
COMPARISONS = st.builds(
    Comparison,
    compare=st.just(True),
    distance=st.integers(0, LARGEST_DISTANCE),
    quality=st.sampled_from((0, 50, 60)),
    share=st.integers(1, 100),
    mirrored=st.booleans(),
)


@given(
    rounds=st.lists(
        st.tuples(st.lists(st.tuples(st.integers(1, 4), SHAPES, st.integers(0, 3)), max_size=4), st.booleans()),
        max_size=4,
    ),
    staged=st.lists(SHAPES, max_size=3),
    comparison=COMPARISONS,
    arrived=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_the_search_answers_as_the_definition_does(
    rounds: list[tuple[list[tuple[int, Fingerprint, int]], bool]],
    staged: list[Fingerprint],
    comparison: Comparison,
    arrived: int,
) -> None:
    """After each of several changes, some of which come to nothing; for the change itself too."""
    with tempfile.TemporaryDirectory() as folder:
        database, prints = Database.create(Path(folder) / "db"), Fingerprints()
        rows: list[tuple[int, Fingerprint, int]] = []

        def expect(tx: ReadTx, known: list[tuple[int, Fingerprint, int]]) -> None:
            found = prints.near_to(tx, staged, comparison=comparison, arrived=arrived)
            assert found == plainly(known, staged, comparison, arrived)

        for added, kept in rounds:
            with contextlib.suppress(InterruptedError), database.write() as tx:
                for number, one, before in added:
                    prints._add(tx, item_id(number), [one], arrived_before=before)
                expect(tx, rows + added)
                if not kept:
                    raise InterruptedError
            rows += added if kept else []
            with database.read() as seen:
                expect(seen, rows)
        database.close()


def test_what_a_change_wrote_and_took_back_is_known_to_nobody(db: Database) -> None:
    assert near(db, 2, printed(1)) is not None
    with contextlib.suppress(InterruptedError), db.write() as tx:
        PRINTS.released(tx, item_id(1), [printed(5)])
        assert PRINTS.near_to(tx, [printed(5)], comparison=ANY) is not None
        raise InterruptedError
    assert near(db, 2, printed(5)) is None
    with db.write() as tx:
        PRINTS._add(tx, item_id(1), [printed(6)], arrived_before=0)  # in the row that the other would have had
    assert near(db, 2, printed(5)) is None
    assert near(db, 2, printed(6)) is not None


def test_an_older_view_sees_what_it_sees_and_is_no_reason_to_forget(db: Database) -> None:
    with db.read() as old:
        assert PRINTS.near_to(old, [printed(5)], comparison=ANY) is None
        with db.write() as tx:
            PRINTS.released(tx, item_id(1), [printed(5)])
        with db.read() as new:
            assert PRINTS.near_to(new, [printed(5)], comparison=ANY) is not None
        assert PRINTS.near_to(old, [printed(5)], comparison=ANY) is None
        assert PRINTS.near_to(old, [printed(1)], comparison=ANY) is not None


def test_another_database_in_its_place_is_noticed(db: Database) -> None:
    assert near(db, 2, printed(1)) is not None
    with db.write() as tx:  # as no program of ours does it
        tx.driver.execute("DELETE FROM fingerprint")
        PRINTS._add(tx, item_id(1), [printed(7)], arrived_before=0)
    assert near(db, 2, printed(1)) is None
    assert near(db, 2, printed(7)) is not None
    with db.write() as tx:
        tx.driver.execute("DELETE FROM fingerprint")
        PRINTS._add(tx, item_id(1), [printed(8), printed(9)], arrived_before=0)
    assert near(db, 2, printed(8)) is not None
    assert near(db, 2, printed(9)) is not None


def test_many_threads_see_all_that_was_released_before_they_asked(db: Database) -> None:
    missed: list[int] = []
    shared = Fingerprints()

    def look(number: int) -> None:
        with db.read() as tx:
            found = shared.near_to(tx, [printed(number)], comparison=ANY)
        if found is None:
            missed.append(number)

    for number in range(20, 60):
        with db.write() as tx:
            shared._add(tx, item_id(1), [printed(number)], arrived_before=0)
        threads = [threading.Thread(target=look, args=(each,)) for each in (number, 20, number, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missed == []

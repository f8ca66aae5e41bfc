"""What released files look like: all that is near is found, nothing else, and only what was released before counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import pieces
from tests.store.pieces import HAPPENED, item_id
from transfer.model.fingerprint import BITS, LARGEST_DISTANCE, Comparison, Fingerprint, differing_bits
from transfer.store.database import Database
from transfer.store.fingerprints import Fingerprints, _keys_of, _probes
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


@given(st.integers(0, 2**BITS - 1), st.sets(st.integers(0, BITS - 1), max_size=LARGEST_DISTANCE))
@settings(max_examples=300)
def test_every_neighbour_shares_a_key(value: int, bits: set[int]) -> None:
    other = value ^ sum(1 << bit for bit in bits)
    assert set(_probes(f"{value:064x}")) & set(_keys_of(f"{other:064x}"))
    assert differing_bits(f"{value:064x}", f"{other:064x}") == len(bits)


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

"""Open connections: turns, nesting, and what happens to those in use when all are closed."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from transfer.errors import Unavailable
from transfer.store.connections import Connections
from transfer.store.database import Database, _engine


def connections(tmp_path: Path, *, patience: float = 5.0) -> Connections:
    Database.create(tmp_path / "db").close()
    return Connections(_engine(tmp_path / "db"), patience=patience)


def test_one_writer_at_a_time_and_always_the_same_connection(tmp_path: Path) -> None:
    many = connections(tmp_path)
    seen: list[int] = []
    inside: list[int] = []

    def write() -> None:
        for _ in range(20):
            with many.writing() as session:
                inside.append(1)
                assert len(inside) == 1
                seen.append(id(session))
                inside.pop()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert len(set(seen)) == 1
    many.close()


def test_who_waits_for_its_turn_too_long_is_told(tmp_path: Path) -> None:
    many = connections(tmp_path, patience=0.05)
    with many.writing(), pytest.raises(Unavailable, match="Too many"), many.writing():
        pass
    with many.writing():  # the turn was given back once, not twice
        pass
    many.close()


def test_a_writer_goes_on_at_the_instant_the_other_ends(tmp_path: Path) -> None:
    many = connections(tmp_path)
    gone_on: list[float] = []

    def wait() -> None:
        with many.writing():
            gone_on.append(time.monotonic())

    with many.writing():
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.3)
        ended = time.monotonic()
    thread.join()
    assert gone_on[0] - ended < 0.1  # SQLite's own waiting sleeps up to 0.1 s between two looks


def test_a_reader_within_a_reader_has_its_own(tmp_path: Path) -> None:
    many = connections(tmp_path)
    with many.reading() as one, many.reading() as other:
        assert one is not other
        first = {one, other}
    with many.reading() as again:
        assert again in first  # kept open
    many.close()


def test_a_reader_comes_back_without_a_transaction(tmp_path: Path) -> None:
    many = connections(tmp_path)
    with many.reading() as session:
        session.driver.execute("BEGIN")
    assert not session.in_transaction
    many.close()


def test_a_reader_that_outlives_the_closing_is_closed_when_it_comes_back(tmp_path: Path) -> None:
    many = connections(tmp_path)
    with many.reading() as session:
        many.close()
        assert session.driver.execute("SELECT count(*) FROM control").fetchone() == (1,)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        session.driver.execute("SELECT 1")


def test_who_only_looks_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    many = connections(tmp_path)
    before = many.data_version()
    with many.writing():
        started = time.monotonic()
        assert many.data_version() == before
        assert time.monotonic() - started < 1
    many.close()

"""Records come back equal, to the last byte of a hostile path, and nothing else is read as one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store import pieces
from transfer.errors import Tampered
from transfer.model.findings import Code
from transfer.model.states import Held, Kind, State
from transfer.store.records import (
    Record,
    kind_of,
    parse_arrival,
    parse_reasons,
    parse_record,
    render_arrival,
    render_reasons,
    render_record,
)

EVERY_KIND: list[Record] = [
    pieces.spooled(1, post="a post"),
    pieces.examined(2),
    pieces.rebuilt(3),
    pieces.held(4),
    pieces.refused(5),
    pieces.refused(6, reached=State.HELD, sha256=pieces.digest(6), code=Code.RETURNING),
]


@pytest.mark.parametrize("record", EVERY_KIND, ids=lambda record: f"{kind_of(record)}")
def test_a_record_comes_back_equal(record: Record) -> None:
    assert parse_record(kind_of(record), render_record(record)) == record


@given(
    st.binary(min_size=1, max_size=300), st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63)
)
def test_an_arrival_of_any_path_and_numbers_comes_back_equal(path: bytes, kind: Kind, number: int, time: int) -> None:
    there = pieces.arrival(1, path=path, kind=kind, inode=number, device=number, mtime_ns=time)
    assert parse_arrival(render_arrival(there)) == there


def test_reasons_come_back_equal() -> None:
    reasons = pieces.held(1).verdict.reasons
    assert parse_reasons(render_reasons(reasons)) == reasons


def test_a_kind_does_not_read_as_another() -> None:
    with pytest.raises(Tampered):
        parse_record(State.HELD, render_record(pieces.spooled(1)))
    with pytest.raises(Tampered):
        parse_record("unheard-of", render_record(pieces.spooled(1)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record | {"more": 1},
        lambda record: {key: value for key, value in record.items() if key != "raw"},
        lambda record: record | {"raw": record["raw"] | {"size": "11"}},
        lambda record: record | {"arrived": record["arrived"] | {"name": {"text": "../up"}}},
        lambda record: record | {"arrived": record["arrived"] | {"at": "yesterday"}},
    ],
    ids=["a key too many", "a key too few", "a number as text", "an unsafe name", "no time"],
)
def test_damaged_records_are_tampering(damage) -> None:  # type: ignore[no-untyped-def] # any edit of the JSON
    (record,) = json.loads(render_record(pieces.spooled(1)))
    with pytest.raises(Tampered):
        parse_record(State.SPOOLED, json.dumps([damage(record)]))


def test_a_record_of_before_there_was_a_list_of_what_is_left_loads() -> None:
    (stored,) = json.loads(render_record(pieces.held(1)))
    del stored["rebuilt"]["left"]
    read = parse_record(State.HELD, json.dumps([stored]))
    assert isinstance(read, Held)
    assert read.rebuilt == replace(pieces.held(1).rebuilt, left=())


def test_a_changed_record_is_not_equal() -> None:
    record = pieces.spooled(1)
    other = replace(record, raw=replace(record.raw, size=99))
    assert parse_record(State.SPOOLED, render_record(other)) != record

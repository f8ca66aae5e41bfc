"""Leaves: what an event becomes, and what is refused as one."""

from __future__ import annotations

import json

import pytest

from transfer.audit.canonical import render_canonical
from transfer.audit.entries import build_leaf, parse_disclosure, parse_leaf
from transfer.audit.merkle import leaf_hash
from transfer.errors import Misuse, Tampered
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, PersonId, Sha256

AT = "2026-01-01T00:00:00.000Z"
EVENT = Event(
    name=EventName.FILE_RELEASED,
    item=ItemId("i-7k3m9q2x"),
    by=PersonId("u_" + "7f" * 16),
    file=FileFact(sha256=Sha256("ab" * 32), size=123),
    policy=Sha256("cd" * 32),
    facts={"device": "ipad", "number": 12},
    private={"name": "Tür.jpg", "note": "for the open day"},
)


def build(event: Event, **changes):
    values = {"index": 41, "at": AT, "previous": 37, "clock_back": False, "entropy": bytes, **changes}
    return build_leaf(event, **values)


def test_the_bytes_of_a_leaf():
    salts = iter([bytes(16), bytes(range(16))])
    leaf = build(EVENT, entropy=lambda count: next(salts))
    digests = sorted(d.digest for d in leaf.disclosures)
    assert (
        leaf.data
        == (
            f'{{"_sd":["{digests[0]}","{digests[1]}"],"at":"{AT}","by":"u_{"7f" * 16}","event":"file.released",'
            f'"facts":{{"device":"ipad","number":12}},"file":{{"bytes":123,"sha256":"{"ab" * 32}"}},"i":41,'
            f'"item":"i-7k3m9q2x","policy":{{"sha256":"{"cd" * 32}"}},"prev":{{"i":37}},"v":1}}'
        ).encode()
    )
    assert leaf.hash == leaf_hash(leaf.data)


def test_a_leaf_reads_back():
    leaf = parse_leaf(build(EVENT).data)
    assert (leaf.index, leaf.at, leaf.event, leaf.item) == (41, AT, "file.released", "i-7k3m9q2x")
    assert (leaf.by, leaf.sha256, leaf.previous) == (EVENT.by, "ab" * 32, 37)
    assert leaf.body["facts"] == {"device": "ipad", "number": 12}


def test_the_smallest_leaf():
    leaf = build(Event(name=EventName.GATEWAY_STARTED), index=0, previous=None)
    assert leaf.data == f'{{"at":"{AT}","event":"gateway.started","i":0,"v":1}}'.encode()
    assert parse_leaf(leaf.data).previous is None


def test_a_clock_that_went_back_shows():
    assert json.loads(build(EVENT, clock_back=True).data)["clock"] == "back"


def test_no_private_value_is_in_the_leaf():
    leaf = build(EVENT)
    assert "Tür".encode() not in leaf.data
    assert b"open day" not in leaf.data
    assert {(d.name, d.value) for d in map(parse_disclosure, (d.text for d in leaf.disclosures))} == {
        ("name", "Tür.jpg"),
        ("note", "for the open day"),
    }
    assert set(parse_leaf(leaf.data).commitments) == {d.digest for d in leaf.disclosures}


def test_the_same_value_twice_has_two_commitments():
    salts = iter([bytes([n]) * 16 for n in range(2)])
    event = Event(name=EventName.FILE_HELD, private={"name": "a", "original": "a"})
    one, two = build(event, entropy=lambda count: next(salts)).disclosures
    assert one.digest != two.digest


@pytest.mark.parametrize("facts", [{"x": 1.5}, {"x": 2**53}, {"ä": 1}, {"x": b"bytes"}, {"x": "\ud800"}])
def test_facts_that_no_leaf_can_hold(facts):
    with pytest.raises(Misuse):
        build(Event(name=EventName.FILE_HELD, facts=facts))


def test_a_leaf_has_a_size_limit():
    build(Event(name=EventName.FILE_HELD, facts={"x": "y" * 16_000}))
    with pytest.raises(Misuse, match="16384"):
        build(Event(name=EventName.FILE_HELD, facts={"x": "y" * 16_384}))


def test_a_private_text_has_a_size_limit():
    with pytest.raises(Misuse, match="note"):
        build(Event(name=EventName.FILE_HELD, private={"note": "y" * 70_000}))


def test_short_salt_is_refused():
    with pytest.raises(Misuse):
        build(EVENT, entropy=lambda count: b"short")


GOOD = {"at": AT, "event": "file.held", "i": 3, "v": 1}


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": "1"}, {"i": -1}, {"i": "3"}, {"i": True}, {"at": "2026-01-01"}, {"at": 1}, {"event": 1},
     {"prev": {"i": 3}}, {"prev": {"i": 4}}, {"prev": {"i": None}}, {"prev": {}}, {"prev": None}, {"prev": []},
     {"_sd": "x"}, {"_sd": ["x"]}, {"_sd": [1]}, {"file": {}}, {"file": None}, {"file": {"sha256": "AB"}},
     {"file": {"sha256": 1}}, {"item": 1}, {"by": []}],
)  # fmt: skip
def test_leaves_of_another_form(change):
    assert parse_leaf(render_canonical(GOOD)).index == 3
    with pytest.raises(Tampered):
        parse_leaf(render_canonical({**GOOD, **change}))


def test_unknown_keys_are_kept():
    assert parse_leaf(render_canonical({**GOOD, "zz": [1]})).body["zz"] == [1]


@pytest.mark.parametrize("leaf", [b"[]", b"1", b"null", b"{}", b'{"v":1}'])
def test_what_is_no_leaf_at_all(leaf):
    with pytest.raises(Tampered):
        parse_leaf(leaf)

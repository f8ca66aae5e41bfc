"""The parsers: one accepted spelling, and nothing but the project's own errors whatever bytes come."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfer.audit.canonical import parse_canonical, render_canonical
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, render_checkpoint
from transfer.audit.cosignature import parse_witness_vkey
from transfer.audit.entries import build_leaf, parse_disclosure, parse_leaf
from transfer.audit.notes import Ed25519Signer, open_note, parse_note, parse_vkey, sign_note
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.audit.tiles import Tile, parse_bundle, parse_hashes, parse_tile_path, render_bundle
from transfer.errors import Misuse, NotSo, Tampered, TransferError
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import ItemId, PersonId, Sha256

VECTORS = Path(__file__).parent / "vectors"
NOTE = (VECTORS / "checkpoint.300").read_bytes()
RECEIPT = (VECTORS / "entry200.tlog-proof").read_bytes()
VKEY = (VECTORS / "log.vkey").read_text().strip()
WITNESS_VKEY = (VECTORS / "witness.vkey").read_text().strip()
LOG = parse_vkey(VKEY)
SIGNER = Ed25519Signer("tests.example/log", bytes(range(32)))
BUNDLE_300 = (VECTORS / "log300/tile/entries/001.p/44").read_bytes()
LEAF = build_leaf(
    Event(
        name=EventName.FILE_RELEASED,
        item=ItemId("i-7k3m9q2x"),
        by=PersonId("u_" + "7f" * 16),
        file=FileFact(sha256=Sha256("ab" * 32), size=123),
        policy=Sha256("cd" * 32),
        facts={"device": "ipad", "number": 12, "list": ["ä", True, None]},
        private={"name": "Tür.jpg"},
    ),
    index=41,
    at="2026-01-01T00:00:00.000Z",
    previous=37,
    clock_back=True,
    entropy=lambda count: bytes(range(count)),
)

PARSERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "note": (NOTE, parse_note),
    "signed note": (NOTE, lambda b: open_note(b, [LOG, parse_witness_vkey(WITNESS_VKEY)])),
    "checkpoint": (NOTE, lambda b: open_checkpoint(b, [LOG])),
    "checkpoint text": (NOTE.split(b"\n\n")[0] + b"\n", lambda b: parse_checkpoint(b.decode("utf-8", "replace"))),
    "receipt": (RECEIPT, lambda b: open_receipt(parse_receipt(b), [LOG], entry=b"entry-000200")),
    "vkey": (VKEY.encode(), lambda b: parse_vkey(b.decode("utf-8", "replace"))),
    "witness vkey": (WITNESS_VKEY.encode(), lambda b: parse_witness_vkey(b.decode("utf-8", "replace"))),
    "bundle": (BUNDLE_300, lambda b: parse_bundle(b, 44)),
    "tile": ((VECTORS / "log300/tile/0/001.p/44").read_bytes(), lambda b: parse_hashes(b, 44)),
    "tile path": (b"tile/entries/x001/x234/067.p/44", lambda b: parse_tile_path(b.decode("utf-8", "replace"))),
    "leaf": (LEAF.data, parse_leaf),
    "canonical": (LEAF.data, parse_canonical),
    "disclosure": (LEAF.disclosures[0].text.encode(), lambda b: parse_disclosure(b.decode("utf-8", "replace"))),
}


@pytest.mark.parametrize("name", PARSERS)
def test_the_seeds_pass(name):
    seed, parse = PARSERS[name]
    assert parse(seed)


@pytest.mark.parametrize("name", PARSERS)
def test_byte_mutations_raise_only_our_own_errors(name):
    seed, parse = PARSERS[name]
    chance = random.Random(name)
    for _ in range(1500):
        with_error(parse, mutated(seed, chance))


@pytest.mark.parametrize("name", PARSERS)
def test_every_truncation_raises_only_our_own_errors(name):
    seed, parse = PARSERS[name]
    for length in range(len(seed)):
        with_error(parse, seed[:length])


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=80, deadline=None)
@given(garbage=st.binary(max_size=300))
def test_any_bytes_raise_only_our_own_errors(name, garbage):
    with_error(PARSERS[name][1], garbage)


@pytest.mark.parametrize("name", ["note", "checkpoint", "receipt", "leaf", "bundle"])
def test_nothing_may_follow(name):
    seed, parse = PARSERS[name]
    for extra in (b"\n", b" ", b"\0", b"x", b"\n\n"):
        with pytest.raises(Tampered):
            parse(seed + extra)


def with_error(parse: Callable[[bytes], object], content: bytes) -> None:
    with contextlib.suppress(TransferError):
        parse(content)


def mutated(seed: bytes, chance: random.Random) -> bytes:
    content = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        where = chance.randrange(len(content) + 1)
        kind = chance.randrange(5)
        if kind == 0 and content:
            content[where % len(content)] ^= 1 << chance.randrange(8)
        elif kind == 1 and content:
            content[where % len(content)] = chance.choice(b'\0\n "+-0{}[]\\\xff\x80')
        elif kind == 2:
            content[where:where] = chance.choice([b"\n", b" ", b"\n\n", b"0", b"\xe2\x80\x94", b"1e9", b"[" * 200])
        elif kind == 3:
            del content[where : where + chance.randint(1, 9)]
        else:
            content[where:where] = content[max(0, where - 20) : where]
    return bytes(content)


# notes


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_what_is_signed_opens_again(text, count):
    signers = [Ed25519Signer(f"s{i}.example", bytes([i]) * 32) for i in range(count)]
    opened = open_note(sign_note(text + "\n", signers).encode(), [signer.verifier for signer in signers])
    assert (opened.text, len(opened.verified), opened.unknown) == (text + "\n", count, 0)


def test_a_changed_text_is_refused():
    with pytest.raises(Tampered, match="not good"):
        open_note(NOTE.replace(b"\n300\n", b"\n299\n"), [LOG])


def test_a_known_key_with_a_wrong_signature_condemns_the_note_even_beside_a_good_one():
    other = Ed25519Signer("w.example", bytes(32))
    note = sign_note("a\n", [SIGNER, other])
    wrong = sign_note("b\n", [other]).split("\n")[2]
    spoiled = "\n".join([*note.split("\n")[:3], wrong, ""])
    assert open_note(spoiled, [SIGNER.verifier]).unknown == 1
    with pytest.raises(Tampered, match=r"w\.example"):
        open_note(spoiled, [SIGNER.verifier, other.verifier])


def test_no_known_signature_and_no_verifier():
    with pytest.raises(Tampered, match="None of the known keys"):
        open_note(NOTE, [SIGNER.verifier])
    with pytest.raises(Misuse):
        open_note(NOTE, [])
    with pytest.raises(Misuse):
        sign_note("a\n", [])


@pytest.mark.parametrize("text", ["", "a", "a\n\nb\n", "a\tb\n", "\x00\n", "a\r\n"])
def test_texts_that_no_note_can_hold(text):
    with pytest.raises(Misuse):
        sign_note(text, [SIGNER])


def test_two_signatures_by_one_key():
    note = sign_note("a\n", [SIGNER])
    with pytest.raises(Tampered, match="two signatures"):
        parse_note(note + note.split("\n\n")[1])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_names_that_no_key_can_have(name):
    with pytest.raises(Misuse):
        Ed25519Signer(name, bytes(32))


def test_a_signer_does_not_show_its_seed():
    assert "000102" not in repr(SIGNER)
    assert str(SIGNER.seed) not in str(SIGNER)


# checkpoints, tiles, bundles


@pytest.mark.parametrize(
    "text",
    ["o\n07\n{}\n", "o\n+7\n{}\n", "o\n7\n{}", "o\n7\n{}\nmore\n", "o o\n7\n{}\n", "\n7\n{}\n", "o\n0\n{}\n",
     "o\n9007199254740992\n{}\n", "o\n-1\n{}\n", "o\n7 \n{}\n"],
)  # fmt: skip
def test_checkpoints_with_another_spelling(text):
    good = "YBdj+ayHXvpa6Qswm0A9V01Vjr5Kj9JrF91CjjO556w="
    assert parse_checkpoint(f"o\n7\n{good}\n").size == 7
    with pytest.raises(Tampered):
        parse_checkpoint(text.format(good))


@given(st.integers(1, 2**53 - 1), st.binary(min_size=32, max_size=32))
def test_checkpoints_read_back(size, root):
    checkpoint = Checkpoint(origin="o.example/x", size=size, root=root)
    assert parse_checkpoint(render_checkpoint(checkpoint)) == checkpoint


@given(st.builds(Tile, st.integers(-1, 7), st.integers(0, 2**45), st.integers(1, 256)))
def test_tile_paths_read_back(tile):
    assert parse_tile_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/0/0", "tile/00/000", "tile/8/000", "tile/0/x000/001", "tile/0/1000", "tile/0/000.p/0", "tile/0/000.p/256",
     "tile/0/000.p/044", "tile/0/000.p", "/tile/0/000", "tile/0/000/", "tile/entries", "tile/0/../000", "checkpoint2"],
)  # fmt: skip
def test_tile_paths_with_another_spelling(path):
    with pytest.raises(Tampered):
        parse_tile_path(path)


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=20))
def test_bundles_read_back(entries):
    assert parse_bundle(render_bundle(entries), len(entries)) == entries
    with pytest.raises(Tampered):
        parse_bundle(render_bundle(entries), len(entries) + 1)
    with pytest.raises(Tampered):
        parse_bundle(render_bundle([*entries, b""]), len(entries))


def test_the_largest_entry():
    assert parse_bundle(render_bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(Misuse):
        render_bundle([b"x" * 65_536])


# canonical JSON

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_0", max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_values_read_back(value):
    data = render_canonical(value)
    assert parse_canonical(data) == value
    assert json.loads(data) == value


@pytest.mark.parametrize(
    "spelling",
    [b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":1}', b"1.0", b"1e3", b"NaN", b"-0", b'"\\u0041"', b'"\\/"', b"01",
     b'"\xff"', b'"\\ud800"', b"9007199254740992", b"[" * 30 + b"]" * 30, b"[" * 60_000, b"1" * 5000, b" 1", b""],
)  # fmt: skip
def test_other_spellings_are_refused(spelling):
    with pytest.raises(Tampered):
        parse_canonical(spelling)


@pytest.mark.parametrize("value", [1.5, {"ä": 1}, {1: 2}, "\ud800", 2**53, b"bytes", {"a": {1, 2}}, float("nan")])
def test_values_outside_the_subset(value):
    with pytest.raises(Misuse):
        render_canonical(value)


def test_receipts_without_the_entry():
    with pytest.raises(NotSo):
        open_receipt(parse_receipt(RECEIPT), [LOG])

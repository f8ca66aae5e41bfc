"""Every published vector, byte for byte (tests/audit/vectors/README.md says what they are)."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.audit import naive
from transfer.audit.checkpoint import Checkpoint, open_checkpoint, render_checkpoint
from transfer.audit.cosignature import CosignatureSigner, cosigned_message, parse_witness_vkey
from transfer.audit.entries import disclosure_digest
from transfer.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of
from transfer.audit.notes import Ed25519Signer, parse_vkey, sign_note
from transfer.audit.proofs import check_consistency, check_inclusion, consistency_path, inclusion_path
from transfer.audit.receipts import Receipt, open_receipt, parse_receipt, render_receipt
from transfer.audit.tiles import (
    BUNDLE,
    Tile,
    edge_root,
    parse_bundle,
    parse_tile_path,
    range_hash,
    render_bundle,
    tiles_of,
)
from transfer.errors import Tampered

VECTORS = Path(__file__).parent / "vectors"
V = json.loads((VECTORS / "vectors.json").read_text())
LOG = Ed25519Signer(V["origin"], bytes.fromhex(V["log_seed"]))
WITNESS = CosignatureSigner(Ed25519Signer(V["witness_name"], bytes.fromhex(V["witness_seed"])), 1767225600)
ENTRIES = naive.entries(300)
HASHES = [leaf_hash(entry) for entry in ENTRIES]


def from_leaves(level: int, first: int, count: int) -> list[bytes]:
    step = 256**level
    return [root_of(HASHES[i * step : (i + 1) * step]) for i in range(first, first + count)]


def ranges(start: int, end: int) -> bytes:
    return range_hash(start, end, from_leaves)


def test_keys():
    assert LOG.verifier.public_key.hex() == V["log_public_key"]
    assert WITNESS.key.verifier.public_key.hex() == V["witness_public_key"]
    assert LOG.key_id.hex() == V["log_key_id"]
    assert LOG.vkey == V["log_vkey"] == (VECTORS / "log.vkey").read_text().strip()
    assert parse_vkey(LOG.vkey) == LOG.verifier
    assert WITNESS.key_id.hex() == V["witness_key_id"]
    assert parse_witness_vkey(V["witness_vkey"]).key_id == WITNESS.key_id
    assert CosignatureSigner(LOG, 0).key_id.hex() == V["log_key_as_0x04"]


def test_hashes_and_roots():
    assert EMPTY_ROOT.hex() == V["empty_root"]
    assert leaf_hash(b"").hex() == V["leaf_hash"]["empty entry"]
    for entry, expected in V["leaf_hash"].items():
        if entry != "empty entry":
            assert leaf_hash(entry.encode()).hex() == expected
    assert node_hash(HASHES[0], HASHES[1]).hex() == V["node_hash(leaf0,leaf1)"]
    frontier = Frontier()
    roots = {0: frontier.root()}
    for value in HASHES:
        frontier.append(value)
        roots[frontier.size] = frontier.root()
    for size, root in V["roots"].items():
        assert roots[int(size)].hex() == root == root_of(HASHES[: int(size)]).hex() == ranges(0, int(size)).hex()


@pytest.mark.parametrize("vector", V["inclusion"], ids=lambda v: f"{v['index']}-in-{v['size']}")
def test_inclusion(vector):
    path = [bytes.fromhex(step) for step in vector["path"]]
    index, size = vector["index"], vector["size"]
    assert inclusion_path(index, size, ranges) == path
    check_inclusion(HASHES[index], index=index, size=size, path=path, root=ranges(0, size))


@pytest.mark.parametrize("vector", V["consistency"], ids=lambda v: f"{v['old']}-to-{v['new']}")
def test_consistency(vector):
    path = [bytes.fromhex(step) for step in vector["path"]]
    old, new = vector["old"], vector["new"]
    assert consistency_path(old, new, ranges) == path
    check_consistency(old=old, old_root=ranges(0, old), new=new, new_root=ranges(0, new), path=path)


def test_tiles_and_bundles():
    assert Tile(0, 0).path == V["tile_paths"]["0/0 full"]
    assert Tile(0, 1, 44).path == V["tile_paths"]["0/1 width 44"]
    assert Tile(1, 0, 1).path == V["tile_paths"]["1/0 width 1"]
    assert Tile(BUNDLE, 1234067).path == V["tile_paths"]["entries 1234067"]
    assert Tile(BUNDLE, 1, 44).path == V["tile_paths"]["entries/1 width 44"]
    assert [[t.level, t.index, t.width] for t in tiles_of(300)] == V["tiles_for_size_300"]
    for level, (full, partial) in V["tiles_for_size_70000_summary"].items():
        widths = [t.width for t in tiles_of(70_000) if t.level == int(level)]
        assert (widths.count(256), [w for w in widths if w < 256]) == (full, partial)
    assert render_bundle(ENTRIES[:2]).hex() == V["bundle_of_first_two_entries"]


def test_the_log_of_300_entries():
    """The same folder from the entries, and the same root from the folder."""
    for path, expected in {**V["tile_sha256"], **V["bundle_sha256"]}.items():
        tile = parse_tile_path(path)
        stored = (VECTORS / "log300" / path).read_bytes()
        first, end = tile.index * 256, tile.index * 256 + tile.width
        if tile.level == BUNDLE:
            made = render_bundle(ENTRIES[first:end])
            assert parse_bundle(stored, tile.width) == ENTRIES[first:end]
        else:
            made = b"".join(from_leaves(tile.level, first, tile.width))
        assert made == stored
        assert hashlib.sha256(stored).hexdigest() == expected
    assert edge_root([HASHES[256:], [root_of(HASHES[:256])]]).hex() == V["roots"]["300"]


@pytest.mark.parametrize("size", V["checkpoint"])
def test_checkpoints(size):
    note = V["checkpoint"][size]
    checkpoint = Checkpoint(origin=V["origin"], size=int(size), root=bytes.fromhex(V["roots"][size]))
    assert sign_note(render_checkpoint(checkpoint), [LOG, WITNESS]) == note
    verifiers = [parse_vkey(V["log_vkey"]), parse_witness_vkey(V["witness_vkey"])]
    opened = open_checkpoint(note.encode(), verifiers)
    assert opened.checkpoint == checkpoint
    assert [s.name for s in opened.verified] == [V["origin"], V["witness_name"]]
    if (VECTORS / f"checkpoint.{size}").exists():
        assert (VECTORS / f"checkpoint.{size}").read_text() == note


def test_cosigned_message():
    text = V["checkpoint"]["7"].split("\n\n")[0] + "\n"
    assert cosigned_message(text, 1767225600).decode() == V["cosignature_message_7"]


def test_a_post_quantum_witness_line_verifies_and_is_ignored_by_who_does_not_know_it():
    note = (VECTORS / "checkpoint.300.mldsa").read_bytes()
    witness = parse_witness_vkey((VECTORS / "witness-mldsa.vkey").read_text().strip())
    assert len(open_checkpoint(note, [LOG.verifier, witness]).verified) == 2
    assert open_checkpoint(note, [LOG.verifier]).unknown == 2
    with pytest.raises(Tampered):
        open_checkpoint(note.replace(b"\n300\n", b"\n301\n"), [witness])


@pytest.mark.parametrize("index", [0, 200, 256, 299])
def test_receipts(index):
    stored = (VECTORS / f"entry{index}.tlog-proof").read_bytes()
    receipt = parse_receipt(stored)
    assert receipt.path == tuple(inclusion_path(index, 300, ranges))
    assert render_receipt(receipt).encode() == stored
    entry, checkpoint = open_receipt(receipt, [LOG.verifier], entry=(VECTORS / f"entry{index}.bin").read_bytes())
    assert (entry, checkpoint.size) == (ENTRIES[index], 300)
    carrying = Receipt(entry=entry, index=index, path=receipt.path, note=receipt.note)
    assert open_receipt(parse_receipt(render_receipt(carrying).encode()), [LOG.verifier])[0] == entry
    with pytest.raises(Tampered):
        open_receipt(receipt, [LOG.verifier], entry=b"entry-000001")


def test_what_a_witness_is_sent():
    lines = ["old 7", *(base64.b64encode(step).decode() for step in consistency_path(7, 300, ranges))]
    assert (VECTORS / "consistency-7-300.txt").read_text() == "\n".join(lines) + "\n\n" + V["checkpoint"]["300"]


def test_a_disclosure_of_the_specification():
    """RFC 9901 section 4.2.1."""
    assert (
        disclosure_digest("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0")
        == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    )


# that nothing is passed over

FILES = {
    "README.md", "checkpoint.300", "checkpoint.300.mldsa", "checkpoint.7", "consistency-7-300.txt",
    *(f"entry{index}.{kind}" for index in (0, 200, 256, 299) for kind in ("bin", "tlog-proof")),
    "log.vkey", "log300/checkpoint", *(f"log300/{path}" for path in {**V["tile_sha256"], **V["bundle_sha256"]}),
    "vectors.json", "witness-mldsa.vkey", "witness.vkey",
}  # fmt: skip
# SHA-256 over the lines that `sha256sum` prints of all these files but the README, sorted by path.
AS_PUBLISHED = "502615511b9c3e1e7edac2f07aba7397ab73f0fb0f1705761f4c1d4ada46c763"


def test_the_files_are_those_that_were_published():
    found = {str(path.relative_to(VECTORS)) for path in VECTORS.rglob("*") if path.is_file()}
    assert found == FILES
    lines = [f"{hashlib.sha256((VECTORS / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(found)]
    kept = "".join(line for line in lines if not line.endswith("  README.md\n"))
    assert hashlib.sha256(kept.encode()).hexdigest() == AS_PUBLISHED
    assert (VECTORS / "log300/checkpoint").read_bytes() == (VECTORS / "checkpoint.300").read_bytes()
    assert (VECTORS / "witness.vkey").read_text().strip() == V["witness_vkey"]


def test_no_value_is_left_out():
    """Each value of the vectors stands in a test of this module, or it would have been read for nothing."""
    source = Path(__file__).read_text()
    unused = [name for name in V if f'V["{name}"]' not in source and name != "note"]  # a remark on how they were made
    unused += [name for name in V["tile_paths"] if f'V["tile_paths"]["{name}"]' not in source]
    assert not unused

"""Verifying an evidence pack: a part of a log, each of its entries proven by itself. Pure.

What enters: the pack's files, none of them trusted, and the verifier keys that the auditor brings. What leaves: a
report of what was checked, or Tampered with the entry, file or signature that does not fit. What was left out of a
pack cannot be seen in it, but for what the entries themselves name: the entry before each of the same item, and the
statement before each of the same series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from transfer.audit import pack
from transfer.audit.canonical import parse_canonical
from transfer.audit.checkpoint import Checkpoint, OpenedCheckpoint, open_checkpoint
from transfer.audit.entries import MAX_LEAF_BYTES, Leaf, disclosure_digest, parse_disclosure, parse_leaf
from transfer.audit.merkle import leaf_hash
from transfer.audit.notes import Ed25519Verifier, Verifier, parse_vkey
from transfer.audit.pack_shard import PreviousShard, check_shard
from transfer.audit.proofs import check_inclusion
from transfer.audit.receipts import parse_receipt
from transfer.audit.verify import StatementCheck
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.events import EventName


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What was checked and found in order: `entries` of the `size` that the signed checkpoint covers.

    `previous` is None for a log's first shard, and where its first entry is not there.
    """

    origin: str
    size: int
    root: bytes
    vkey: str
    previous: PreviousShard | None
    entries: int
    selection: Mapping[str, str]
    asked: int
    governing: int
    statements: int
    disclosures: int
    commitments: int
    policies: int
    policies_missing: int
    signatures_checked: tuple[str, ...]
    first_at: str
    last_at: str


def verify_pack(
    files: Mapping[str, bytes],
    verifiers: Sequence[Verifier],
    *,
    origin: str | None = None,
    statement_check: StatementCheck,
) -> PackReport:
    """Checks everything there is in a pack.

    `statement_check` is handed every entry, in order, and answers sentences about what is not covered by a statement.
    Raises Tampered; NotSo if there is nothing to verify; Misuse without verifier keys.
    """
    if not files or files.get(pack.ENTRIES) == b"":
        raise NotSo("There is nothing to verify: the pack holds no entry.")
    for name in pack.REQUIRED:
        if name not in files:
            raise Tampered(f"{name} is missing from the pack.")
    own, opened = _open(files, verifiers)
    checkpoint = opened.checkpoint
    if origin is not None and checkpoint.origin != origin:
        raise Tampered(f"This is a part of the log {checkpoint.origin}, not of {origin}.")
    leaves = _entries(files[pack.ENTRIES])
    _check_proofs(files, leaves, checkpoint)
    manifest = _check_manifest(files, leaves, checkpoint)
    previous = check_shard(leaves, own)
    disclosures = _check_disclosures(files[pack.DISCLOSURES], leaves)
    problems = statement_check(_bodies(leaves))
    if problems:
        more = f" There are {len(problems) - 1} more of this kind." if len(problems) > 1 else ""
        raise Tampered(problems[0] + more)
    statements = _check_statements(files, leaves)
    policies = _check_policies(files, leaves, manifest)
    ordered = list(leaves.values())
    return PackReport(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        vkey=own.vkey,
        previous=previous,
        entries=len(leaves),
        selection=manifest.selection,
        asked=len(manifest.asked),
        governing=len(manifest.governing),
        statements=statements,
        disclosures=disclosures,
        commitments=sum(len(leaf.commitments) for leaf in ordered),
        policies=policies,
        policies_missing=len(manifest.policies_missing),
        signatures_checked=tuple(signature.name for signature in opened.verified),
        first_at=ordered[0].at,
        last_at=ordered[-1].at,
    )


def named_policies(leaf: Leaf) -> set[str]:
    """The digests of the policies that an entry names."""
    adopted = leaf.body.get("facts") if leaf.event == EventName.POLICY_ADOPTED else None
    named = [place.get("sha256") for place in (leaf.body.get("policy"), adopted) if isinstance(place, Mapping)]
    return {digest for digest in named if isinstance(digest, str)}


def named_statement(leaf: Leaf) -> str | None:
    """The signed statement that stands in an entry, if there is one."""
    facts = leaf.body.get("facts")
    note = facts.get("statement") if isinstance(facts, Mapping) else None
    return note if isinstance(note, str) else None


def _open(files: Mapping[str, bytes], verifiers: Sequence[Verifier]) -> tuple[Ed25519Verifier, OpenedCheckpoint]:
    """The key in the pack, and the checkpoint, once one of the auditor's keys and that one have signed it."""
    try:
        own = parse_vkey(files[pack.VKEY].decode("utf-8", "replace").removesuffix("\n"))
    except Misuse as error:
        raise Tampered(f"{pack.VKEY} is not what was packed. {error.sentence}") from error
    if files[pack.VKEY] != f"{own.vkey}\n".encode():
        raise Tampered(f"{pack.VKEY} is not what was packed: it is not that key and a line feed.")
    try:
        opened = open_checkpoint(files[pack.CHECKPOINT], verifiers)
    except Tampered as error:
        raise Tampered(f"The checkpoint is not what the log's key signed: {error.sentence}") from error
    try:
        open_checkpoint(files[pack.CHECKPOINT], [own])
    except Tampered as error:
        raise Tampered(f"{pack.VKEY} is not the key that signed the checkpoint. {error.sentence}") from error
    return own, opened


def _entries(content: bytes) -> dict[int, Leaf]:
    """The entries by their numbers. Raises Tampered if order, time or an item's chain does not hold."""
    leaves: dict[int, Leaf] = {}
    newest: dict[str | None, int] = {}
    last, last_at = -1, ""
    for number, line in enumerate(pack.split_lines(content, pack.ENTRIES), 1):
        if len(line) > MAX_LEAF_BYTES or number > pack.MAX_ENTRIES:
            raise Tampered(f"Line {number} of {pack.ENTRIES} is more than a pack holds.")
        try:
            leaf = parse_leaf(line)
        except Tampered as error:
            raise Tampered(f"Line {number} of {pack.ENTRIES} is no entry: {error.sentence}") from error
        if leaf.index <= last:
            raise Tampered(f"Entry {leaf.index} is not in its place.")
        if leaf.at < last_at:
            raise Tampered(f"Entry {leaf.index} is from before the entry above it.")
        before = newest.get(leaf.item) if leaf.item is not None else None
        if leaf.previous != before:
            there = "" if before is None else f"; in the pack that is entry {before}"
            raise Tampered(
                f"Entry {leaf.index} names entry {leaf.previous} as the one before it of its item{there}.",
                advice="An entry is missing between them, or one does not belong there.",
            )
        leaves[leaf.index] = leaf
        newest[leaf.item] = last = leaf.index
        last_at = leaf.at
    return leaves


def _check_proofs(files: Mapping[str, bytes], leaves: Mapping[int, Leaf], checkpoint: Checkpoint) -> None:
    note = files[pack.CHECKPOINT].decode("utf-8")
    lines = pack.split_lines(files[pack.ENTRIES], pack.ENTRIES)
    for index, line in zip(leaves, lines, strict=True):
        name = pack.proof_name(index)
        if name not in files:
            raise Tampered(f"{name} is missing from the pack.")
        try:
            receipt = parse_receipt(files[name])
        except Tampered as error:
            raise Tampered(f"{name} is malformed: {error.sentence}") from error
        if (receipt.index, receipt.entry) != (index, line):
            raise Tampered(f"{name} is not a proof of entry {index} as it stands in {pack.ENTRIES}.")
        if receipt.note != note:
            raise Tampered(f"{name} ends with another checkpoint than the pack's.")
        try:
            check_inclusion(leaf_hash(line), index=index, size=checkpoint.size, path=receipt.path, root=checkpoint.root)
        except Tampered as error:
            raise Tampered(f"{name} does not lead from entry {index} to the signed root.") from error
    expected = {pack.proof_name(index) for index in leaves}
    for name in files:
        if name.startswith("proofs/") and name not in expected:
            raise Tampered(f"{name} proves an entry that is missing from {pack.ENTRIES}.")


def _check_manifest(files: Mapping[str, bytes], leaves: Mapping[int, Leaf], checkpoint: Checkpoint) -> pack.Manifest:
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    if sorted(manifest.asked + manifest.governing) != list(leaves):
        raise Tampered(f"{pack.MANIFEST} names other entries than {pack.ENTRIES} has.")
    asked = manifest.asked
    whole = bool(asked) and asked == tuple(range(asked[0], asked[-1] + 1))
    if not (asked if manifest.selection["kind"] in {"item", "campaign"} else whole):
        raise Tampered("Some of the entries that were asked for are missing.")
    if manifest.selection["kind"] == "all" and len(asked) != checkpoint.size:
        raise Tampered("Some of the entries that were asked for are missing.")
    if (manifest.origin, manifest.size) != (checkpoint.origin, checkpoint.size):
        raise Tampered(f"{pack.MANIFEST} names another log than the checkpoint.")
    came = pack.handy_digests(files)
    for name in sorted({*came, *manifest.files}):
        if came.get(name) != manifest.files.get(name):
            raise Tampered(f"{name[:80]} is not the one that was packed.")
    return manifest


def _check_disclosures(content: bytes, leaves: Mapping[int, Leaf]) -> int:
    opened: set[tuple[int, str]] = set()
    for number, line in enumerate(pack.split_lines(content, pack.DISCLOSURES), 1):
        what = f"Line {number} of {pack.DISCLOSURES}"
        said = parse_canonical(line)
        index, text = (said.get("i"), said.get("disclosure")) if isinstance(said, dict) else (None, None)
        if not isinstance(index, int) or index not in leaves or not isinstance(text, str):
            raise Tampered(f"{what} opens no entry of the pack.")
        if disclosure_digest(text) not in leaves[index].commitments:
            raise Tampered(f"{what} is not what entry {index} commits to.")
        disclosure = parse_disclosure(text)
        if (said.get("name"), said.get("value")) != (disclosure.name, disclosure.value):
            raise Tampered(f"{what} says something else than it opens.")
        if (index, text) in opened:
            raise Tampered(f"{what} is there twice.")
        opened.add((index, text))
    return len(opened)


def _check_statements(files: Mapping[str, bytes], leaves: Mapping[int, Leaf]) -> int:
    notes = [note.encode() for note in map(named_statement, leaves.values()) if note is not None]
    stated = {pack.statement_name(sha256(note).hexdigest()): note for note in notes}
    for name in sorted({*stated, *(name for name in files if name.startswith("statements/"))}):
        if name not in files:
            raise Tampered(f"{name} is missing from the pack.")
        if files[name] != stated.get(name):
            raise Tampered(f"{name} is not a statement of the entries.")
    return len(stated)


def _check_policies(files: Mapping[str, bytes], leaves: Mapping[int, Leaf], manifest: pack.Manifest) -> int:
    named = {digest for leaf in leaves.values() for digest in named_policies(leaf)}
    missing = set(manifest.policies_missing)
    there = {name for name in files if name.startswith("policy/")}
    for name in sorted(there - {pack.policy_name(digest) for digest in named}):
        raise Tampered(f"{name} is named by no entry of the pack.")
    for digest in sorted(named):
        name = pack.policy_name(digest)
        if (name in there) == (digest in missing):
            raise Tampered(f"{name} is missing from the pack.")
        if name in there and sha256(files[name]).hexdigest() != digest:
            raise Tampered(f"{name} is not the text of that policy: its SHA-256 is another.")
    if missing - named or len(manifest.policies_missing) != len(missing):
        raise Tampered(f"{pack.MANIFEST} says of other policies that they are missing.")
    return len(there)


def _bodies(leaves: Mapping[int, Leaf]) -> Iterator[tuple[int, dict[str, Any]]]:
    for index, leaf in leaves.items():
        yield index, dict(leaf.body)

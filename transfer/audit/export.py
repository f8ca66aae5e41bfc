"""What is exported of the log: entries as lines, and the parts of an evidence pack that the log itself gives.

What enters: an open transaction and the chosen entries. What leaves: bytes as they were hashed and signed, receipts
against the newest checkpoint, and those openings of commitments that were chosen. Lines are streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from transfer.audit import pack
from transfer.audit.canonical import render_canonical
from transfer.audit.entries import Leaf, parse_disclosure, parse_leaf
from transfer.audit.export_select import Chosen, Selection, wanted
from transfer.audit.pack_verify import named_policies, named_statement
from transfer.audit.proofs import inclusion_path
from transfer.audit.receipts import Receipt, render_receipt
from transfer.audit.tiles import WIDTH, range_hash
from transfer.errors import Tampered
from transfer.model.events import EventName
from transfer.store import journal
from transfer.store.database import ReadTx

DISCLOSABLE = ("assessment", "justification", "label", "name", "note", "purpose", "reason")
EVERYTHING = frozenset(DISCLOSABLE)

_AT_ONCE = 256
_REMEMBERED = 1024  # tiles of 256 hashes, and hashes of ranges, while a pack is made


def entry_lines(tx: ReadTx, selection: Selection, size: int) -> Iterator[bytes]:
    """The entries that are asked for, of the first `size`: each byte for byte, with a line feed."""
    if selection.kind == "all":
        for first in range(0, size, _AT_ONCE):
            end = min(first + _AT_ONCE, size)
            yield from (leaf + b"\n" for leaf in _leaves(tx, first, end))
        return
    for index in wanted(tx, selection, size):
        yield _leaves(tx, index, index + 1)[0] + b"\n"


def evidence(
    tx: ReadTx, chosen: Chosen, *, disclose: Collection[str], policy_text: Callable[[str], str | None]
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of a pack that are evidence, and the digests of the policies whose text was not kept."""
    note = journal.head(tx).signed_note
    numbers = sorted((*chosen.asked, *chosen.governing))
    path_of = _paths(tx, chosen.size)
    lines: list[bytes] = []
    leaves: dict[int, Leaf] = {}
    files: dict[str, bytes] = {pack.CHECKPOINT: note.encode()}
    for index in numbers:
        data = _leaves(tx, index, index + 1)[0]
        receipt = Receipt(entry=data, index=index, path=path_of(index), note=note)
        files[pack.proof_name(index)] = render_receipt(receipt).encode()
        leaves[index] = parse_leaf(data)
        lines.append(data + b"\n")
    files[pack.ENTRIES] = b"".join(lines)
    files[pack.DISCLOSURES] = _disclosures(tx, leaves, frozenset(chosen.asked), disclose)
    for leaf in leaves.values():
        statement = named_statement(leaf)
        if statement is not None:
            files[pack.statement_name(sha256(statement.encode()).hexdigest())] = statement.encode()
    missing: list[str] = []
    for digest in sorted({digest for leaf in leaves.values() for digest in named_policies(leaf)}):
        text = policy_text(digest)
        if text is None:
            missing.append(digest)
        else:
            files[pack.policy_name(digest)] = text.encode()
    return files, tuple(missing)


def _leaves(tx: ReadTx, first: int, end: int) -> list[bytes]:
    leaves = journal.leaves(tx, first, end)
    if len(leaves) != end - first:
        raise Tampered(f"The database lacks entries from {first} on.", advice="Run `transfer audit verify`.")
    return leaves


def _disclosures(tx: ReadTx, leaves: Mapping[int, Leaf], asked: frozenset[int], disclose: Collection[str]) -> bytes:
    """Of the entries that were asked for, and of the enrolments of whoever acts in them: who they are."""
    acting = {leaves[index].by for index in asked}
    lines: list[bytes] = []
    for index, leaf in leaves.items():
        enrolled = leaf.event == EventName.PERSON_ENROLLED and leaf.body["facts"].get("person") in acting
        for text in sorted(journal.disclosures(tx, index)) if disclose and (index in asked or enrolled) else ():
            opened = parse_disclosure(text)
            if opened.name in disclose:
                said = {"disclosure": text, "i": index, "name": opened.name, "value": opened.value}
                lines.append(render_canonical(said) + b"\n")
    return b"".join(lines)


def _paths(tx: ReadTx, size: int) -> Callable[[int], tuple[bytes, ...]]:
    """Makes inclusion proofs against the checkpoint of this size; what several share is read and hashed once."""

    @lru_cache(_REMEMBERED)
    def tile(level: int, number: int) -> list[bytes]:
        return journal.hashes(tx, level, number * WIDTH, WIDTH)

    def recorded(level: int, first: int, count: int) -> Sequence[bytes]:
        found = tile(level, first // WIDTH)[first % WIDTH : first % WIDTH + count]
        if len(found) != count:
            raise Tampered("Some recorded hashes are missing.", advice="Run `transfer audit verify`.")
        return found

    @lru_cache(_REMEMBERED)
    def hash_of(start: int, end: int) -> bytes:
        return range_hash(start, end, recorded)

    return lambda index: tuple(inclusion_path(index, size, hash_of))

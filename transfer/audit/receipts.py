"""Receipts (C2SP tlog-proof v1): one file that proves one entry, checked with nothing but the log's verifier key. Pure.

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>        optional
    index <decimal>
    <base64 of a hash>                 the path, the leaf's sibling first
    <empty line>
    <checkpoint, a signed note>

What enters: an untrusted receipt and verifier keys. What leaves: the entry's bytes, once the proof leads from them to a
root that a known key signed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from transfer.audit.checkpoint import Checkpoint, open_checkpoint
from transfer.audit.merkle import HASH_BYTES, leaf_hash
from transfer.audit.notes import MAX_NOTE_BYTES, Verifier, parse_note, strict_base64
from transfer.audit.proofs import check_inclusion
from transfer.errors import NotSo, Tampered

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """`entry` is None where the receipt does not carry it; `note` is the signed checkpoint."""

    entry: bytes | None
    index: int
    path: tuple[bytes, ...]
    note: str


def render_receipt(receipt: Receipt) -> str:
    """The file's text."""
    lines = [_HEADER]
    if receipt.entry is not None:
        lines.append(f"extra {base64.b64encode(receipt.entry).decode()}")
    lines.append(f"index {receipt.index}")
    lines.extend(base64.b64encode(step).decode() for step in receipt.path)
    return "\n".join(lines) + "\n\n" + receipt.note


def parse_receipt(untrusted: bytes) -> Receipt:
    """The inverse of `render_receipt`; nothing is verified yet. Raises Tampered for any other spelling."""
    try:
        text = untrusted.decode("utf-8") if len(untrusted) <= 2 * MAX_NOTE_BYTES else ""
    except UnicodeDecodeError as error:
        raise Tampered("This receipt is not UTF-8.") from error
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    entry: bytes | None = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        entry = strict_base64(lines.pop(1).removeprefix("extra "))
    match = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    path = [strict_base64(line) for line in lines[2:]]
    if match is None or any(step is None or len(step) != HASH_BYTES for step in path) or len(path) > 64:
        raise Tampered("This is not a receipt of a transfer log.")
    parse_note(note)
    receipt = Receipt(
        entry=entry, index=int(match[1]), path=tuple(step for step in path if step is not None), note=note
    )
    if render_receipt(receipt) != text:
        raise Tampered("This receipt is not spelled as a receipt is.")
    return receipt


def open_receipt(
    receipt: Receipt, verifiers: Sequence[Verifier], *, entry: bytes | None = None
) -> tuple[bytes, Checkpoint]:
    """The proven entry's bytes and the checkpoint that covers it.

    `entry` is what the reader has in hand, if the receipt does not carry it. Raises Tampered if the signature or the
    proof is wrong or the two entries differ, NotSo if there is no entry to prove.
    """
    proven = receipt.entry if entry is None else entry
    if proven is None:
        raise NotSo("This receipt does not carry its entry.", advice="Bring the entry's bytes too.")
    if receipt.entry is not None and receipt.entry != proven:
        raise Tampered("This receipt is for another entry.")
    opened = open_checkpoint(receipt.note, verifiers)
    checkpoint = opened.checkpoint
    if checkpoint.origin not in {signature.name for signature in opened.verified}:
        signed_by = ", ".join(signature.name for signature in opened.verified)
        raise Tampered(f"The checkpoint is of the log {checkpoint.origin}, but it was signed by {signed_by}.")
    check_inclusion(
        leaf_hash(proven), index=receipt.index, size=checkpoint.size, path=receipt.path, root=checkpoint.root
    )
    return proven, checkpoint

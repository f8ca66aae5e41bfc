"""What an evidence pack says of the shard that it is of, and of the one before. Pure.

What enters: the pack's entries, each proven already, and the key that signed its checkpoint. What leaves: the shard
before, as the first entry names it with its whole last checkpoint; or Tampered with what does not fit.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.entries import Leaf, parse_leaf
from transfer.audit.notes import Ed25519Verifier, parse_vkey
from transfer.errors import Misuse, Tampered
from transfer.model.events import EventName


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousShard:
    """The shard before the one that a pack is of: its name, how many entries it was sealed with, its verifier key."""

    origin: str
    size: int
    vkey: str


def named_before(entries: bytes) -> str | None:
    """The name of the shard before, as the first line of an `entries.jsonl` of ours says it; None if there is none."""
    first = parse_leaf(entries.partition(b"\n")[0])
    return str(first.body["facts"]["previous"]["origin"]) if first.event == EventName.SHARD_OPENED else None


def check_shard(leaves: Mapping[int, Leaf], own: Ed25519Verifier) -> PreviousShard | None:
    """The shard before; None for a log's first one, and where the first entry is not in the pack.

    Of the statements about who may decide that the first entry says were carried over, none may be missing. Raises
    Tampered.
    """
    first = leaves.get(0)
    if first is None or first.event != EventName.SHARD_OPENED:
        return None
    try:
        facts, said = first.body["facts"], first.body["facts"]["previous"]
        statements, key, note = int(facts["statements"]), parse_vkey(said["vkey"]), said["checkpoint"].encode()
        named, told = (facts["origin"], facts["vkey"]), (said["origin"], said["size"], said["root"])
    except (KeyError, TypeError, ValueError, AttributeError, Misuse) as error:
        raise Tampered("Entry 0 does not say which shard was before.") from error
    for index in range(1, min(statements, max(leaves)) + 1):
        if index not in leaves:
            raise Tampered(f"Entry {index} is missing, a statement about who may decide that was carried over.")
    if named != (own.name, own.vkey):
        raise Tampered("Entry 0 opens a shard of another name or key than the one that is signed.")
    try:
        checkpoint = open_checkpoint(note, [key]).checkpoint
    except Tampered as error:
        raise Tampered(
            f"The checkpoint of the shard before is not one that its key signed: {error.sentence}"
        ) from error
    if told != (checkpoint.origin, checkpoint.size, b64encode(checkpoint.root).decode()):
        raise Tampered("Entry 0 says something else of the shard before than its checkpoint does.")
    return PreviousShard(origin=checkpoint.origin, size=checkpoint.size, vkey=key.vkey)

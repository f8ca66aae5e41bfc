"""Checkpoints (C2SP tlog-checkpoint v1.0.0): what a log says of itself, as the text of a signed note. Pure.

    <origin>
    <size, decimal>
    <base64 of the root>

What enters: an untrusted text or note. What leaves: a Checkpoint whose text has exactly this spelling. Extension lines
are refused: no auditor could check what they say.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from transfer.audit.merkle import EMPTY_ROOT, HASH_BYTES
from transfer.audit.notes import Signature, Verifier, is_key_name, open_note, strict_base64
from transfer.errors import Misuse, Tampered

_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
MAX_SIZE = 2**53 - 1  # a browser must be able to count them


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's name, its number of entries and its root of 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.origin):
            raise Misuse(f"{self.origin[:80]!a} cannot be a log's origin:", advice="use no spaces and no plus signs.")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise Misuse("A checkpoint has a size below 2**53 and a root of 32 bytes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedCheckpoint:
    """A checkpoint with the signatures that were verified."""

    checkpoint: Checkpoint
    verified: tuple[Signature, ...]
    unknown: int


def render_checkpoint(checkpoint: Checkpoint) -> str:
    """The text of the note."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(untrusted: str) -> Checkpoint:
    """The inverse of `render_checkpoint`. Raises Tampered for any other spelling."""
    lines = untrusted.split("\n")
    if len(lines) == 4 and lines[3] == "" and is_key_name(lines[0]) and _SIZE.fullmatch(lines[1]):
        root = strict_base64(lines[2])
        if root is not None and len(root) == HASH_BYTES and int(lines[1]) <= MAX_SIZE:
            checkpoint = Checkpoint(origin=lines[0], size=int(lines[1]), root=root)
            if checkpoint.size or root == EMPTY_ROOT:
                return checkpoint
    raise Tampered("This is not the text of a checkpoint: origin, size and root, each on its line.")


def open_checkpoint(untrusted: bytes | str, verifiers: Sequence[Verifier]) -> OpenedCheckpoint:
    """A signed checkpoint. Raises Tampered if it is malformed or not signed by one of the verifiers."""
    opened = open_note(untrusted, verifiers)
    return OpenedCheckpoint(checkpoint=parse_checkpoint(opened.text), verified=opened.verified, unknown=opened.unknown)

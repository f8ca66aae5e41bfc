"""The Merkle tree of RFC 6962 section 2.1 over SHA-256, grown at its right edge. Pure.

What enters: entries and hashes as bytes. What leaves: hashes of 32 bytes. Nothing is trusted here: a hash says only
what it was computed from.

    MTH({})     = SHA-256("")
    leaf(d)     = SHA-256(0x00 || d)
    node(l, r)  = SHA-256(0x01 || l || r)
    MTH(D[n])   = node(MTH(D[0:k]), MTH(D[k:n])),  k the largest power of two below n

An odd node is promoted, never doubled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from transfer.errors import Tampered

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def split_point(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2**n hashes, n >= 0."""
    level = hashes
    while len(level) > 1:
        level = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


def peaks_of(hashes: Sequence[bytes]) -> list[bytes]:
    """The roots of the perfect subtrees that make up `hashes`, left to right: one for each bit set in their number."""
    peaks: list[bytes] = []
    start = 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) >> bit & 1:
            peaks.append(perfect_root(hashes[start : start + (1 << bit)]))
            start += 1 << bit
    return peaks


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root of a tree from its peaks, left to right; the root of the empty tree if there are none."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes (or over the roots of equally high perfect subtrees)."""
    return fold(peaks_of(hashes))


@dataclass(slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves: all that appending needs, at most 64 hashes."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Frontier:
        """The inverse of `to_bytes`. Raises Tampered if there are not as many hashes as `size` needs."""
        if size < 0 or len(stored) != HASH_BYTES * size.bit_count():
            raise Tampered(f"The tree's right edge does not fit its size of {size}.")
        return cls(size, [stored[i : i + HASH_BYTES] for i in range(0, len(stored), HASH_BYTES)])

    def to_bytes(self) -> bytes:
        """The peaks one after the other, left to right."""
        return b"".join(self.peaks)

    def append(self, leaf: bytes) -> list[tuple[int, bytes]]:
        """Adds one leaf hash. Answers the perfect subtrees it completed, as (height, root), lowest first."""
        completed: list[tuple[int, bytes]] = []
        rest, root = self.size, leaf
        while rest & 1:
            root = node_hash(self.peaks.pop(), root)
            completed.append((len(completed) + 1, root))
            rest >>= 1
        self.peaks.append(root)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The tree's root, 32 bytes."""
        return fold(self.peaks)

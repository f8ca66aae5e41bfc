"""Inclusion and consistency proofs: making (RFC 6962 sections 2.1.1, 2.1.2) and checking (RFC 9162 2.1.3.2, 2.1.4.2).

What enters: sizes, hashes, and a function that gives the hash of a range of leaves. What leaves: a path of hashes, the
leaf's sibling first and the root's child last, or Tampered. A path from elsewhere is not trusted: only one that leads
to the expected root passes, and there is exactly one such path. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transfer.audit.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, split_point
from transfer.errors import NotSo, Tampered

RangeHash = Callable[[int, int], bytes]  # MTH(D[start:end]) for the ranges that RFC 6962 splits into


def inclusion_path(index: int, size: int, range_hash: RangeHash) -> list[bytes]:
    """PATH(index, D[size]). Raises NotSo if there is no such entry."""
    if not 0 <= index < size:
        raise NotSo(f"There is no entry {index} in a log of {size} entries.")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            path.append(range_hash(middle, end))
            end = middle
        else:
            path.append(range_hash(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_path(old: int, new: int, range_hash: RangeHash) -> list[bytes]:
    """PROOF(old, D[new]); empty if `old` is 0 or equals `new`. Raises NotSo if `old` is larger than `new`."""
    if not 0 <= old <= new:
        raise NotSo(f"A log of {old} entries cannot be the beginning of one of {new}.")
    if old in {0, new}:
        return []
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + split_point(end - start)
        if old <= middle:
            path.append(range_hash(middle, end))
            end = middle
        else:
            path.append(range_hash(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(start, end))
    path.reverse()
    return path


def check_inclusion(leaf: bytes, *, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Whether the entry with hash `leaf` is number `index` of the log with this root. Raises Tampered if not."""
    if not 0 <= index < size or not _well_formed(path) or root_from_inclusion(leaf, index, size, path) != root:
        raise Tampered(f"The proof does not show that this is entry {index} of the log of {size} entries.")


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root to which the path leads, or None if its length does not fit."""
    position, last, root = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = node_hash(step, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, step)
        position, last = position >> 1, last >> 1
    return root if last == 0 else None


def check_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Whether the old log is the beginning of the new one. Raises Tampered if that is not shown."""
    if not _consistent(old, old_root, new, new_root, path):
        raise Tampered(f"The log of {old} entries is not shown to be the beginning of the log of {new} entries.")


def _consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    if not 0 <= old <= new or not _well_formed(path):
        return False
    if old in {0, new}:
        return not path and old_root == (new_root if old == new else EMPTY_ROOT)
    return _roots_from_consistency(old, old_root, new, path) == (old_root, new_root)


def _roots_from_consistency(old: int, old_root: bytes, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots to which the path leads, or None if its length does not fit; 0 < old < new."""
    # An old tree that is one perfect subtree of the new one has its root left out of the path.
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return None
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, step)
        position, last = position >> 1, last >> 1
    return (first, second) if last == 0 else None


def _well_formed(path: Sequence[bytes]) -> bool:
    return len(path) <= 64 and all(len(step) == HASH_BYTES for step in path)

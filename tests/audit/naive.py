"""The tree exactly as RFC 6962 writes it down, recursive and slow: what the product's own code is compared with."""

from __future__ import annotations

import hashlib


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(index: int, entries: list[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if index < k:
        return [*path(index, entries[:k]), mth(entries[k:])]
    return [*path(index - k, entries[k:]), mth(entries[:k])]


def subproof(old: int, entries: list[bytes], whole: bool) -> list[bytes]:
    if old == len(entries):
        return [] if whole else [mth(entries)]
    k = split(len(entries))
    if old <= k:
        return [*subproof(old, entries[:k], whole), mth(entries[k:])]
    return [*subproof(old - k, entries[k:], False), mth(entries[:k])]


def entries(count: int) -> list[bytes]:
    return [f"entry-{i:06d}".encode() for i in range(count)]

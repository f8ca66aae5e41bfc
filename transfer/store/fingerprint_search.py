"""The hashes of everything released, side by side in memory, so that one picture is compared with all of them at once.

What enters: the rows of `fingerprint` that a transaction sees, each read once. What leaves: the numbers of the rows
near a hash. It only proposes: whoever asks reads those rows in the same transaction, so that what memory holds too much
does no harm. It holds too little for no transaction: the newest row is looked up each time, and rows never change. Only
what a reader sees is kept, which is committed; what a change wrote itself is compared with, and forgotten. A hash takes
40 bytes: 100,000 take 4 MB.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, select

from transfer.model.fingerprint import BITS
from transfer.store.database import ReadTx, WriteTx
from transfer.store.fingerprint_tables import FINGERPRINT
from transfer.store.prepared import Prepared

_WORDS = BITS // 64
_SINCE = Prepared(
    select(FINGERPRINT.c.seq, FINGERPRINT.c.hash)
    .where(FINGERPRINT.c.seq >= bindparam("first"))
    .order_by(FINGERPRINT.c.seq)
)


@dataclass(frozen=True, slots=True)
class _Hashes:
    """Some rows' numbers, rising, and their hashes: one line for each 64 bits, in which all rows stand side by side."""

    numbers: NDArray[np.int64]
    words: NDArray[np.uint64]

    @classmethod
    def of(cls, rows: list[tuple[int, str]]) -> _Hashes:
        """Of rows in their order, each a number and 64 hexadecimal digits."""
        digits = bytes.fromhex("".join(digits for _, digits in rows))
        words = np.frombuffer(digits, dtype=">u8").reshape(len(rows), _WORDS)
        return cls(np.array([number for number, _ in rows], dtype=np.int64), words.T.astype(np.uint64, order="C"))

    @property
    def last(self) -> int:
        """The newest row's number; 0 if there is none."""
        return int(self.numbers[-1]) if len(self.numbers) else 0

    def has(self, number: int, digits: str) -> bool:
        """Whether that row is among them, with that hash."""
        place = int(np.searchsorted(self.numbers, number))
        there = place < len(self.numbers) and int(self.numbers[place]) == number
        return there and bool((self.words[:, place] == _words(digits)).all())

    def and_then(self, rows: list[tuple[int, str]]) -> _Hashes:
        """With newer rows behind them."""
        more = _Hashes.of(rows)
        return _Hashes(
            np.concatenate((self.numbers, more.numbers)),
            np.concatenate((self.words, more.words), axis=1),
        )

    def near(self, digits: str, distance: int) -> list[int]:
        """The numbers of all rows that differ in at most so many bits."""
        differing = np.zeros(len(self.numbers), dtype=np.uint16)
        for line, word in zip(self.words, _words(digits), strict=True):
            differing += np.bitwise_count(line ^ word)
        return [int(number) for number in self.numbers[differing <= distance]]


class FingerprintSearch:
    """Of one database, for all threads of a process."""

    def __init__(self) -> None:
        self._hashes = _Hashes.of([])  # replaced as a whole; never changed
        self._reading = threading.Lock()  # so that two threads do not both read all rows

    def near(self, tx: ReadTx, newest: tuple[int, str], digits: str, *, distance: int) -> list[int]:
        """The numbers of the rows that may differ from a hash in at most `distance` bits: all that do are among them.

        `newest` is number and hash of the newest row that the transaction sees.
        """
        return self._seen(tx, newest).near(digits, distance)

    def _seen(self, tx: ReadTx, newest: tuple[int, str]) -> _Hashes:
        """At least all rows that the transaction sees."""
        if self._hashes.has(*newest):
            return self._hashes
        with self._reading:
            known = self._hashes
            if known.has(*newest):
                return known
            rows = _SINCE.rows(tx, {"first": known.last}) if known.last else []
            if rows and known.has(*rows[0]):
                seen = known.and_then(rows[1:])
            else:  # the first time, or this is no longer the database that it was
                seen = _Hashes.of(_SINCE.rows(tx, {"first": 0}))
            if not isinstance(tx, WriteTx):
                self._hashes = seen
            return seen


def _words(digits: str) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex(digits), dtype=">u8").astype(np.uint64)

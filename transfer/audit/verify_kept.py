"""Every checkpoint that the database keeps, held against the tree: not only the newest one.

Receipts are made with them, and an auditor may hold one of them; a row that was changed would prove what never was.
What enters: the shard's verifier keys, and its recorded hashes, which verifying compares with the entries; a page at a
time, in order. What leaves: nothing, or Tampered with the size that does not fit. Memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.merkle import Frontier
from transfer.audit.notes import Verifier
from transfer.errors import Tampered
from transfer.store import journal
from transfer.store.database import ReadTx

_LEAST = -(1 << 62)  # whatever number stands there
_RESTORE = "Find out who changed the database, and restore the last backup: `transfer restore DIR`."


class KeptCheckpoints:
    """One pass. `origin` is the name of the log that they are all of."""

    def __init__(self, verifiers: Sequence[Verifier], *, origin: str) -> None:
        self._verifiers = verifiers
        self._origin = origin
        self._frontier = Frontier()
        self.checked = 0

    def check_page(self, tx: ReadTx, end: int) -> None:
        """Those of more entries than the page before, up to `end`. Raises Tampered."""
        first = self._frontier.size
        hashes = journal.hashes(tx, 0, first, end - first)
        if len(hashes) != end - first:
            raise Tampered(f"Of the recorded hashes of the entries {first} to {end - 1} some are missing.")
        for size, note in journal.signed_notes(tx, first or _LEAST, end):
            while self._frontier.size < size:
                self._frontier.append(hashes[self._frontier.size - first])
            self._check(size, note)
        while self._frontier.size < end:
            self._frontier.append(hashes[self._frontier.size - first])

    def _check(self, size: int, note: str) -> None:
        try:
            kept = open_checkpoint(note, self._verifiers).checkpoint
        except Tampered as error:
            raise Tampered(
                f"The checkpoint of {size} entries that the database keeps is not one that the log's key signed: "
                f"{error.sentence}",
                advice=_RESTORE,
            ) from error
        if (kept.origin, kept.size) != (self._origin, size):
            raise Tampered(
                f"What the database keeps as the checkpoint of {size} entries is one of {kept.size} entries of "
                f"{kept.origin}.",
                advice=_RESTORE,
            )
        if kept.root != self._frontier.root():
            raise Tampered(
                f"The first {size} entries do not have the root that the checkpoint says which the database keeps of "
                "them.",
                advice=_RESTORE,
            )
        self.checked += 1

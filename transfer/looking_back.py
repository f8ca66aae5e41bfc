"""What was released without being looked at, looked at later: before fingerprints were kept, or while nobody compared.

What enters: released items that are due, and their clean copies. What leaves: their fingerprints, so that copies of
them are recognised. Each is opened in a sandbox child, as everything is. A crash leaves an item due; nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transfer.errors import Refusal
from transfer.model.fingerprint import Fingerprint
from transfer.model.identifiers import ItemId
from transfer.model.search import Search
from transfer.model.states import CleanBlob, Held
from transfer.policy.rules import Policy
from transfer.sandbox.pool import Pool
from transfer.store.blobs import Blobs
from transfer.store.database import Database
from transfer.store.fingerprints import Fingerprints
from transfer.store.register import Register

_SECONDS = 60.0
_BATCH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LookingBack:
    """A few released items at a time."""

    db: Database
    register: Register
    blobs: Blobs
    media: Pool
    policy: Policy
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    def round(self) -> None:
        """Looks at a few of those that are due, if the policy compares. Raises Unavailable."""
        if self.policy.comparison is None or not self.policy.comparison.compare:
            return
        with self.db.read() as tx:
            due = [(item, self.register.load(tx, item)) for item in self.fingerprints.due(tx, limit=_BATCH)]
        for item, record in due:
            clean = record.rebuilt.clean if isinstance(record, Held) else None
            self._seen(item, self._look(clean) if clean is not None and self.blobs.has_clean(clean.sha256) else ())

    def _look(self, clean: CleanBlob) -> tuple[Fingerprint, ...]:
        with self.blobs.open_clean(clean.sha256) as content, self.media.lease() as child:
            try:
                reply = child.examine(
                    content.fileno(),
                    suffix=clean.format.suffixes[0],
                    limits=self.policy.limits,
                    search=Search(),
                    seconds=_SECONDS,
                    fingerprint=True,
                )
            except Refusal:  # a child that crashed over what it made itself once: it cannot be compared
                return ()
        return reply.fingerprints

    def _seen(self, item: ItemId, prints: tuple[Fingerprint, ...]) -> None:
        with self.db.write() as tx:
            self.fingerprints.seen(tx, item, prints)

"""Appending to the transfer log, inside the transaction that changes the state.

What enters: an event of ours and an open write transaction. What leaves: the entry's number and hash; it is durable
when the transaction is, and so is the change it tells of. After a crash there are both or neither.
"""

from __future__ import annotations

from collections.abc import Callable

from transfer.audit.entries import build_leaf
from transfer.audit.merkle import Frontier
from transfer.errors import Unavailable
from transfer.model.clock import Clock, render_time
from transfer.model.events import EntryRef, Event, EventName
from transfer.model.facets import facets_of
from transfer.store import journal
from transfer.store.database import WriteTx


class Log:
    """The recorder. Safe in several processes and threads: the database admits one writer at a time.

    `origin` is the log's name; `entropy` gives the salts of the commitments.
    """

    def __init__(self, *, origin: str, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self.origin = origin
        self._clock = clock
        self._entropy = entropy

    def append(self, tx: WriteTx, event: Event) -> EntryRef:
        """Records the event as the next entry.

        Raises Misuse for an event that no leaf can hold, Unavailable while the log is switched to its next shard,
        Tampered.
        """
        index, peaks, newest, previous, campaign, last = journal.edge(tx, event.item)
        if last == EventName.SHARD_SEALED.value:  # it is the last one of its shard for ever
            raise Unavailable(
                "The log is just being switched to its next shard, and takes no entry now.",
                advice="Try again in a moment. If no gateway runs, the next start finishes it, or "
                "`transfer audit rotate`.",
            )
        now = render_time(self._clock.now())
        clock_back = now < newest
        at = newest if clock_back else now  # times never decrease, whatever the clock does; the leaf says so
        leaf = build_leaf(
            event, index=index, at=at, previous=previous, clock_back=clock_back, entropy=self._entropy
        )  # fmt: skip
        frontier = Frontier.from_bytes(index, peaks)
        completed = frontier.append(leaf.hash)
        journal.append(
            tx,
            journal.NewEntry(
                index=index,
                leaf=leaf.data,
                leaf_hash=leaf.hash,
                nodes=[(height // 8, index >> height, root) for height, root in completed if height % 8 == 0],
                peaks=frontier.to_bytes(),
                facets=facets_of(leaf.body, inherited=campaign),
                disclosures=[(disclosure.digest, disclosure.text) for disclosure in leaf.disclosures],
            ),
        )
        return EntryRef(index=index, leaf_hash=leaf.hash)

"""What everything released looks like, and the search for what is near it. Rows come with the release's own entry.

The rows are the truth: a crash or a second process finds what the last committed transaction left. What is near a
picture is proposed by `store.fingerprint_search`, which compares it with all of them in memory, and read here from its
row, in the caller's transaction (docs/return-by-content.md has what that costs).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, exists, func, insert, select

from transfer.model.fingerprint import Comparison, Fingerprint, NearCopy, differing_bits
from transfer.model.identifiers import ItemId
from transfer.store.database import ReadTx, WriteTx
from transfer.store.fingerprint_tables import FINGERPRINT, FINGERPRINT_DUE
from transfer.store.items import ITEM
from transfer.store.prepared import Prepared

if TYPE_CHECKING:
    from transfer.store.fingerprint_search import FingerprintSearch

_NOW = 2**62  # later than any item

_NEWEST = Prepared(select(FINGERPRINT.c.seq, FINGERPRINT.c.hash).order_by(FINGERPRINT.c.seq.desc()).limit(1))
_ARRIVED = Prepared(select(ITEM.c.seq).where(ITEM.c.item == bindparam("which")))
_COUNTS = Prepared(
    select(FINGERPRINT.c.item, FINGERPRINT.c.hash).where(
        FINGERPRINT.c.seq == bindparam("number"),
        FINGERPRINT.c.arrived_before < bindparam("arrived"),
        FINGERPRINT.c.quality >= bindparam("least"),
    )
)
_ADD = Prepared(insert(FINGERPRINT), columns=set(FINGERPRINT.c.keys()) - {"seq"})


class Fingerprints:
    """Of everything that was released. Every method takes the transaction it belongs to. Safe to share by threads."""

    @cached_property
    def _search(self) -> FingerprintSearch:
        """Made when there is something to be compared with: numpy takes a tenth of a second and 20 MB."""
        from transfer.store.fingerprint_search import FingerprintSearch  # noqa: PLC0415

        return FingerprintSearch()

    def released(self, tx: WriteTx, item: ItemId, prints: Iterable[Fingerprint]) -> None:
        """The item is released now. Without fingerprints it is due: somebody looks at its clean copy later."""
        newest = tx.connection.scalar(select(func.coalesce(func.max(ITEM.c.seq), 0))) or 0
        made = tuple(prints)
        if made:
            self._add(tx, item, made, arrived_before=newest)
        elif not tx.connection.scalar(select(exists().where(FINGERPRINT_DUE.c.item == item))):
            tx.connection.execute(insert(FINGERPRINT_DUE).values(item=item, arrived_before=newest))

    def due(self, tx: ReadTx, *, limit: int) -> list[ItemId]:
        """Released items that nobody has looked at yet."""
        return [ItemId(item) for item in tx.connection.scalars(select(FINGERPRINT_DUE.c.item).limit(limit))]

    def seen(self, tx: WriteTx, item: ItemId, prints: Iterable[Fingerprint]) -> None:
        """A due item was looked at; nothing, if there is nothing to be seen."""
        row = tx.connection.execute(select(FINGERPRINT_DUE).where(FINGERPRINT_DUE.c.item == item)).first()
        if row is None:
            return
        tx.connection.execute(delete(FINGERPRINT_DUE).where(FINGERPRINT_DUE.c.item == item))
        self._add(tx, item, prints, arrived_before=row.arrived_before)

    def near(
        self, tx: ReadTx, item: ItemId, prints: Iterable[Fingerprint], *, comparison: Comparison
    ) -> NearCopy | None:
        """What the item is a near copy of, among all that was released before it arrived; the closest one."""
        if not comparison.compare or _NEWEST.first(tx) is None:
            return None
        arrived = _ARRIVED.first(tx, {"which": item})
        return None if arrived is None else self.near_to(tx, prints, comparison=comparison, arrived=arrived[0])

    def near_to(
        self, tx: ReadTx, prints: Iterable[Fingerprint], *, comparison: Comparison, arrived: int = _NOW
    ) -> NearCopy | None:
        """As `near`, of something that is no item yet and would be one now."""
        clear = [one for one in prints if one.quality >= comparison.quality]
        newest = _NEWEST.first(tx) if clear and comparison.compare else None
        if newest is None:
            return None
        agreeing: dict[str, list[tuple[int, bool]]] = {}
        for one in clear:
            for other, found in self._nearest(tx, newest, one, arrived, comparison).items():
                agreeing.setdefault(other, []).append(found)
        return _closest(agreeing, len(clear), comparison)

    def count(self, tx: ReadTx) -> int:
        """How many fingerprints there are."""
        return int(tx.connection.scalar(select(func.count()).select_from(FINGERPRINT)) or 0)

    def _add(self, tx: WriteTx, item: ItemId, prints: Iterable[Fingerprint], *, arrived_before: int) -> None:
        for one in prints:
            values = {"item": item, "hash": one.hash, "quality": one.quality, "arrived_before": arrived_before}
            _ADD.run(tx, values)

    def _nearest(
        self, tx: ReadTx, newest: tuple[int, str], one: Fingerprint, arrived: int, comparison: Comparison
    ) -> dict[str, tuple[int, bool]]:
        """The released items near this one frame, each with its least distance and whether it is the mirror image's."""
        nearest: dict[str, tuple[int, bool]] = {}
        for mirrored, wanted in enumerate((one.hash, one.mirrored) if comparison.mirrored else (one.hash,)):
            for number in self._search.near(tx, newest, wanted, distance=comparison.distance):
                values = {"number": number, "arrived": arrived, "least": comparison.quality}
                for item, there in _COUNTS.rows(tx, values):
                    found = differing_bits(wanted, there), bool(mirrored)
                    nearest[item] = min(nearest.get(item, found), found)
        return nearest


def _closest(agreeing: dict[str, list[tuple[int, bool]]], frames: int, comparison: Comparison) -> NearCopy | None:
    copies = [
        NearCopy(item=item, distance=min(found)[0], agreeing=len(found), frames=frames, mirrored=min(found)[1])
        for item, found in agreeing.items()
    ]
    close = [copy for copy in copies if copy.share >= comparison.share]
    return min(close, key=lambda copy: (-copy.agreeing, copy.distance, copy.item), default=None)

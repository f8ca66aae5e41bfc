"""What everything released looks like, and the search for what is near it. Rows come with the release's own entry.

The search asks the index for every value of 16 bits that is at most one bit away from one of the fingerprint's own, and
compares what it finds: 272 short walks, however many were released. With 100,000 fingerprints that takes about as long
as reading a picture of 100 kB (docs/return-by-content.md). Nothing is kept in memory: a crash or a second process
finds what the last committed transaction left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import BindParameter, bindparam, delete, exists, func, insert, select

from transfer.model.fingerprint import HEX_DIGITS, Comparison, Fingerprint, NearCopy, differing_bits
from transfer.model.identifiers import ItemId
from transfer.store.database import ReadTx, WriteTx
from transfer.store.fingerprint_tables import FINGERPRINT, FINGERPRINT_DUE, FINGERPRINT_PART
from transfer.store.items import ITEM
from transfer.store.prepared import Prepared

_PARTS, _PART_BITS = 16, 16
_PART_DIGITS = HEX_DIGITS // _PARTS
_NOW = 2**62  # later than any item
_FLIPS = (0, *(1 << bit for bit in range(_PART_BITS)))  # no bit, or one
_PROBES = _PARTS * len(_FLIPS)
_NAMES = tuple(f"key_{number}" for number in range(_PROBES))

_KEYS: list[BindParameter[int]] = [bindparam(name) for name in _NAMES]
_ANY = Prepared(select(FINGERPRINT.c.seq).limit(1))
_ARRIVED = Prepared(select(ITEM.c.seq).where(ITEM.c.item == bindparam("which")))
_NEAR = Prepared(
    select(FINGERPRINT.c.item, FINGERPRINT.c.hash)  # some twice: to sort them out costs more than to compare them
    .join(FINGERPRINT_PART, FINGERPRINT_PART.c.seq == FINGERPRINT.c.seq)
    .where(
        FINGERPRINT_PART.c.key.in_(_KEYS),
        FINGERPRINT.c.arrived_before < bindparam("arrived"),
        FINGERPRINT.c.quality >= bindparam("least"),
    )
)
_ADD = Prepared(insert(FINGERPRINT), columns=set(FINGERPRINT.c.keys()) - {"seq"})
_ADD_PART = Prepared(insert(FINGERPRINT_PART), columns=FINGERPRINT_PART.c.keys())


class Fingerprints:
    """Of everything that was released. Every method takes the transaction it belongs to."""

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
        if not comparison.compare or _ANY.first(tx) is None:
            return None
        arrived = _ARRIVED.first(tx, {"which": item})
        return None if arrived is None else self.near_to(tx, prints, comparison=comparison, arrived=arrived[0])

    def near_to(
        self, tx: ReadTx, prints: Iterable[Fingerprint], *, comparison: Comparison, arrived: int = _NOW
    ) -> NearCopy | None:
        """As `near`, of something that is no item yet and would be one now."""
        clear = [one for one in prints if one.quality >= comparison.quality]
        if not clear or not comparison.compare:
            return None
        agreeing: dict[str, list[tuple[int, bool]]] = {}
        for one in clear:
            for other, found in self._nearest(tx, one, arrived, comparison).items():
                agreeing.setdefault(other, []).append(found)
        return _closest(agreeing, len(clear), comparison)

    def count(self, tx: ReadTx) -> int:
        """How many fingerprints there are."""
        return int(tx.connection.scalar(select(func.count()).select_from(FINGERPRINT)) or 0)

    def _add(self, tx: WriteTx, item: ItemId, prints: Iterable[Fingerprint], *, arrived_before: int) -> None:
        for one in prints:
            values = {"item": item, "hash": one.hash, "quality": one.quality, "arrived_before": arrived_before}
            _ADD.run(tx, values)
            (number,) = tx.driver.execute("SELECT last_insert_rowid()").fetchone()
            for key in _keys_of(one.hash):
                _ADD_PART.run(tx, {"key": key, "seq": number})

    def _nearest(
        self, tx: ReadTx, one: Fingerprint, arrived: int, comparison: Comparison
    ) -> dict[str, tuple[int, bool]]:
        """The released items near this one frame, each with its least distance and whether it is the mirror image's."""
        nearest: dict[str, tuple[int, bool]] = {}
        for mirrored, wanted in enumerate((one.hash, one.mirrored) if comparison.mirrored else (one.hash,)):
            values = dict(zip(_NAMES, _probes(wanted), strict=True))
            for item, there in _NEAR.rows(tx, {**values, "arrived": arrived, "least": comparison.quality}):
                distance = differing_bits(wanted, there)
                if distance <= comparison.distance:
                    nearest[item] = min(nearest.get(item, (distance, bool(mirrored))), (distance, bool(mirrored)))
        return nearest


def _closest(agreeing: dict[str, list[tuple[int, bool]]], frames: int, comparison: Comparison) -> NearCopy | None:
    copies = [
        NearCopy(item=item, distance=min(found)[0], agreeing=len(found), frames=frames, mirrored=min(found)[1])
        for item, found in agreeing.items()
    ]
    close = [copy for copy in copies if copy.share >= comparison.share]
    return min(close, key=lambda copy: (-copy.agreeing, copy.distance, copy.item), default=None)


def _parts(digits: str) -> Iterator[tuple[int, int]]:
    for place in range(_PARTS):
        yield place << _PART_BITS, int(digits[place * _PART_DIGITS : (place + 1) * _PART_DIGITS], 16)


def _keys_of(digits: str) -> list[int]:
    return [place | value for place, value in _parts(digits)]


def _probes(digits: str) -> list[int]:
    """The keys of every value that is at most one bit away, part by part."""
    return [place | value ^ flipped for place, value in _parts(digits) for flipped in _FLIPS]

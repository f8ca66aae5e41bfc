"""Looking into a log as it lies there, entry by entry: a folder needs no index and no workspace to be searched.

What enters: one shard of a published log, not verified here, and what to look for. What leaves: the entries that fit,
one by one, in either direction, and no more than a few bundles in memory. Nothing is opened of what they commit to.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from transfer.audit.entries import decode_leaf, parse_leaf
from transfer.audit.reader import LogReader
from transfer.audit.show import ShownEntry
from transfer.audit.tiles import WIDTH
from transfer.errors import Tampered
from transfer.model.facets import Facets, facets_of
from transfer.model.query import Query, fits

_KEPT_BUNDLES = 16
_MOST_ITEMS = 1 << 18
_PATIENCE = 4096  # entries of other campaigns that are looked at one by one
_ITEMS = re.compile(rb"i-[0-9a-hjkmnp-tv-z]{8}")


def search_log(reader: LogReader, end: int, query: Query) -> Iterator[ShownEntry]:
    """The first `end` entries of a log that fit, newest first unless the query says otherwise. Raises Tampered."""
    return _Search(_Entries(reader, end), query).found()


def lives_in(reader: LogReader, end: int, sha256: str) -> frozenset[str]:
    """The items in which a file occurs, by its hash or the beginning of it. Raises Tampered."""
    return frozenset(_Search(_Entries(reader, end), Query(sha256=sha256)).lives())


class _Entries:
    """Single entries of a log, the bundles read last kept."""

    def __init__(self, reader: LogReader, end: int) -> None:
        self.end = end
        self._reader = reader
        self._bundles: OrderedDict[int, list[bytes]] = OrderedDict()

    def __getitem__(self, index: int) -> bytes:
        number, offset = divmod(index, WIDTH)
        bundle = self._bundles.get(number)
        if bundle is None:
            bundle = self._reader.entries(number, min(WIDTH, self.end - number * WIDTH))
            self._bundles[number] = bundle
            if len(self._bundles) > _KEPT_BUNDLES:
                self._bundles.popitem(last=False)
        else:
            self._bundles.move_to_end(number)
        return bundle[offset]

    def body(self, index: int) -> dict[str, Any]:
        """What the entry says, as far as searching needs it. Raises Tampered."""
        body = decode_leaf(self[index])
        texts = (body.get("event"), body.get("at"), body.get("item", ""), body.get("by", ""))
        if body.get("i") != index or not all(isinstance(text, str) for text in texts):
            raise Tampered(f"Entry {index} is not an entry of a transfer log.", advice="Run `transfer audit verify`.")
        return body


class _Search:
    """One query over one log."""

    def __init__(self, entries: _Entries, query: Query) -> None:
        self._entries = entries
        self._query = query
        self._needles = _needles(query)
        self._events = tuple(f'"{event}"'.encode() for event in query.events)
        self._lives: frozenset[str] = frozenset()
        self._items: set[bytes] | None = None  # outside of which nothing fits, once that is known
        self._in_vain = 0

    def found(self) -> Iterator[ShownEntry]:
        """See `search_log`."""
        query = self._query
        if query.sha256 is not None:
            self._lives = frozenset(self.lives()) if query.lives is None else query.lives
            self._items = {item.encode() for item in self._lives}
        first = 0 if query.since is None else self._halved(lambda at: at >= str(query.since))
        end = self._entries.end if query.until is None else self._halved(lambda at: at > str(query.until))
        left = query.limit
        for index in range(first, end) if query.oldest_first else range(end - 1, first - 1, -1):
            if left <= 0:
                return
            facets = self._fitting(index) if self._may_fit(self._entries[index]) else None
            if facets is not None:
                left -= 1
                leaf = parse_leaf(self._entries[index])
                yield ShownEntry(
                    leaf=leaf, private={}, erased=len(leaf.commitments), campaign=facets.campaign, openings=False
                )

    def lives(self) -> set[str]:
        """The items in which the file occurs that is asked for."""
        sought = str(self._query.sha256)
        return self._items_with(sought, lambda one: (one.sha256 or "").startswith(sought))

    def _may_fit(self, entry: bytes) -> bool:
        """A quick look at its bytes, by which most entries are passed over."""
        if not all(needle in entry for needle in self._needles):
            return False
        if self._events and not any(event in entry for event in self._events):
            return False
        if self._items is None:
            return True
        named = self._query.sha256 or self._query.campaign or ""
        return named.encode() in entry or not self._items.isdisjoint(_ITEMS.findall(entry))

    def _fitting(self, index: int) -> Facets | None:
        """The entry's facets if it fits."""
        query, body = self._query, self._entries.body(index)
        facets = facets_of(body, inherited=None)
        if facets.campaign is None and facets.item is not None:
            if not fits(facets._replace(campaign=query.campaign), query, lives=self._lives):
                return None
            facets = facets._replace(campaign=self._campaign_before(index, body))
        if fits(facets, query, lives=self._lives):
            return facets
        self._in_vain += 1
        if self._in_vain == _PATIENCE and query.campaign is not None and self._items is None:
            # A campaign of which there is little: its items are found quicker than that of every entry.
            items = self._items_with(query.campaign, lambda one: one.campaign == query.campaign, _MOST_ITEMS)
            self._items = {item.encode() for item in items} if len(items) < _MOST_ITEMS else None
        return None

    def _campaign_before(self, index: int, body: dict[str, Any]) -> str | None:
        """What the entry's item has from its entries before, followed from each to the one before it."""
        while "prev" in body:
            previous = body["prev"].get("i") if isinstance(body["prev"], dict) else None
            if not isinstance(previous, int) or not 0 <= previous < index:
                raise Tampered(f"Entry {index} does not name a previous entry as it should.")
            index, body = previous, self._entries.body(previous)
            campaign = facets_of(body, inherited=None).campaign
            if campaign is not None:
                return campaign
        return None

    def _items_with(self, needle: str, wanted: Callable[[Facets], bool], most: int | None = None) -> set[str]:
        """The items that have an entry of their own of which `wanted` is true; its bytes hold the needle."""
        sought, items = needle.encode(), set()
        for index in range(self._entries.end):
            if sought in self._entries[index]:
                facets = facets_of(self._entries.body(index), inherited=None)
                if facets.item is not None and wanted(facets):
                    items.add(facets.item)
                    if len(items) == most:
                        break
        return items

    def _halved(self, late: Callable[[str], bool]) -> int:
        """The first entry whose time is late, or the number after the last: times in the log never decrease."""
        low, high = 0, self._entries.end
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if late(self._entries.body(middle)["at"]) else (middle + 1, high)
        return low


def _needles(query: Query) -> tuple[bytes, ...]:
    """What stands in the bytes of every entry that fits. A campaign may be inherited, so its name need not."""
    clause = f'"{query.clause}"' if query.clause is not None else None
    return tuple(needle.encode() for needle in (query.item, query.person, clause) if needle is not None)

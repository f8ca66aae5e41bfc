"""Looking into the log: entries found by item, file, person, event and time, with what they commit to.

What enters: an open transaction and what to look for. What leaves: rows for people and tools, newest first. The index
only finds; what is shown is the leaf, and a leaf that its index does not describe is Tampered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transfer.audit.entries import Leaf, parse_disclosure, parse_leaf
from transfer.errors import NotSo, Tampered
from transfer.store import journal
from transfer.store.database import ReadTx
from transfer.store.journal import IndexRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for; everything given must fit. `since` is a time as the log writes it, inclusive.

    `before` is an index: the page after one whose last row had it.
    """

    item: str | None = None
    sha256: str | None = None
    by: str | None = None
    events: tuple[str, ...] = ()
    since: str | None = None
    before: int | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One entry: its leaf, and the private values whose openings are still kept.

    `erased` counts the commitments that nobody can open any more.
    """

    leaf: Leaf
    private: Mapping[str, str]
    erased: int

    def as_dict(self) -> dict[str, Any]:
        """The leaf's own fields; `private` and `erased` beside them."""
        return {**self.leaf.body, "private": dict(self.private), "erased": self.erased}


def show(tx: ReadTx, query: Query) -> list[ShownEntry]:
    """The newest entries that fit, newest first. Raises Tampered if an entry or an opening is not what it should be."""
    rows = journal.find(
        tx,
        item=query.item,
        sha256=query.sha256,
        by=query.by,
        events=query.events,
        since=query.since,
        before=query.before,
        limit=query.limit,
    )
    return [_shown(tx, row) for row in rows]


def life(tx: ReadTx, item: str) -> list[ShownEntry]:
    """All entries of an item, oldest first, followed from each to the one before it, not from the index.

    Raises NotSo if there is none, Tampered if the chain does not hold.
    """
    newest = journal.find(tx, item=item, limit=1)
    if not newest:
        raise NotSo(f"There is no entry about {item}.", advice="`transfer status` lists the items.")
    entries: list[ShownEntry] = []
    index: int | None = newest[0].index
    while index is not None:
        entry = show_entry(tx, index)
        if entry.leaf.item != item:
            raise Tampered(f"Entry {index} is named as one of {item}, but it is of {entry.leaf.item}.")
        entries.append(entry)
        index = entry.leaf.previous
    entries.reverse()
    return entries


def lives_of_file(tx: ReadTx, sha256: str, *, limit: int = 100) -> list[ShownEntry]:
    """Everything about the items in which this file occurs, as it came or as it was rebuilt; oldest first.

    At most `limit` items, the newest ones.
    """
    items: dict[str, None] = {}
    for row in journal.find(tx, sha256=sha256, limit=10 * limit):
        if row.item is not None and len(items) < limit:
            items.setdefault(row.item)
    found = {entry.leaf.index: entry for item in items for entry in life(tx, item)}
    for entry in show(tx, Query(sha256=sha256, limit=10 * limit)):  # those without an item, such as refused returns
        found.setdefault(entry.leaf.index, entry)
    return [found[index] for index in sorted(found)]


def show_entry(tx: ReadTx, index: int) -> ShownEntry:
    """One entry by its number. Raises NotSo if there is none."""
    rows = list(journal.index_rows(tx, index, index + 1))
    if not rows:
        raise NotSo(f"There is no entry {index}.")
    return _shown(tx, rows[0])


def _shown(tx: ReadTx, row: IndexRow) -> ShownEntry:
    leaves: Sequence[bytes] = journal.leaves(tx, row.index, row.index + 1)
    if not leaves:
        raise Tampered(f"The database lacks entry {row.index}, which its index has.")
    leaf = parse_leaf(leaves[0])
    said = (row.index, row.event, row.at, row.item, row.sha256, row.by)
    if said != (leaf.index, leaf.event, leaf.at, leaf.item, leaf.sha256, leaf.by):
        raise Tampered(f"The index of the database does not describe entry {row.index} as it is.")
    opened = [parse_disclosure(text) for text in journal.disclosures(tx, row.index)]
    for disclosure in opened:
        if disclosure.digest not in leaf.commitments:
            raise Tampered(f"The kept «{disclosure.name}» of entry {row.index} is not what the entry commits to.")
    private = {disclosure.name: disclosure.value for disclosure in opened}
    return ShownEntry(leaf=leaf, private=private, erased=len(leaf.commitments) - len(opened))

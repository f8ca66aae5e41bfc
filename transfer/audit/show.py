"""Looking into the log that the database holds: entries that fit a query, and one item's life.

What enters: an open transaction and what to look for. What leaves: entries for people and tools, with what they commit
to where that is still kept. The index only finds; what is shown is the leaf, and a leaf that its index does not
describe is Tampered. What an edited index hides is not noticed here: `audit.verify` compares all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transfer.audit.entries import Leaf, parse_disclosure, parse_leaf
from transfer.errors import NotSo, Tampered
from transfer.model.events import EventName
from transfer.model.facets import facets_of
from transfer.model.query import Query
from transfer.store import journal, journal_index, journal_search
from transfer.store.database import ReadTx

_REINDEX = "`transfer audit reindex` makes it again from the entries; find out who changed it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One entry: its leaf, and the private values whose openings are still kept.

    `erased` counts the commitments that nobody can open any more; `openings` is False where none were looked for, as in
    a published log, and then it counts all. `campaign` is the one it belongs to; `shard` is the label of the shard it
    stands in, empty where only one was looked at.
    """

    leaf: Leaf
    private: Mapping[str, str]
    erased: int
    campaign: str | None = None
    openings: bool = True
    shard: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The leaf's own fields; `private`, `erased` and, if it is known, `shard` beside them."""
        told = {**self.leaf.body, "private": dict(self.private), "erased": self.erased}
        return told | {"shard": self.shard} if self.shard else told


def search(tx: ReadTx, query: Query) -> Iterator[ShownEntry]:
    """The entries that fit, one by one, newest first unless the query says otherwise.

    Raises Tampered if an entry, its index or an opening is not what it should be.
    """
    for index in journal_search.search(tx, query):
        yield show_entry(tx, index)


def show(tx: ReadTx, query: Query) -> list[ShownEntry]:
    """All that `search` finds."""
    return list(search(tx, query))


def life(tx: ReadTx, item: str) -> list[ShownEntry]:
    """All entries of an item in one shard, oldest first, followed from each to the one before it, not from the index.

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


def check_chain(item: str, entries: Iterable[ShownEntry]) -> None:
    """That an item's entries, oldest first, name each other; entries of no item or another may lie between.

    The first may name one that is not among them. A shard names no entry of another: there it begins again, with the
    entry that carries the item over. Raises Tampered.
    """
    before: ShownEntry | None = None
    for entry in entries:
        if entry.leaf.item != item:
            continue
        if before is not None:
            expected = before.leaf.index if before.shard == entry.shard else None
            if entry.leaf.previous != expected:
                raise Tampered(
                    f"Entry {entry.leaf.index} names {entry.leaf.previous} as the one before it of {item}, not "
                    f"{'none' if expected is None else expected}.",
                    advice="Run `transfer audit verify`.",
                )
            if expected is None and entry.leaf.event != EventName.FILE_CARRIED:
                raise Tampered(
                    f"Entry {entry.leaf.index} of the shard {entry.shard} does not say that {item} was carried over.",
                    advice="Run `transfer audit verify`.",
                )
        before = entry


def show_entry(tx: ReadTx, index: int) -> ShownEntry:
    """One entry by its number. Raises NotSo if there is none, Tampered as `search`."""
    indexed = journal_index.facets(tx, index, index + 1)
    if index not in indexed:
        raise NotSo(f"There is no entry {index}.")
    leaves = journal.leaves(tx, index, index + 1)
    if not leaves:
        raise Tampered(f"The database lacks entry {index}, which its index has.")
    leaf, said = parse_leaf(leaves[0]), indexed[index]
    if index != leaf.index or said != facets_of(leaf.body, inherited=said.campaign):
        raise Tampered(f"The index of the database does not describe entry {index} as it is.", advice=_REINDEX)
    opened = [parse_disclosure(text) for text in journal.disclosures(tx, index)] if leaf.commitments else []
    for disclosure in opened:
        if disclosure.digest not in leaf.commitments:
            raise Tampered(f"The kept «{disclosure.name}» of entry {index} is not what the entry commits to.")
    private = {disclosure.name: disclosure.value for disclosure in opened}
    return ShownEntry(
        leaf=leaf, private=private, erased=len(leaf.commitments) - len(opened), campaign=said.campaign
    )  # fmt: skip

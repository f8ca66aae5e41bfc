"""A receipt of whichever shard an entry lies in, out of the rows of a workspace or out of a published folder.

What enters: where the shards lie, and what is to be proven. What leaves: a receipt that ends with that shard's last
checkpoint, and the key with which it was verified before anybody gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from transfer.audit.checkpoint import parse_checkpoint
from transfer.audit.notes import Ed25519Verifier, parse_note
from transfer.audit.proofs import inclusion_path
from transfer.audit.proving import ENDS, newest_of, prove
from transfer.audit.reader_folder import FolderReader
from transfer.audit.receipts import Receipt, open_receipt
from transfer.audit.search import search_log
from transfer.audit.shard_rows import ShardRows, chosen, key_in
from transfer.audit.shard_search import published
from transfer.audit.tiles import WIDTH, range_hash
from transfer.errors import NotSo, Tampered
from transfer.model.query import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """One of the three: an item, a file, or the number of an entry in its shard."""

    item: str | None = None
    sha256: str | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """`key` verifies the receipt; `shard` is the label of the shard that it is of, one of `several` perhaps."""

    receipt: Receipt
    shard: str
    key: Ed25519Verifier
    several: bool


class _Shard(Protocol):
    @property
    def label(self) -> str: ...

    def newest(self, sought: Sought, event: str) -> int | None: ...

    def prove(self, index: int) -> Receipt: ...

    def key(self) -> Ed25519Verifier: ...


def prove_rows(rows: ShardRows, sought: Sought, *, own: Ed25519Verifier, shard: str = "") -> Proven:
    """Out of a workspace. `own` is the running shard's key, `shard` names another than the one where it is found first.

    A number without a shard is one of the running shard. Raises NotSo, Tampered, Unavailable.
    """
    shards = [_Rows(rows, label, own) for label in rows.chosen(shard)]
    return _prove(shards, sought, several=rows.several, pruned=rows.pruned)


def prove_folder(folder: Path, sought: Sought, *, shard: str = "") -> Proven:
    """The same out of a published log, with the keys that lie in it."""
    log = published(folder)
    shards = [_Folder(label, log.shards[label]) for label in chosen(shard, tuple(log.shards), log.pruned)]
    return _prove(shards, sought, several=bool(log.pruned) or len(log.shards) > 1, pruned=log.pruned)


def _prove(shards: Sequence[_Shard], sought: Sought, *, several: bool, pruned: Sequence[str]) -> Proven:
    which, index = _find(shards, sought, pruned)
    receipt, key = which.prove(index), which.key()
    try:
        open_receipt(receipt, [key])
    except Tampered as error:
        raise Tampered(
            f"No receipt was made, because it would not verify with the key of its shard. {error.sentence}",
            advice="Run `transfer audit verify`.",
        ) from error
    return Proven(receipt=receipt, shard=which.label, key=key, several=several)


def _find(shards: Sequence[_Shard], sought: Sought, pruned: Sequence[str]) -> tuple[_Shard, int]:
    """The signed entry that says most: a release, refusal or withdrawal, else the newest; of the newest shard first."""
    if sought.index is not None:
        return shards[-1], sought.index
    for event in (*(end.value for end in ENDS), ""):
        for shard in reversed(shards):
            index = shard.newest(sought, event)
            if index is not None:
                return shard, index
    what = sought.item or f"the file {sought.sha256}"
    gone = f" The entries of {', '.join(pruned)} were pruned; receipts that were made before still verify."
    raise NotSo(
        f"There is no signed entry about {what}.",
        advice="`transfer status` lists the items." + (gone if pruned else ""),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    rows: ShardRows
    label: str
    own: Ed25519Verifier

    def newest(self, sought: Sought, event: str) -> int | None:
        with self.rows.read(self.label) as tx:
            return newest_of(tx, item=sought.item, sha256=sought.sha256, event=event)

    def prove(self, index: int) -> Receipt:
        with self.rows.read(self.label) as tx:
            return prove(tx, index)

    def key(self) -> Ed25519Verifier:
        return self.own if self.label == self.rows.running else self.rows.key(self.label)


@dataclass(frozen=True, slots=True)
class _Folder:
    label: str
    reader: FolderReader

    def newest(self, sought: Sought, event: str) -> int | None:
        size = parse_checkpoint(parse_note(self._note())[0]).size
        query = Query(item=sought.item, sha256=sought.sha256, events=(event,) if event else (), limit=size)
        for entry in search_log(self.reader, size, query):
            if sought.item == entry.leaf.item if sought.item is not None else sought.sha256 == entry.leaf.sha256:
                return entry.leaf.index
        return None

    def prove(self, index: int) -> Receipt:
        note = self._note()
        size = parse_checkpoint(parse_note(note)[0]).size
        if index >= size:
            raise NotSo(f"Entry {index} is not in the signed log, which has {size}.", advice="Copy the log again.")

        def recorded(level: int, first: int, count: int) -> list[bytes]:
            tile, offset = divmod(first, WIDTH)
            there = self.reader.hashes(level, tile, min(WIDTH, (size >> (8 * level)) - tile * WIDTH))
            return [there[32 * place : 32 * place + 32] for place in range(offset, offset + count)]

        path = inclusion_path(index, size, lambda start, end: range_hash(start, end, recorded))
        bundle = self.reader.entries(index // WIDTH, min(WIDTH, size - index // WIDTH * WIDTH))
        return Receipt(entry=bundle[index % WIDTH], index=index, path=tuple(path), note=note.decode())

    def key(self) -> Ed25519Verifier:
        return key_in(self.reader, self.label)

    def _note(self) -> bytes:
        note = self.reader.checkpoint()
        if note is None:
            raise NotSo(f"The shard {self.label} has no checkpoint.", advice="Copy the whole log again.")
        return note

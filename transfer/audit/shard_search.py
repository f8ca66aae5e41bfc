"""Looking into all shards of a log at once: in the rows of a workspace, or in the folder that was published.

What enters: where the shards lie, and what to look for. What leaves: the entries that fit, in the order of time across
the shards, each with the label of its own. A file that was taken in before the log was sealed is found by the hash it
came with in the later shards too. Nothing is verified here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from transfer.audit.checkpoint import parse_checkpoint
from transfer.audit.notes import parse_note
from transfer.audit.reader_folder import FolderReader
from transfer.audit.search import lives_in, search_log
from transfer.audit.shard_rows import ShardRows, chosen
from transfer.audit.shards import archived, is_switching, label_of
from transfer.audit.show import ShownEntry, life, search
from transfer.errors import NotSo, Tampered
from transfer.model.events import EventName
from transfer.model.query import Query
from transfer.store import journal_search

_NAME_IT = "Name the folder that holds the log's `checkpoint`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`entries` come one by one. `several`: the log has more than one shard. The entries of the `pruned` ones are gone
    and were not looked through.
    """

    entries: Iterator[ShownEntry]
    several: bool
    pruned: tuple[str, ...]


class _Shard(Protocol):
    @property
    def label(self) -> str: ...

    def search(self, query: Query) -> Iterator[ShownEntry]: ...

    def lives(self, sha256: str) -> frozenset[str]: ...


def search_rows(rows: ShardRows, query: Query, *, shard: str = "") -> Found:
    """In a workspace, by the index of each shard; `shard` names one of them. Raises NotSo, Misuse, Tampered."""
    shards = [_Rows(rows, label) for label in rows.chosen(shard)]
    return Found(entries=_through(shards, query), several=rows.several, pruned=() if shard else rows.pruned)


def search_folder(folder: Path, query: Query, *, shard: str = "") -> Found:
    """In a published log. Raises NotSo if there is none, Tampered if an entry cannot be read."""
    log = published(folder)
    shards = [_Folder(label, log.shards[label]) for label in chosen(shard, tuple(log.shards), log.pruned)]
    several = bool(log.pruned) or len(log.shards) > 1
    return Found(entries=_through(shards, query), several=several, pruned=() if shard else log.pruned)


def life_in(rows: ShardRows, item: str) -> list[ShownEntry]:
    """All entries of an item in all shards, oldest first. Raises NotSo if there is none, Tampered as `life`."""
    found: list[ShownEntry] = []
    missing: NotSo | None = None
    for label in reversed(rows.labels):
        try:
            with rows.read(label) as tx:
                entries = [replace(entry, shard=label) for entry in life(tx, item)]
        except NotSo as error:
            missing = error
            continue
        found = entries + found
        if entries[0].leaf.event != EventName.FILE_CARRIED:
            break  # it was taken in in this shard, and no older one has heard of it
    if missing is not None and not found:
        raise missing
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLog:
    """The shards of a folder that have entries, by label, oldest first; and the labels of those that were pruned."""

    shards: dict[str, FolderReader]
    pruned: tuple[str, ...]


def published(folder: Path) -> PublishedLog:
    """What there is to look into. Raises NotSo if there is no log, Tampered for what has no place in one."""
    if not folder.is_dir():
        raise NotSo(f"There is no folder {folder}.", advice=_NAME_IT)
    sealed, running = archived(folder), FolderReader(folder)
    shards = {reader.folder.name: reader for reader in sealed if not reader.is_pruned()}
    if not is_switching(folder) and running.survey(0).end:
        shards[_label(running)] = running
    if not shards:
        raise NotSo(f"There is no published log in {folder}.", advice=_NAME_IT)
    return PublishedLog(shards=shards, pruned=tuple(reader.folder.name for reader in sealed if reader.is_pruned()))


def _label(reader: FolderReader) -> str:
    """As its checkpoint says, the signature not checked."""
    with contextlib.suppress(Tampered):
        return label_of(parse_checkpoint(parse_note(reader.checkpoint() or b"")[0]).origin)
    return label_of("")


def _through(shards: Sequence[_Shard], query: Query) -> Iterator[ShownEntry]:
    if query.sha256 is not None and len(shards) > 1:
        lives = frozenset[str]().union(*(shard.lives(query.sha256) for shard in shards))
        query = replace(query, lives=lives)
    left = query.limit
    for shard in shards if query.oldest_first else reversed(shards):
        if left <= 0:
            return
        for entry in shard.search(replace(query, limit=left)):
            left -= 1
            yield replace(entry, shard=shard.label)


@dataclass(frozen=True, slots=True)
class _Rows:
    rows: ShardRows
    label: str

    def search(self, query: Query) -> Iterator[ShownEntry]:
        with self.rows.read(self.label) as tx:
            yield from search(tx, query)

    def lives(self, sha256: str) -> frozenset[str]:
        with self.rows.read(self.label) as tx:
            return frozenset(journal_search.lives(tx, sha256))


@dataclass(frozen=True, slots=True)
class _Folder:
    label: str
    reader: FolderReader

    def search(self, query: Query) -> Iterator[ShownEntry]:
        yield from search_log(self.reader, self.reader.survey(0).end, query)

    def lives(self, sha256: str) -> frozenset[str]:
        return lives_in(self.reader, self.reader.survey(0).end, sha256)

"""The log's rows: entries, the tree's right edge, index, disclosures and signed checkpoints. The truth of the log.

What enters: leaves built by `audit.entries`, inside the transaction that changes the state they tell of. What leaves:
rows, as they are. The file is trusted as far as its owner is: triggers stop mistakes, and whoever drops them and edits
a row is found by `audit.start` and `audit.verify`, because the root that was signed no longer follows from the rows.

`audit_node` holds the roots of full tiles (one row for 256 entries), so that neither proofs nor tiles ever need to be
computed from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Row, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from transfer.errors import Tampered
from transfer.model.facets import Facets
from transfer.store.database import ReadTx, WriteTx
from transfer.store.journal_tables import (
    AUDIT_CHECKPOINT,
    AUDIT_DISCLOSURE,
    AUDIT_ENTRY,
    AUDIT_HEAD,
    AUDIT_INDEX,
    AUDIT_NODE,
    AUDIT_TAG,
)
from transfer.store.prepared import Prepared, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the log stands. `signed_note` is empty until the first signature; `published` is a size too."""

    size: int
    peaks: bytes
    at: str
    signed_size: int
    signed_note: str
    published: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """One entry with all its rows. `nodes` are the full tiles it completes as (level, number, root)."""

    index: int
    leaf: bytes
    leaf_hash: bytes
    nodes: Sequence[tuple[int, int, bytes]]
    peaks: bytes
    facets: Facets
    disclosures: Sequence[tuple[str, str]]  # digest, disclosure


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """What the index says about an entry; it can be rebuilt from the leaf at any time."""

    index: int
    event: str
    at: str
    item: str | None
    sha256: str | None
    by: str | None
    campaign: str | None


_HEAD_COLUMNS = (
    AUDIT_HEAD.c.size,
    AUDIT_HEAD.c.peaks,
    AUDIT_HEAD.c.at,
    AUDIT_HEAD.c.signed_size,
    AUDIT_HEAD.c.signed_note,
    AUDIT_HEAD.c.published,
)
_SELECT_HEAD = select(*_HEAD_COLUMNS)
_NEWEST_OF_ITEM = select(func.max(AUDIT_INDEX.c.i)).where(AUDIT_INDEX.c.item == bindparam("item_")).scalar_subquery()
_PREVIOUS = AUDIT_INDEX.alias("previous")
_LAST = AUDIT_INDEX.alias("last")
_NEWEST_EVENT = select(_LAST.c.event).where(_LAST.c.i == AUDIT_HEAD.c.size - 1).scalar_subquery()
_SELECT_HEAD_AND_PREVIOUS = Prepared(
    select(
        AUDIT_HEAD.c.size, AUDIT_HEAD.c.peaks, AUDIT_HEAD.c.at, _PREVIOUS.c.i, _PREVIOUS.c.campaign, _NEWEST_EVENT
    ).select_from(AUDIT_HEAD.outerjoin(_PREVIOUS, _PREVIOUS.c.i == _NEWEST_OF_ITEM))
)
_INSERT_ENTRY = Prepared(insert(AUDIT_ENTRY), columns=AUDIT_ENTRY.c.keys())
_INSERT_NODE = Prepared(insert(AUDIT_NODE), columns=AUDIT_NODE.c.keys())
_INSERT_INDEX = Prepared(insert(AUDIT_INDEX), columns=AUDIT_INDEX.c.keys())
_INSERT_TAG = Prepared(insert(AUDIT_TAG), columns=AUDIT_TAG.c.keys())
_INSERT_DISCLOSURE = Prepared(insert(AUDIT_DISCLOSURE), columns=AUDIT_DISCLOSURE.c.keys())
_INSERT_CHECKPOINT = insert(AUDIT_CHECKPOINT)
_ADVANCE_HEAD = Prepared(
    update(AUDIT_HEAD)
    .where(AUDIT_HEAD.c.size == bindparam("was"))
    .values(size=bindparam("size_"), peaks=bindparam("peaks_"), at=bindparam("at_"))
)
_FIRST: BindParameter[int] = bindparam("first")
_END: BindParameter[int] = bindparam("end_")
_SELECT_ENTRIES = (
    select(AUDIT_ENTRY.c.leaf).where(AUDIT_ENTRY.c.i >= _FIRST, AUDIT_ENTRY.c.i < _END).order_by(AUDIT_ENTRY.c.i)
)
_SELECT_HASHES = (
    select(AUDIT_ENTRY.c.h).where(AUDIT_ENTRY.c.i >= _FIRST, AUDIT_ENTRY.c.i < _END).order_by(AUDIT_ENTRY.c.i)
)
_SELECT_NODES = (
    select(AUDIT_NODE.c.h)
    .where(AUDIT_NODE.c.level == bindparam("level_"), AUDIT_NODE.c.n >= _FIRST, AUDIT_NODE.c.n < _END)
    .order_by(AUDIT_NODE.c.n)
)


def head(tx: ReadTx) -> Head:
    """Raises Tampered if the row is not there."""
    row = tx.connection.execute(_SELECT_HEAD).one_or_none()
    if row is None:
        raise _no_head()
    return Head(
        size=row[0], peaks=row[1], at=row[2], signed_size=row[3], signed_note=row[4], published=row[5]
    )  # fmt: skip


def edge(tx: WriteTx, item: str | None) -> tuple[int, bytes, str, int | None, str | None, str | None]:
    """For the next entry: size, peaks, the newest time, the item's previous entry, its campaign, the newest event.

    Read inside BEGIN IMMEDIATE: no other process can append between this and the end of the transaction. Raises
    Tampered.
    """
    row = _SELECT_HEAD_AND_PREVIOUS.first(tx, {"item_": item})
    if row is None:
        raise _no_head()
    return row[0], row[1], row[2], row[3], row[4], row[5]


def append(tx: WriteTx, entry: NewEntry) -> None:
    """All the rows of one entry. Raises Tampered if the log's head and its entries do not fit each other."""
    event, at, item, sha256, by, campaign, tags = entry.facets
    indexed = {"event": event, "at": at, "item": item, "sha256": sha256, "by": by, "campaign": campaign}
    try:
        _INSERT_ENTRY.run(tx, {"i": entry.index, "leaf": entry.leaf, "h": entry.leaf_hash})
        _INSERT_INDEX.run(tx, {"i": entry.index, **indexed})
        for tag in tags:
            _INSERT_TAG.run(tx, {"tag": tag, "i": entry.index})
        for level, number, root in entry.nodes:
            _INSERT_NODE.run(tx, {"level": level, "n": number, "h": root})
        for digest, disclosure in entry.disclosures:
            _INSERT_DISCLOSURE.run(tx, {"i": entry.index, "digest": digest, "disclosure": disclosure})
    except Taken as error:
        raise Tampered(
            f"The log's head says that it has {entry.index} entries, but there is one of that number.",
            advice="Somebody changed the database. Restore the last backup: `transfer restore DIR`.",
        ) from error
    now = {"was": entry.index, "size_": entry.index + 1, "peaks_": entry.peaks, "at_": at}
    if _ADVANCE_HEAD.run(tx, now) != 1:
        raise _no_head()


def store_signed(tx: WriteTx, *, was: int, size: int, note: str) -> bool:
    """Compare-and-swap of the signed checkpoint; False if another one was signed meanwhile, and nothing is changed."""
    swapped = tx.connection.execute(
        update(AUDIT_HEAD).where(AUDIT_HEAD.c.signed_size == was).values(signed_size=size, signed_note=note)
    )
    if swapped.rowcount != 1:
        return False
    try:
        tx.connection.execute(_INSERT_CHECKPOINT, {"size": size, "note": note})
    except IntegrityError as error:
        raise Tampered(f"A checkpoint of {size} entries had been signed before.") from error
    return True


def set_published(tx: WriteTx, size: int) -> None:
    """What the log's folder holds."""
    tx.connection.execute(update(AUDIT_HEAD).values(published=size))


def leaves(tx: ReadTx, first: int, end: int) -> list[bytes]:
    """The leaves with these numbers, in order; fewer if some are not there."""
    return list(tx.connection.execute(_SELECT_ENTRIES, {"first": first, "end_": end}).scalars())


def hashes(tx: ReadTx, level: int, first: int, count: int) -> list[bytes]:
    """The recorded hashes of a level: 0 leaf hashes, above the roots of full tiles; fewer if some are not there."""
    given = {"first": first, "end_": first + count}
    if level == 0:
        return list(tx.connection.execute(_SELECT_HASHES, given).scalars())
    return list(tx.connection.execute(_SELECT_NODES, {"level_": level, **given}).scalars())


def signed_note(tx: ReadTx, size: int) -> str | None:
    """The checkpoint that was signed for exactly this size, if any."""
    return tx.connection.execute(select(AUDIT_CHECKPOINT.c.note).where(AUDIT_CHECKPOINT.c.size == size)).scalar()


def signed_notes(tx: ReadTx, above: int, end: int) -> list[tuple[int, str]]:
    """The checkpoints that are kept of more than `above` and at most `end` entries: size and note, smallest first."""
    query = select(AUDIT_CHECKPOINT.c.size, AUDIT_CHECKPOINT.c.note).order_by(AUDIT_CHECKPOINT.c.size)
    rows = tx.connection.execute(query.where(AUDIT_CHECKPOINT.c.size > above, AUDIT_CHECKPOINT.c.size <= end))
    return [(row.size, row.note) for row in rows]


def newest_signed(tx: ReadTx) -> int:
    """The largest size of which a signed checkpoint is kept; 0 if there is none."""
    return int(tx.connection.execute(select(func.coalesce(func.max(AUDIT_CHECKPOINT.c.size), 0))).scalar_one())


def disclosures(tx: ReadTx, index: int) -> list[str]:
    """The openings that are still kept of an entry's commitments."""
    chosen = select(AUDIT_DISCLOSURE.c.disclosure).where(AUDIT_DISCLOSURE.c.i == index)
    return list(tx.connection.execute(chosen).scalars())


def openings(tx: ReadTx, first: int, end: int | None = None) -> list[tuple[int, str, str]]:
    """All openings kept of a range of entries, in their order: index, digest, disclosure."""
    columns = AUDIT_DISCLOSURE.c
    chosen = select(columns.i, columns.digest, columns.disclosure).where(columns.i >= first)
    if end is not None:
        chosen = chosen.where(columns.i < end)
    return [tuple(row) for row in tx.connection.execute(chosen.order_by(columns.i))]


def find(
    tx: ReadTx,
    *,
    item: str | None = None,
    sha256: str | None = None,
    by: str | None = None,
    events: Sequence[str] = (),
    since: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[IndexRow]:
    """The newest entries that fit everything given, newest first. `since` is a time, inclusive; `before` an index."""
    columns = AUDIT_INDEX.c
    fits: list[ColumnElement[bool]] = []
    fits += [columns.item == item] if item is not None else []
    fits += [columns.sha256 == sha256] if sha256 is not None else []
    fits += [columns.by == by] if by is not None else []
    fits += [columns.event.in_(events)] if events else []
    fits += [columns.at >= since] if since is not None else []
    fits += [columns.i < before] if before is not None else []
    rows = tx.connection.execute(select(AUDIT_INDEX).where(*fits).order_by(columns.i.desc()).limit(limit))
    return [_index_row(row) for row in rows]


def index_rows(tx: ReadTx, first: int, end: int) -> Iterator[IndexRow]:
    """The index of a range of entries, in order."""
    rows = tx.connection.execute(
        select(AUDIT_INDEX).where(AUDIT_INDEX.c.i >= first, AUDIT_INDEX.c.i < end).order_by(AUDIT_INDEX.c.i)
    )
    for row in rows:
        yield _index_row(row)


def _index_row(row: Row[Any]) -> IndexRow:
    return IndexRow(
        index=row.i, event=row.event, at=row.at, item=row.item, sha256=row.sha256, by=row.by, campaign=row.campaign
    )  # fmt: skip


def _no_head() -> Tampered:
    return Tampered(
        "The log's head is missing from the database.",
        advice="Somebody changed the database. Restore the last backup: `transfer restore DIR`.",
    )

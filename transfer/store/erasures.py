"""Erasing a person from the rows: which of them hold a name or a text of theirs, and what stands there afterwards.

What enters: a pseudonym, inside the caller's transaction. What leaves: rows that say «(erased)» or nothing. Which
openings of the log go is decided by `transfer.erasing`, which reads the entries; here they are only dropped. The bytes
are overwritten as rows change (secure_delete); `Database.purge` then empties the write-ahead log and the free pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from transfer.model.clock import parse_time, render_time
from transfer.model.events import EntryRef
from transfer.model.findings import Reason
from transfer.model.identifiers import ItemId, PersonId, Sha256
from transfer.model.names import parse_safe_name
from transfer.model.states import Arrived, Examined, Held, Rebuilt, Refused, Spooled, State
from transfer.store.database import ReadTx, WriteTx
from transfer.store.directory_tables import WORDING
from transfer.store.erasure_table import ERASURE
from transfer.store.items import ITEM, arrived_of
from transfer.store.journal_tables import AUDIT_DISCLOSURE, AUDIT_INDEX
from transfer.store.notice_table import NOTICE_KEPT
from transfer.store.records import Record, parse_reasons, parse_record, render_arrival, render_reasons, render_record
from transfer.store.release_tables import RELEASE, RELEASE_NUMBERING
from transfer.store.releases import CURRENT, hidden_name

ERASED_NAME = parse_safe_name("(erased)")

_T = TypeVar("_T")

_OPEN = (State.SPOOLED, State.EXAMINED, State.REBUILT, State.HELD, State.APPROVED)
_RELEASES_TO_SCRUB = (
    select(RELEASE.c.item, RELEASE.c.folded, ITEM.c.submitter)
    .join(ITEM, ITEM.c.item == RELEASE.c.item)
    .where(
        ITEM.c.submitter.in_(select(ERASURE.c.person)),
        RELEASE.c.state.not_in([state.value for state in CURRENT]),
        RELEASE.c.name != ERASED_NAME.text,
    )
)
_CHUNK = 500  # SQLite's limit on parameters of one statement is far above


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRow:
    """One erased person. Until `finished` the bytes may still lie in free pages, notices or older copies."""

    person: PersonId
    entry: int
    at: datetime
    finished: bool


def begin_erasure(tx: WriteTx, person: PersonId, at: datetime, *, entry: EntryRef) -> None:
    """From now on this person counts as erased; what is not done of it yet has to be done."""
    values = {"entry": entry.index, "at": render_time(at), "finished": 0}
    row = upsert(ERASURE).values(person=person, **values)
    tx.connection.execute(row.on_conflict_do_update(["person"], set_=values))


def finish_erasure(tx: WriteTx, person: PersonId) -> None:
    """Nothing is left to do."""
    tx.connection.execute(update(ERASURE).where(ERASURE.c.person == person).values(finished=1))


def erasures(tx: ReadTx) -> list[ErasureRow]:
    """Everybody who was erased, in the order of their entries."""
    return [
        ErasureRow(person=PersonId(row.person), entry=row.entry, at=parse_time(row.at), finished=bool(row.finished))
        for row in tx.connection.execute(select(ERASURE).order_by(ERASURE.c.entry))
    ]


def erased_people(tx: ReadTx) -> frozenset[PersonId]:
    """Their pseudonyms."""
    return frozenset(PersonId(person) for person in tx.connection.scalars(select(ERASURE.c.person)))


def open_items(tx: ReadTx, person: PersonId, *, limit: int) -> list[ItemId]:
    """Items of this person that something may still happen to: undecided, or with an original not dealt with yet."""
    waiting = or_(ITEM.c.state.in_(_OPEN), (ITEM.c.state == State.RELEASED) & (ITEM.c.retired == 0))
    query = select(ITEM.c.item).where(ITEM.c.submitter == person, waiting).order_by(ITEM.c.seq).limit(limit)
    return [ItemId(item) for item in tx.connection.scalars(query)]


def items_of(tx: ReadTx, person: PersonId) -> frozenset[ItemId]:
    """All items that this person handed in."""
    return frozenset(
        ItemId(item) for item in tx.connection.scalars(select(ITEM.c.item).where(ITEM.c.submitter == person))
    )


def released_names(tx: ReadTx, person: PersonId) -> list[str]:
    """The names that files of this person have on the device's side now."""
    query = (
        select(RELEASE.c.name)
        .join(ITEM, ITEM.c.item == RELEASE.c.item)
        .where(ITEM.c.submitter == person, RELEASE.c.state.in_([state.value for state in CURRENT]))
        .order_by(RELEASE.c.number)
    )
    return list(tx.connection.scalars(query))


def drop_openings_of_items(tx: WriteTx, person: PersonId) -> int:
    """What the entries of this person's items commit to can be opened no more; how many openings went."""
    theirs = select(ITEM.c.item).where(ITEM.c.submitter == person)
    entries = select(AUDIT_INDEX.c.i).where(AUDIT_INDEX.c.item.in_(theirs))
    return int(tx.connection.execute(delete(AUDIT_DISCLOSURE).where(AUDIT_DISCLOSURE.c.i.in_(entries))).rowcount)


def drop_openings(tx: WriteTx, entries: Iterable[int]) -> int:
    """The same for these entries."""
    dropped = 0
    for chunk in _chunks(sorted(set(entries))):
        dropped += tx.connection.execute(delete(AUDIT_DISCLOSURE).where(AUDIT_DISCLOSURE.c.i.in_(chunk))).rowcount
    return dropped


def count_openings(tx: ReadTx, entries: Iterable[int]) -> int:
    """How many openings `drop_openings` would drop."""
    counted = select(func.count()).select_from(AUDIT_DISCLOSURE)
    chunks = _chunks(sorted(set(entries)))
    return sum(tx.connection.scalar(counted.where(AUDIT_DISCLOSURE.c.i.in_(chunk))) or 0 for chunk in chunks)


def entries_by(tx: ReadTx, person: PersonId) -> list[tuple[int, str]]:
    """Number and event of the entries by this person that something can still be opened of."""
    query = select(AUDIT_INDEX.c.i, AUDIT_INDEX.c.event).where(
        AUDIT_INDEX.c.by == person, AUDIT_INDEX.c.i.in_(select(AUDIT_DISCLOSURE.c.i))
    )
    return [(row.i, row.event) for row in tx.connection.execute(query.order_by(AUDIT_INDEX.c.i))]


def entries_of_items(tx: ReadTx, items: Iterable[ItemId]) -> list[int]:
    """The numbers of all entries about these items."""
    found: list[int] = []
    for chunk in _chunks(sorted(set(items))):
        found += tx.connection.scalars(select(AUDIT_INDEX.c.i).where(AUDIT_INDEX.c.item.in_(chunk)))
    return found


def entries_named(tx: ReadTx, events: Iterable[str]) -> list[int]:
    """The numbers of all entries of these kinds."""
    query = select(AUDIT_INDEX.c.i).where(AUDIT_INDEX.c.event.in_(list(events))).order_by(AUDIT_INDEX.c.i)
    return list(tx.connection.scalars(query))


def entries_since(tx: ReadTx, events: Iterable[str], since: str) -> list[tuple[int, str, str]]:
    """Number, event and time of the entries of these kinds from that time on."""
    wanted = AUDIT_INDEX.c.event.in_(list(events)) & (AUDIT_INDEX.c.at >= since)
    query = select(AUDIT_INDEX.c.i, AUDIT_INDEX.c.event, AUDIT_INDEX.c.at).where(wanted).order_by(AUDIT_INDEX.c.i)
    return [(row.i, row.event, row.at) for row in tx.connection.execute(query)]


def openings(tx: ReadTx) -> Iterator[tuple[int, str]]:
    """Every opening that is kept, with the number of its entry."""
    for row in tx.connection.execute(select(AUDIT_DISCLOSURE.c.i, AUDIT_DISCLOSURE.c.disclosure)).yield_per(_CHUNK):
        yield row.i, row.disclosure


def erase_words(tx: WriteTx, digests: Iterable[Sha256]) -> int:
    """The texts behind these digests; how many there were."""
    erased = 0
    for chunk in _chunks(sorted(set(digests))):
        wanted = WORDING.c.digest.in_(chunk) & WORDING.c.text.is_not(None)
        erased += tx.connection.execute(update(WORDING).where(wanted).values(salt=None, text=None)).rowcount
    return erased


def drop_drafted_words(tx: WriteTx, accepted: Iterable[Sha256]) -> int:
    """Texts of drafts that were never handed in: nobody can tell any more who wrote them."""
    known = set(accepted)
    drafted = [digest for digest in tx.connection.scalars(select(WORDING.c.digest)) if digest not in known]
    for chunk in _chunks(drafted):
        tx.connection.execute(delete(WORDING).where(WORDING.c.digest.in_(chunk)))
    return len(drafted)


def scrub_items(tx: WriteTx, person: PersonId, *, after: int, limit: int, reword: Callable[[Reason], Reason]) -> int:
    """Takes names, paths and what approvers wrote out of the next items; the last one's place, or 0 at the end.

    Done twice it changes nothing. Notices about them are not put up any more.
    """
    query = select(ITEM.c.seq, ITEM.c.kind, ITEM.c.record, ITEM.c.reasons, ITEM.c.post, ITEM.c.released_as)
    rows = tx.connection.execute(
        query.where(ITEM.c.submitter == person, ITEM.c.seq > after).order_by(ITEM.c.seq).limit(limit)
    ).all()
    for row in rows:
        record = _nameless(parse_record(row.kind, row.record), reword)
        reasons = tuple(reword(reason) for reason in parse_reasons(row.reasons))
        values = {
            "record": render_record(record),
            "arrival": render_arrival(arrived_of(record).arrival),
            "name": ERASED_NAME.text,
            "post": None if row.post is None else ERASED_NAME.text,
            "released_as": None if row.released_as is None else ERASED_NAME.text,
            "reasons": render_reasons(reasons),
            "told": ITEM.c.changed,
        }
        tx.connection.execute(update(ITEM).where(ITEM.c.seq == row.seq).values(**values))
        tx.connection.execute(delete(NOTICE_KEPT).where(NOTICE_KEPT.c.item == arrived_of(record).item))
    return rows[-1].seq if rows else 0


def reword_items(tx: WriteTx, items: Iterable[ItemId], reword: Callable[[Reason], Reason]) -> None:
    """Takes what an approver wrote out of other people's items; their notices are put up anew."""
    for item in sorted(set(items)):
        row = tx.connection.execute(
            select(ITEM.c.kind, ITEM.c.record, ITEM.c.reasons).where(ITEM.c.item == item)
        ).first()
        if row is None:
            continue
        reasons = tuple(reword(reason) for reason in parse_reasons(row.reasons))
        values = {"record": render_record(_reworded(parse_record(row.kind, row.record), reword))}
        values["reasons"] = render_reasons(reasons)
        if values["reasons"] != row.reasons or values["record"] != row.record:
            tx.connection.execute(update(ITEM).where(ITEM.c.item == item).values(**values, told=0))


def scrub_releases(tx: WriteTx) -> int:
    """Names on the device's side, of erased people's files that lie there no longer; how many.

    A name is never used for another content, so its digest stays. The list of numbers for equal names is made anew
    when it is needed.
    """
    rows = tx.connection.execute(_RELEASES_TO_SCRUB).all()
    for row in rows:
        folded = hidden_name(row.folded)
        tx.connection.execute(
            update(RELEASE).where(RELEASE.c.item == row.item).values(name=ERASED_NAME.text, folded=folded)
        )
    if rows:
        tx.connection.execute(delete(RELEASE_NUMBERING))
    return len(rows)


def unscrubbed_releases(tx: ReadTx) -> list[PersonId]:
    """Whose names `scrub_releases` would erase."""
    return [PersonId(row.submitter) for row in tx.connection.execute(_RELEASES_TO_SCRUB)]


def _nameless(record: Record, reword: Callable[[Reason], Reason]) -> Record:
    match _reworded(record, reword):
        case Spooled() as spooled:
            return _spooled(spooled)
        case Examined() as examined:
            return _examined(examined)
        case Rebuilt() as rebuilt:
            return _rebuilt(rebuilt)
        case Held() as held:
            return replace(held, rebuilt=_rebuilt(held.rebuilt))
        case Refused() as refused:
            return replace(refused, arrived=_arrived(refused.arrived))


def _rebuilt(rebuilt: Rebuilt) -> Rebuilt:
    return replace(rebuilt, examined=_examined(rebuilt.examined))


def _examined(examined: Examined) -> Examined:
    return replace(examined, spooled=_spooled(examined.spooled))


def _spooled(spooled: Spooled) -> Spooled:
    return replace(spooled, arrived=_arrived(spooled.arrived))


def _arrived(arrived: Arrived) -> Arrived:
    # What makes the arrival known is the digest in its own column: the same file seen again is still the same.
    arrival = replace(arrived.arrival, path=b"")
    post = None if arrived.post is None else ERASED_NAME
    return replace(arrived, name=ERASED_NAME, post=post, arrival=arrival)


def _reworded(record: Record, reword: Callable[[Reason], Reason]) -> Record:
    if isinstance(record, Refused):
        return replace(record, reasons=tuple(reword(reason) for reason in record.reasons))
    return record


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for first in range(0, len(values), _CHUNK):
        yield values[first : first + _CHUNK]

"""Erasing a person: their name, what they wrote, what their files were called. Gone for good; the log still verifies.

What enters: an opened workspace, and a person who may do nothing any more. What leaves: an entry `person.erased`, and
rows, notices and older copies that hold nothing of them. Leaves of the log are never touched: they hold a pseudonym and
salted commitments, which nobody can open afterwards.

    begin    one transaction: the entry, the directory's row, the openings in the log, the words behind statements
    scrub    many small ones: the rows of their items, so that a running gateway never waits long
    archives the openings in the rows of sealed shards
    finish   notices in `feedback/`, copies kept by migrations, then the bytes in write-ahead log and free pages

A crash after `begin` leaves an erasure that is marked as unfinished; every step can be repeated, and `resume` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from transfer.approvals.decisions import without_words
from transfer.approvals.erasable import (
    count_archived_openings,
    drop_archived_openings,
    drop_openings,
    drop_words,
    mentions,
)
from transfer.approvals.wording import clean_name, clean_text
from transfer.audit.holds import require_no_hold
from transfer.audit.shard_rows import ShardRows
from transfer.errors import Misuse, NotSo
from transfer.model.clock import render_time
from transfer.model.events import EntryRef, Event, EventName, Json
from transfer.model.identifiers import ItemId, PersonId
from transfer.store import erasures
from transfer.store.adoption import SETTINGS, adopted
from transfer.store.database import Database, ReadTx, WriteTx
from transfer.store.directory import PersonRow
from transfer.store.lock import who_holds
from transfer.store.noticeboard import Noticeboard
from transfer.store.shards import archives
from transfer.wiring import Site

_BATCH = 200
_COPIES = (EventName.BACKUP_MADE.value, EventName.EXPORT_MADE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy that was made while the name was known, as its entry in the log says; where it lies nobody knows here."""

    shard: str
    entry: int
    event: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """An entry in which somebody else's text has the name."""

    shard: str
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was done, in counts over all shards of the log. `entry` is None where an erasure was only finished.

    `still_shown` are names on the device's side, which stay while the files lie there; `running` is the label of the
    running shard.
    """

    person: PersonId
    entry: int | None
    openings: int
    words: int
    items: int
    still_shown: tuple[str, ...]
    mentions: tuple[Mention, ...]
    copies: tuple[Copy, ...]
    running: str


def find(tx: ReadTx, name: str, *, site: Site) -> PersonRow:
    """Whom a name or a pseudonym means, disabled or not. Raises NotSo."""
    wanted = clean_name(name)
    row = site.desk.directory.named(tx, wanted) or site.desk.directory.person(tx, PersonId(wanted))
    if row is None:
        raise NotSo(f"Nobody here is called {wanted}.", advice="`transfer people list`.")
    return row


def erase(site: Site, person: PersonId, *, by: PersonId, ground: str) -> Erased:
    """Erases somebody who is disabled and has no open items. Raises NotSo, Misuse; then nothing was changed.

    Raises Unavailable if the bytes cannot leave the file now: then it is entered and marked, and `resume` goes on.
    """
    text = clean_text(ground)
    if not text:
        raise Misuse("An erasure needs a ground, for whoever reads the log.", advice="Give it with --ground.")
    rows = _shards(site)
    archived = _count_archived(site, person, rows)  # in rows that nobody writes any more
    with site.db.write() as tx:
        row = site.desk.directory.person(tx, person)
        _check(tx, row, person, ground=text, site=site)
        openings = drop_openings(tx, person)
        words, more, reworded = drop_words(tx, person, desk=site.desk)
        openings += more + archived
        facts: dict[str, Json] = {"person": person, "openings": openings, "words": words}
        facts["items"] = len(erasures.items_of(tx, person))
        event = Event(name=EventName.PERSON_ERASED, by=by, facts=facts, private={"ground": text})
        entry = site.log.append(tx, event)
        _forget_person(tx, person, reworded, entry=entry, at=site.clock.now(), site=site)
    scrub_and_finish(site, [person])
    told = tuple(_mentions(rows, row.name)) if row is not None and row.name else ()
    copies = tuple(_copies(rows, row)) if row is not None else ()
    with site.db.read() as tx:
        shown = tuple(erasures.released_names(tx, person))
    return Erased(
        person=person, entry=entry.index, openings=openings, words=words, items=int(str(facts["items"])),
        still_shown=shown, mentions=told, copies=copies, running=rows.running,
    )  # fmt: skip


def resume(site: Site, person: PersonId) -> Erased:
    """Finishes an erasure that was interrupted. Raises NotSo if there is nothing to finish, Unavailable as `erase`."""
    with site.db.read() as tx:
        if person not in unfinished(tx):
            raise NotSo(f"{person} has been erased already.", advice="`transfer people list`.")
        items = len(erasures.items_of(tx, person))
    scrub_and_finish(site, [person])
    with site.db.read() as tx:
        shown = tuple(erasures.released_names(tx, person))
    return Erased(
        person=person, entry=None, openings=0, words=0, items=items, still_shown=shown, mentions=(), copies=(),
        running=_shards(site).running,
    )  # fmt: skip


def unfinished(tx: ReadTx) -> list[PersonId]:
    """Erased people of whom something is still to be found here: after a crash, or since a file left the device."""
    left = set(erasures.unscrubbed_releases(tx))
    return [row.person for row in erasures.erasures(tx) if not row.finished or row.person in left]


def erase_again(tx: WriteTx, person: PersonId, *, entry: EntryRef, at: datetime, site: Site) -> None:
    """After a restore: an erasure that the log tells of, applied to rows from before it. No new entry.

    The caller finishes it with `scrub_and_finish` once the transaction is committed.
    """
    drop_openings(tx, person)
    _, _, reworded = drop_words(tx, person, desk=site.desk)
    _forget_person(tx, person, reworded, entry=entry, at=at, site=site)


def scrub_and_finish(site: Site, people: Iterable[PersonId]) -> None:
    """All that comes after `begin`, for several people at once. Raises Unavailable; `resume` does the rest then."""
    wanted = sorted(set(people))
    if not wanted:
        return
    items: set[ItemId] = set()
    for person in wanted:
        _scrub_items(site, person)
        with site.db.read() as tx:
            items |= erasures.items_of(tx, person)
    with site.db.write() as tx:
        erasures.scrub_releases(tx)
    Noticeboard(site.workspace.feedback).take_down(items)
    _scrub_archives(site, wanted)
    site.db.remove_kept_copies()
    site.db.purge()
    with site.db.write() as tx:
        for person in wanted:
            erasures.finish_erasure(tx, person)


def _check(tx: ReadTx, row: PersonRow | None, person: PersonId, *, ground: str, site: Site) -> None:
    if row is None:
        raise NotSo(f"Nobody here is called {person}.", advice="`transfer people list`.")
    require_no_hold(tx, what="Nobody is erased")
    called = row.name or row.person
    if row.disabled_at is None:
        raise NotSo(
            f"{called} may still do something here, so they cannot be erased yet.",
            advice="First take their rights: `transfer people disable NAME`.",
        )
    _check_settings(tx, person, called, site=site)
    waiting = erasures.open_items(tx, person, limit=6)
    if waiting:
        some = ", ".join(waiting[:5]) + (" and others" if len(waiting) > 5 else "")
        raise NotSo(
            f"Files of {called} are still on their way: {some}.",
            advice="Let them be released, refused or withdrawn first; a released one's original has to have been dealt "
            "with, which a running gateway does by itself.",
        )
    if row.name is not None and row.name.casefold() in ground.casefold():
        raise Misuse("The ground has the name in it that is to be erased.", advice="Say it without the name.")


def _check_settings(tx: ReadTx, person: PersonId, called: str, *, site: Site) -> None:
    """Nothing that is dropped from now on may be entered as theirs."""
    file = site.workspace.settings_file
    if any(person in source.submitters for source in site.settings.sources):
        raise NotSo(
            f"A staging folder in the settings is still {called}'s; what is dropped there is entered as theirs.",
            advice=f"Take it out of {file} or give it to somebody else, and restart the gateway.",
        )
    if adopted(tx, SETTINGS) != site.settings.sha256 and who_holds(site.workspace.lock) is not None:
        raise NotSo(
            f"{file.name} was changed since the gateway started, and {called} may have a staging folder in the former.",
            advice="Restart the gateway first.",
        )


def _forget_person(
    tx: WriteTx, person: PersonId, reworded: set[ItemId], *, entry: EntryRef, at: datetime, site: Site
) -> None:
    site.desk.directory.erase_name(tx, person, entry=entry)
    erasures.reword_items(tx, reworded, without_words)
    erasures.begin_erasure(tx, person, at, entry=entry)


def _scrub_items(site: Site, person: PersonId) -> None:
    last: int = -1
    while last:
        with site.db.write() as tx:
            last = erasures.scrub_items(tx, person, after=last, limit=_BATCH, reword=without_words)


def _scrub_archives(site: Site, people: Iterable[PersonId]) -> None:
    with site.db.read() as tx:
        theirs = {person: erasures.items_of(tx, person) for person in people}
    for path in archives(site.workspace.database).values():
        with contextlib.closing(Database.open(path)) as archived:
            with archived.write() as tx:
                for person, items in theirs.items():
                    drop_archived_openings(tx, person, items)
            archived.purge()


def _shards(site: Site) -> ShardRows:
    return ShardRows(site.db, site.workspace.log, origin=site.settings.gateway.origin)


def _count_archived(site: Site, person: PersonId, rows: ShardRows) -> int:
    with site.db.read() as tx:
        theirs = erasures.items_of(tx, person)
    count = 0
    for label in rows.sealed:
        with rows.read(label) as tx:
            count += count_archived_openings(tx, person, theirs)
    return count


def _mentions(rows: ShardRows, name: str) -> Iterator[Mention]:
    """Once theirs are gone: in what is left."""
    for label in rows.labels:
        with rows.read(label) as tx:
            yield from (Mention(shard=label, entry=entry) for entry in mentions(tx, name))


def _copies(rows: ShardRows, row: PersonRow) -> Iterator[Copy]:
    since = render_time(row.added_at)
    for label in rows.labels:
        with rows.read(label) as tx:
            for entry, event, at in erasures.entries_since(tx, _COPIES, since):
                yield Copy(shard=label, entry=entry, event=event, at=at)

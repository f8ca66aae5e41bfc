"""What somebody asks of the log on the command line, as a query; whatever is wrong with it has a sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from transfer.errors import Misuse, NotSo

if TYPE_CHECKING:
    from transfer.model.query import Query
    from transfer.wiring import Site

_WRITE_IT = "Write it like 2026-11-22 or 2026-11-22T10:30:00Z."
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as they were typed; empty where one was not given."""

    item: str = ""
    sha256: str = ""
    name: str = ""
    person: str = ""
    campaign: str = ""
    event: tuple[str, ...] = ()
    clause: str = ""
    since: str = ""
    until: str = ""
    oldest_first: bool = False
    limit: int = 100

    @property
    def is_one_life(self) -> bool:
        """Whether an item is asked for and nothing besides."""
        others = (self.sha256, self.name, self.person, self.campaign, self.event, self.clause, self.since, self.until)
        return bool(self.item) and not any(others) and not self.oldest_first


def query_of(asked: Asked, *, site: Site | None) -> Query:
    """The query, for one entry more than the limit. Without a `site`, names cannot be asked for.

    Raises Misuse for what is malformed or cannot be, NotSo if nobody is called so.
    """
    from transfer.model.identifiers import parse_campaign_id, parse_item_id
    from transfer.model.query import Query, parse_hash

    since, until = _moment(asked.since, end=False), _moment(asked.until, end=True)
    if since is not None and until is not None and since > until:
        raise Misuse(f"--since {asked.since} is after --until {asked.until}.", advice="Exchange the two.")
    return Query(
        item=parse_item_id(asked.item) if asked.item else None,
        items=_items(asked.name, site) if asked.name else None,
        sha256=parse_hash(asked.sha256) if asked.sha256 else None,
        person=_person(asked.person, site) if asked.person else None,
        campaign=parse_campaign_id(asked.campaign) if asked.campaign else None,
        clause=_clause(asked.clause) if asked.clause else None,
        events=_events(asked.event),
        since=since,
        until=until,
        oldest_first=asked.oldest_first,
        limit=asked.limit + 1,
    )


def _items(name: str, site: Site | None) -> frozenset[str]:
    from transfer.store.item_names import items_named

    if site is None:
        raise Misuse(
            "A published log has no names, so files cannot be looked for by theirs.",
            advice="Ask for the file's --sha256 or its --item, or look in the gateway's workspace.",
        )
    with site.db.read() as tx:
        return items_named(tx, name)


def _person(given: str, site: Site | None) -> str:
    from transfer.cli.names import names_of
    from transfer.model.query import parse_pseudonym

    pseudonym = parse_pseudonym(given)
    if pseudonym is not None:
        return pseudonym
    if site is None:
        raise Misuse(
            "A published log has no names, so people cannot be looked for by theirs.",
            advice="Give the person's pseudonym, u_ and at least 8 digits; the gateway's `people list` has them.",
        )
    return _called(given, names_of(site))


def _called(given: str, names: Mapping[str, str]) -> str:
    exactly = [person for person, name in names.items() if name == given]
    nearly = exactly or [person for person, name in names.items() if _folded(name) == _folded(given)]
    if len(nearly) > 1:
        raise Misuse(f"Several people are called {given[:80]!a}.", advice="Write the name as `people list` has it.")
    if not nearly:
        raise NotSo(
            f"Nobody is known here by the name {given[:80]!a}.",
            advice="`transfer people list` has the names; whose name was erased is found by the pseudonym only.",
        )
    return nearly[0]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def _clause(given: str) -> str:
    from transfer.policy.clauses import require_clause

    try:
        return require_clause(given.strip().upper())
    except ValueError as error:
        sentence = str(error)
        raise Misuse(
            f"{sentence[0].upper()}{sentence[1:]}.", advice="`transfer policy show` has their titles."
        ) from error


def _events(given: Iterable[str]) -> tuple[str, ...]:
    from transfer.model.events import EventName
    from transfer.model.spelling import nearest

    known = [name.value for name in EventName]
    wanted: dict[str, None] = {}
    for one in given:
        group = [name for name in known if name == one or name.startswith(f"{one}.")]
        if not group:
            near = nearest(one, known)
            raise Misuse(
                f"There is no event {one[:40]!a}.",
                advice=f"Did you mean {near}?" if near else "docs/formats/log.md lists them.",
            )
        wanted |= dict.fromkeys(group)
    return tuple(wanted)


def _moment(given: str, *, end: bool) -> str | None:
    """A time as the log writes it; a day is meant whole, from its first millisecond to its last."""
    from transfer.model.clock import render_time

    if not given:
        return None
    try:
        day = date.fromisoformat(given)
    except ValueError:
        day = None
    try:
        if day is not None:
            moment = datetime.combine(day, time.min, UTC)
            moment += timedelta(days=1) - _MILLISECOND if end else timedelta()
        else:
            moment = datetime.fromisoformat(given)
        return render_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise Misuse(f"{given[:40]!a} is no time.", advice=_WRITE_IT) from error

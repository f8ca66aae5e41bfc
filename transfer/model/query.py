"""What to look for in the transfer log, and whether an entry is that. Pure.

What enters: criteria, checked by whoever asks. What leaves: yes or no for the facets of an entry. A database answers
the same through its index (`store.journal_search`); tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from transfer.errors import Misuse
from transfer.model.facets import CLAUSE, ITEM, PERSON, Facets

LEAST_DIGITS = 8  # of a hash or a pseudonym: fewer fit by chance

_HASH = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")
_PSEUDONYM = re.compile(rf"u_[0-9a-f]{{{LEAST_DIGITS},32}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for; everything given must fit.

    `item`: entries of it, and statements about it. `items`: the same for any of several. `sha256` (the whole or its
    beginning): entries that name the file, and all about the items in which it occurs: `lives`, where the other shards
    of the log were asked for them too. `person` (a pseudonym or its beginning): entries by and about them. `clause`:
    entries with a reason that cites it. `since` and `until` are times as the log writes them, both inclusive. At most
    `limit` entries, the newest first unless `oldest_first`.
    """

    item: str | None = None
    items: frozenset[str] | None = None
    sha256: str | None = None
    lives: frozenset[str] | None = None
    person: str | None = None
    campaign: str | None = None
    clause: str | None = None
    events: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    oldest_first: bool = False
    limit: int = 1000


def fits(facets: Facets, query: Query, *, lives: AbstractSet[str] = frozenset()) -> bool:
    """Whether everything given fits. `lives` are the items in which the file of `query.sha256` occurs."""
    return (
        (not query.events or facets.event in query.events)
        and (query.since is None or facets.at >= query.since)
        and (query.until is None or facets.at <= query.until)
        and (query.campaign is None or facets.campaign == query.campaign)
        and (query.clause is None or CLAUSE + query.clause in facets.tags)
        and (query.item is None or _about(facets, {query.item}))
        and (query.items is None or _about(facets, query.items))
        and (query.sha256 is None or (facets.sha256 or "").startswith(query.sha256) or _about(facets, lives))
        and (query.person is None or _with_person(facets, query.person))
    )


def parse_hash(untrusted: str) -> str:
    """The SHA-256 of a file or its beginning, as `sha256sum` or a table of ours shows it. Raises Misuse."""
    text = untrusted.strip().lower().removesuffix("…")
    if _HASH.fullmatch(text) is None:
        raise Misuse(
            f"{untrusted[:80]!a} is no SHA-256 and no beginning of one:",
            advice=f"give at least its first {LEAST_DIGITS} hexadecimal digits, as sha256sum prints them.",
        )
    return text


def parse_pseudonym(untrusted: str) -> str | None:
    """A pseudonym or its beginning; None for what is none, such as a name. Raises Misuse for a beginning too short."""
    text = untrusted.strip().removesuffix("…")
    if _PSEUDONYM.fullmatch(text):
        return text
    if re.fullmatch(r"u_[0-9a-f]*", text):
        raise Misuse(
            f"{untrusted[:80]!a} is too short or too long for a pseudonym:",
            advice=f"give u_ and at least {LEAST_DIGITS} of its 32 digits.",
        )
    return None


def _about(facets: Facets, items: AbstractSet[str]) -> bool:
    return facets.item in items or any(
        tag.removeprefix(ITEM) in items for tag in facets.tags if tag.startswith(ITEM)
    )  # fmt: skip


def _with_person(facets: Facets, person: str) -> bool:
    return (facets.by or "").startswith(person) or any(tag.startswith(PERSON + person) for tag in facets.tags)

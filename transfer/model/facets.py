"""Facets: by what an entry of the transfer log is found. Pure.

What enters: the body of a leaf, and the campaign of its item's entry before. What leaves: what an index says about the
entry. One function for appending, rebuilding, verifying and searching, so the index is nothing but the log, sorted.

    item, sha256, by, event, at   the leaf's own fields
    campaign                      the one it names, else that of its item's entry before
    clause:G5                     a reason of it cites this clause
    person:u_…                    it is about this person (`by` is a field of its own)
    item:i-…                      it is about this item too, as a signed statement is

An item's first entries name its campaign, the later ones need not: each inherits it. Keys that are not known are
passed over (all identifiers are ASCII), and nothing here raises: whatever is in the log can be found somehow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

CLAUSE, PERSON, ITEM = "clause:", "person:", "item:"

_PSEUDONYM = re.compile(r"u_[0-9a-f]{32}")
_REMEMBERED_ITEMS = 1 << 18
_NOTHING: Mapping[str, Any] = {}


class Facets(NamedTuple):
    """What is known of one entry without reading it. `tags` are sorted."""

    event: str
    at: str
    item: str | None
    sha256: str | None
    by: str | None
    campaign: str | None
    tags: tuple[str, ...]


def facets_of(body: Mapping[str, Any], *, inherited: str | None) -> Facets:
    """The facets of a leaf whose fixed fields were checked; `inherited` is the campaign of its item's entry before."""
    file, facts = body.get("file"), body.get("facts")
    sha256 = file.get("sha256") if isinstance(file, Mapping) else None
    item, by = body.get("item"), body.get("by")
    campaign, tags = _named(facts, item, by) if isinstance(facts, Mapping) and facts else (None, ())
    return Facets(
        body["event"],
        body["at"],
        item,
        sha256 if isinstance(sha256, str) else None,
        by,
        campaign if campaign is not None or item is None else inherited,
        tags,
    )


def stated(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the signed statement in these facts says, its signature not checked; empty if there is none."""
    note = facts.get("statement")
    lines = note.split("\n", 2) if isinstance(note, str) else []
    if len(lines) != 3:
        return _NOTHING
    try:
        body = json.loads(lines[1])
    except (ValueError, RecursionError):
        return _NOTHING
    return body if isinstance(body, dict) else _NOTHING


class Inheritance:
    """Gives the facets of entries that come in the order of the log.

    `look` is asked for the campaign of an earlier entry by its number, where an item was not seen yet or so many others
    lie between that it was forgotten.
    """

    def __init__(self, look: Callable[[int], str | None], *, remembered: int = _REMEMBERED_ITEMS) -> None:
        self._look = look
        self._remembered = remembered
        self._campaigns: dict[str, str | None] = {}

    def facets(self, body: Mapping[str, Any]) -> Facets:
        """Of the next entry."""
        item = body.get("item")
        if not isinstance(item, str):
            return facets_of(body, inherited=None)
        inherited = self._campaigns.pop(item) if item in self._campaigns else self._before(body)
        facets = facets_of(body, inherited=inherited)
        self._campaigns[item] = facets.campaign
        if len(self._campaigns) > self._remembered:
            del self._campaigns[next(iter(self._campaigns))]
        return facets

    def _before(self, body: Mapping[str, Any]) -> str | None:
        previous = body.get("prev")
        index = previous.get("i") if isinstance(previous, Mapping) else None
        return self._look(index) if isinstance(index, int) else None


def _named(facts: Mapping[str, Any], item: object, by: object) -> tuple[str | None, tuple[str, ...]]:
    """The campaign that the facts name, and the tags. Every entry passes here when a database is verified."""
    tags: set[str] = set()
    if "clauses" in facts or "reasons" in facts:
        tags.update(CLAUSE + clause for clause in _clauses(facts))
    campaign = facts.get("campaign")
    for source in (facts, stated(facts)) if "statement" in facts else (facts,):
        for key, value in source.items():
            if key in {"item", "items"}:
                tags.update(ITEM + named for named in _items(value) if named != item)
            elif isinstance(value, str):
                if _is_pseudonym(value) and value != by:
                    tags.add(PERSON + value)
            elif isinstance(value, list | tuple):
                tags.update(PERSON + one for one in value if _is_pseudonym(one) and one != by)
        campaign = source.get("campaign") if campaign is None else campaign
    if not (isinstance(campaign, str) and campaign.isascii()):
        campaign = None
    return campaign, tuple(sorted(tag for tag in tags if tag.isascii())) if tags else ()


def _is_pseudonym(value: object) -> bool:
    return isinstance(value, str) and len(value) == 34 and _PSEUDONYM.fullmatch(value) is not None


def _clauses(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(facts.get("clauses"))
    reasons = facts.get("reasons")
    if isinstance(reasons, list | tuple):
        for reason in reasons:
            if isinstance(reason, Mapping):
                yield from _texts(reason.get("clauses"))


def _items(value: object) -> Iterator[str]:
    """Identifiers as they are, or in pairs with the digest of their file, as statements have them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            if isinstance(one, list | tuple):
                yield from _texts(one[:1])
            elif isinstance(one, str):
                yield one


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        yield from (text for text in value if isinstance(text, str))

"""Names for pseudonyms, where a person reads: records and log know pseudonyms only, the directory may know a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transfer.wiring import Site

_PSEUDONYM = re.compile(r"u_[0-9a-f]{32}")


def names_of(site: Site) -> dict[str, str]:
    """The names that are still known, by pseudonym. Raises Tampered, Unavailable."""
    with site.db.read() as tx:
        return {row.person: row.name for row in site.desk.directory.people(tx) if row.name}


def called(person: str | None, names: Mapping[str, str]) -> str:
    """The name, or the pseudonym where nobody knows one any more."""
    return "" if person is None else names.get(person, person)


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A sentence about pseudonyms as one about people."""
    return _PSEUDONYM.sub(lambda found: names.get(found[0], found[0]), text)


def has_pseudonym(text: str) -> bool:
    """Whether there is anybody to be named."""
    return _PSEUDONYM.search(text) is not None

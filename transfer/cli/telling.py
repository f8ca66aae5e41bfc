"""What a sentence about an entry of the transfer log is made of: its facts, who, and the names that are still kept.

What enters: an entry, from our own database or from an untrusted folder. What leaves: parts of sentences, which may
hold what people wrote: whoever prints them makes them safe for a terminal (`output.shown`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from transfer.cli.names import called
from transfer.cli.output import readable_size

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry

ERASED = "(erased)"

_PSEUDONYM = re.compile(r"u_[0-9a-f]{32}")

Facts = Mapping[str, Any]


class Telling:
    """What a sentence is made of: facts, file, who, and a name (of a file, a person or a device) where it is kept."""

    def __init__(self, entry: ShownEntry, names: Mapping[str, str]) -> None:
        body = entry.leaf.body
        facts, file = body.get("facts"), body.get("file")
        self.facts: Facts = facts if isinstance(facts, Mapping) else {}
        self.file: Facts = file if isinstance(file, Mapping) else {}
        self.by = called(entry.leaf.by, names)
        self.name = name_in(entry)

    def get(self, key: str) -> str:
        """A fact as words; `?` where the entry lacks it, as one of another version may."""
        value = self.facts.get(key)
        return "?" if value is None else str(value)

    @property
    def size(self) -> str:
        """Of the file."""
        size = self.file.get("bytes")
        return readable_size(size) if isinstance(size, int) else "unknown size"

    @property
    def quoted(self) -> str:
        """The name, as something that somebody wrote; nothing where there is none."""
        return f" «{self.name}»" if self.name and self.name != ERASED else f" {self.name}".rstrip()

    @property
    def by_whom(self) -> str:
        """` by NAME`, or nothing."""
        return f" by {self.by}" if self.by else ""


def name_in(entry: ShownEntry) -> str:
    """The name that an entry commits to, `(erased)` where nobody can open it any more; empty where there is none.

    Of an entry that was read without the gateway's openings, none is known and none is said to be erased.
    """
    name = entry.private.get("name") or entry.private.get("label") or ""
    return name or (ERASED if entry.erased and entry.openings else "")


def reason_in(entry: ShownEntry) -> str:
    """Why, in somebody's own words, where they gave any and they are kept."""
    return next((entry.private[key] for key in ("reason", "note", "ground") if entry.private.get(key)), "")


def reasons(facts: Facts, severity: str | None = None) -> str:
    """The rules that spoke, each with its clauses: `rules approval [G1, G3]; no-markings [G6]`."""
    given = facts.get("reasons")
    listed = [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
    said = dict.fromkeys(
        f"{each.get('rule')} [{', '.join(map(str, each.get('clauses') or ()))}]"
        for each in listed
        if severity is None or each.get("severity") == severity
    )
    return f"rule{'s' if len(said) > 1 else ''} {'; '.join(said)}" if said else clauses(facts)


def clauses(facts: Facts) -> str:
    """`[G5]`, for facts that cite clauses without a rule."""
    cited = facts.get("clauses")
    return f"[{', '.join(map(str, cited))}]" if isinstance(cited, list) and cited else ""


def shortened(text: str) -> str:
    """With the beginnings of pseudonyms, which searching takes too, in place of whole ones."""
    return _PSEUDONYM.sub(lambda found: f"{found[0][:10]}…", text)


def plain(text: str) -> Callable[[Telling], str]:
    """Words with facts in braces; `{by}` is ` by NAME`, `{name}` the name."""

    def tell(told: Telling) -> str:
        return text.format_map(_Filled(told))

    return tell


class _Filled(dict[str, str]):
    def __init__(self, told: Telling) -> None:
        super().__init__(by=told.by_whom, name=told.quoted)
        self._told = told

    def __missing__(self, key: str) -> str:
        return self._told.get(key.removesuffix("_8"))[: 8 if key.endswith("_8") else None]

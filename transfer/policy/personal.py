"""`[personal]` and `[[label]]` of a policy file: which personal data is looked for, and what sensitivity labels mean.

What enters: parsed TOML. What leaves: frozen tables, checked, or a sentence that says what to write instead. A student
number's pattern runs over untrusted text, so it may hold only what can be matched in one pass: see `check_pattern`.
"""

from __future__ import annotations

import re
from typing import Annotated

import phonenumbers
from pydantic import AfterValidator, Field

from transfer.errors import Misuse
from transfer.model.search import NATIONAL_IDS, Label, PersonalKind
from transfer.policy.known import one_of
from transfer.policy.rules import Personal
from transfer.strict_toml import Document, StrictModel

MAX_PATTERN, MAX_MATCH = 80, 40  # characters of a pattern, and of what it can match
_MAX_VARIABLE = 2  # parts of variable length: with more of them the ways to match multiply

# One part: a letter, digit or joint, \d, an escaped sign, or a set such as [A-Z0-9]; then how often.
_PART = re.compile(
    r"(?:[A-Za-z0-9/_ -]|\\d|\\[.\-/]|\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?)+\])(?:\{(\d{1,2})(?:,(\d{1,2}))?\}|(\?))?"
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DOMAIN = r"@(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z]{2,24}"
_ALLOWED = re.compile(rf"(?:[a-z0-9._%+-]{{1,64}})?{_DOMAIN}|\+[1-9][0-9 ()-]{{5,24}}[0-9]", re.IGNORECASE)


def check_pattern(pattern: str) -> str:
    """The pattern itself, if it is simple enough to be safe. Raises ValueError with a sentence.

    Allowed are letters, digits, blank, `_`, `-`, `/`, `\\d`, `\\.` and sets such as `[A-Z]`, each followed by `{7}`,
    `{6,8}` or `?` if wanted. It has to ask for a digit, and to match 4 to 40 characters, so that it finds no words.
    """
    at, least, most, variable = 0, 0, 0, 0
    while at < len(pattern) and len(pattern) <= MAX_PATTERN:
        part = _PART.match(pattern, at)
        if part is None:
            break
        low = 0 if part[3] else int(part[1] or 1)
        high = int(part[2]) if part[2] else low if part[1] else 1
        if high < low or not high:
            break
        at, least, most, variable = part.end(), least + low, most + high, variable + (low != high)
    if at < len(pattern) or not pattern:
        raise ValueError(
            f"the pattern {pattern!a} cannot be used from its character {at + 1} on; a pattern is made of letters, "
            r"digits, \d and sets such as [A-Z], each followed by {7}, {6,8} or ? if wanted, as in 's\d{7}'"
        )
    if not 4 <= least <= most <= MAX_MATCH or variable > _MAX_VARIABLE:
        raise ValueError(
            f"the pattern {pattern!a} matches {least} to {most} characters with {variable} parts of variable length; "
            f"it may match 4 to {MAX_MATCH} with at most {_MAX_VARIABLE}"
        )
    if not re.search(r"\\d|\[[^]]*[0-9]|[0-9](?![^{]*\})", pattern):
        raise ValueError(f"the pattern {pattern!a} asks for no digit, so it would find words")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern {pattern!a} is not well formed ({error})") from None
    return pattern


def _region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f'a region is two capitals such as "GB" (ISO 3166), not {value!a}')
    return value


def _country(value: str) -> str:
    if value not in NATIONAL_IDS:
        raise ValueError(
            f"no identifiers are known that people in {value!a} carry; there are those of {', '.join(NATIONAL_IDS)}"
        )
    return value


def _allowed(value: str) -> str:
    if len(value) > 200 or _ALLOWED.fullmatch(value) is None:
        raise ValueError(
            f"an allowed address is an e-mail address, a domain such as @university.example or a telephone number with "
            f"its country code such as +44 1632 960000, not {value!a}"
        )
    return value


def _guid(value: str) -> str:
    guid = value.strip("{}").lower()
    if _GUID.fullmatch(guid) is None:
        raise ValueError(
            f"a label's id is a GUID such as 9d258917-277f-42cd-a3cd-14c4e9ee58bc, not {value!a}; "
            "the compliance portal shows it, and so does Get-Label of PowerShell"
        )
    return guid


Kinds = Annotated[
    tuple[Annotated[PersonalKind, one_of(PersonalKind, "kind of personal data")], ...], Field(strict=False)
]
Regions = Annotated[tuple[Annotated[str, AfterValidator(_region)], ...], Field(strict=False, max_length=16)]
Countries = Annotated[tuple[Annotated[str, AfterValidator(_country)], ...], Field(strict=False, max_length=64)]
Patterns = Annotated[tuple[Annotated[str, AfterValidator(check_pattern)], ...], Field(strict=False, max_length=32)]
Addresses = Annotated[tuple[Annotated[str, AfterValidator(_allowed)], ...], Field(strict=False, max_length=256)]
LabelName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[ -~]+$")]


class PersonalTable(StrictModel):
    """`[personal]`: what is looked for in captions, subtitles and names."""

    look_for: Kinds = ()
    telephone_regions: Regions = ()
    countries: Countries = ()
    student_numbers: Patterns = ()
    allowed: Addresses = ()


class PicturesTable(StrictModel):
    """`[pictures]`: whether words in pictures and films are read and searched."""

    read_text: bool = False


class LabelTable(StrictModel):
    """`[[label]]`: one sensitivity label of the site."""

    id: Annotated[str, AfterValidator(_guid)]
    name: LabelName
    public: bool

    def label(self) -> Label:
        """The same as a part of the policy."""
        return Label(guid=self.id, name=self.name, public=self.public)


def labels_of(tables: tuple[LabelTable, ...], document: Document, *, base: tuple[Label, ...] = ()) -> tuple[Label, ...]:
    """The labels of the base and of the file, by their ids. Raises Misuse if a label stands there twice.

    What a label of the site means is the site's to say, so an overlay adds any; it cannot give one of the base another
    meaning.
    """
    labels = {label.guid: label for label in base}
    for number, table in enumerate(tables):
        if table.id in labels:
            raise Misuse(
                f"{document.place(('label', number, 'id'))}: the label {table.id} has its meaning already, "
                f"«{labels[table.id].name}».",
                advice="Name each label once.",
            )
        labels[table.id] = table.label()
    return tuple(labels.values())


def personal_of(table: PersonalTable, *, base: Personal | None = None) -> Personal:
    """What the table has looked for, besides what the base does."""
    before = base if base is not None else Personal()
    return Personal(
        kinds=tuple(kind for kind in PersonalKind if kind in before.kinds + table.look_for),
        regions=_union(before.regions, table.telephone_regions),
        countries=_union(before.countries, table.countries),
        student_numbers=_union(before.student_numbers, table.student_numbers),
        allowed=_union(before.allowed, tuple(address.lower() for address in table.allowed)),
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one + other))

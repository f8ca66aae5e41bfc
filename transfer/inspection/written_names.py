"""What can be told of any text without a library: e-mail addresses and student numbers. Pure.

What enters: an untrusted text or a file's name, the policy's patterns and its allowed addresses. What leaves: how many
different ones stand there, never which. `readable` is the form in which texts are searched for personal data.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from transfer.inspection.noticed import noticed
from transfer.model.findings import Code, Finding
from transfer.model.marks import MAX_TEXT
from transfer.model.search import PersonalKind, Search

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_SPELLED_AT = re.compile(r"[ \t]?[\[({][ \t]?(?:at|@)[ \t]?[\])}][ \t]?", re.IGNORECASE)
_SPELLED_DOT = re.compile(r"[ \t]?[\[({][ \t]?(?:dot|\.)[ \t]?[\])}][ \t]?", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@((?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})(?![\w@])")

STUDENT_NUMBERS = "student numbers"
EMAILS = "e-mail addresses"


def readable(untrusted: str) -> str:
    """The text as a reader takes it: compatibility forms folded, nothing invisible in it, one kind of dash."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", untrusted[:MAX_TEXT]))
    return _DASHES.sub("-", text) if not text.isascii() else text


def emails_in(text: str, allowed: tuple[str, ...]) -> int:
    """Different addresses in a readable text that the policy does not allow; `jo (at) example (dot) org` is one too."""
    if "(" in text or "[" in text or "{" in text:
        text = _SPELLED_DOT.sub(".", _SPELLED_AT.sub("@", text))
    if "@" not in text:
        return 0
    found = {(match.group().lower(), f"@{match[1].lower()}") for match in _EMAIL.finditer(text)}
    return sum(address not in allowed and domain not in allowed for address, domain in found)


def student_numbers_in(text: str, patterns: tuple[str, ...]) -> int:
    """Different matches of the policy's patterns, each as a whole word, in a readable text."""
    return len({match.group().lower() for pattern in patterns for match in _compiled(pattern).finditer(text)})


def personal_in_name(name: str, search: Search) -> tuple[Finding, ...]:
    """Personal data in a file's or folder's name. Telephone numbers are not among it: cameras number their files."""
    text = readable(name)
    stem = text.rpartition(".")[0] or text  # or `jo@example.org.jpg` would end in a domain called jpg
    found = {STUDENT_NUMBERS: student_numbers_in(stem, search.student_numbers)}
    if PersonalKind.EMAIL in search.personal:
        found[EMAILS] = emails_in(stem, search.allowed)
    return personal_findings(found, where="name")


def personal_findings(found: dict[str, int], *, where: str) -> tuple[Finding, ...]:
    """One finding for each kind of which there is any: its kind and how many, never what."""
    return tuple(
        noticed(Code.PERSONAL_DATA, kind=kind, count=count, where=where) for kind, count in found.items() if count
    )


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", re.IGNORECASE | re.ASCII)

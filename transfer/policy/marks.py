"""Protective markings, found as words. Pure.

What enters: an untrusted text or a file's safe name, and the policy's marks. What leaves: the marks that stand in it,
spelled as in the policy.

The rules, which `policies/README.md` gives in words: a mark counts as a whole word or words, however its words are
joined (blank, hyphen, underscore, dot), in full-width letters too and with invisible characters in between. A mark
that the policy lists in lower case counts in any case; one in CAPITALS counts in capitals only, unless `names` says
that the text is a file's name, where people seldom write capitals.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 1_000_000  # characters of one text that are searched

_JOINTS = re.compile(r"[\s\-_/:.|\u2010-\u2015\u2212]+")


def find_marks(untrusted: str, marks: tuple[str, ...], *, names: bool = False) -> tuple[str, ...]:
    """The marks found, each once, in the policy's order."""
    as_spelled = _words(untrusted[:MAX_TEXT])
    any_case = as_spelled.casefold()
    found: list[str] = []
    for mark in marks:
        words = _words(mark)
        loose = names or mark != mark.upper()
        if words.strip() and _stands_in(words.casefold() if loose else words, any_case if loose else as_spelled):
            found.append(mark)
    return tuple(dict.fromkeys(found))


def _words(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    return " " + _JOINTS.sub(" ", text).strip(" ") + " "


def _stands_in(padded_words: str, text: str) -> bool:
    """Whole words: what stands on either side is no letter and no digit."""
    words = padded_words.strip(" ")
    start = text.find(words)
    while start >= 0:
        if not text[start - 1].isalnum() and not text[start + len(words)].isalnum():
            return True
        start = text.find(words, start + 1)
    return False

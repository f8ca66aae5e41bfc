"""Protective markings, found as words: in file names, in texts, in metadata. Pure.

What enters: an untrusted text and the policy's marks. What leaves: those that stand in it, spelled as in the policy.

The rules, which `policies/README.md` gives in words: a mark counts as a whole word or words, however its words are
joined (blank, hyphen, underscore, dot, line end), in full-width letters too, with accents or underlining added and
with invisible characters strewn in: whatever a reader would still read as the mark. A mark that the policy lists in
lower case counts in any case; one in CAPITALS counts in capitals only («a secret garden» is not SECRET), unless
`names` says that the text is a file's name, where people seldom write capitals.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MAX_TEXT = 1_000_000  # characters of one text that are searched

_JOINTS = "-_/:.|\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_ASCII = {code: None for code in range(128) if not chr(code).isprintable() and not chr(code).isspace()} | dict.fromkeys(
    map(ord, _JOINTS[:6]), " "
)
_FEW = 32
_UNREAD = {"Mn", "Me", "Cf", "Cc", "Co", "Cn", "Cs"}  # marks upon letters, and what cannot be seen
_INVISIBLE_LETTERS = {0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}


def find_marks(untrusted: str, marks: tuple[str, ...], *, names: bool = False) -> tuple[str, ...]:
    """The marks found, each once, in the policy's order."""
    if not marks:
        return ()
    as_spelled = f" {_words(untrusted[:MAX_TEXT])} "
    any_case = as_spelled.casefold()
    found = [
        mark
        for mark, words, loose in _prepared(marks, names)
        if words in (text := any_case if loose else as_spelled) and _stands_in(words, text)
    ]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=16)  # a policy's marks, for names and for texts
def _prepared(marks: tuple[str, ...], names: bool) -> tuple[tuple[str, str, bool], ...]:
    """Each mark with the words to be looked for, and whether they count in any case; without those that have none."""
    loose = ((mark, names or mark != mark.upper()) for mark in marks)
    spelled = ((mark, _words(mark).strip(), any_case) for mark, any_case in loose)
    return tuple(
        (mark, words.casefold() if any_case else words, any_case) for mark, words, any_case in spelled if words
    )


def _words(text: str) -> str:
    if text.isascii():  # most metadata: several times as fast, to the same result
        return " ".join(text.translate(_ASCII).split())
    text = unicodedata.normalize("NFKD", text)
    for joint in _JOINTS:
        text = text.replace(joint, " ")
    unread = [character for character in set(text) if _is_unread(character)]
    if len(unread) > _FEW:
        text = text.translate(dict.fromkeys(map(ord, unread)))
    else:
        for character in unread:
            text = text.replace(character, "")
    return " ".join(text.split())


def _is_unread(character: str) -> bool:
    if character.isspace():
        return False
    return unicodedata.category(character) in _UNREAD or ord(character) in _INVISIBLE_LETTERS


def _stands_in(words: str, text: str) -> bool:
    """Whole words: what stands on either side is no letter and no digit."""
    start = text.find(words)
    while start >= 0:
        if not text[start - 1].isalnum() and not text[start + len(words)].isalnum():
            return True
        start = text.find(words, start + 1)
    return False

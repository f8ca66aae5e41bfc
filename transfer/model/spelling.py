"""Did you mean …: the known word that a mistyped one was probably meant to be. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LIKENESS = 0.6  # of 1: below this a suggestion confuses more than it helps


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest of the known words, or None if none is near. Upper and lower case do not count."""
    spelled = {candidate.lower(): candidate for candidate in sorted(known)}
    found = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=_LIKENESS)
    return spelled[found[0]] if found else None

"""Items by what staff called their files: a part of the name, as people remember it.

What enters: an open transaction and some letters. What leaves: identifiers. Names are looked at where they are kept, in
the register; the log has none, and of an erased name nothing is found.
"""

from __future__ import annotations

import unicodedata

from sqlalchemy import select

from transfer.store.database import ReadTx
from transfer.store.items import ITEM
from transfer.store.prepared import Prepared

_SELECT_NAMES = Prepared(select(ITEM.c.item, ITEM.c.name))


def items_named(tx: ReadTx, part: str) -> frozenset[str]:
    """The items with this in their name, upper and lower case alike, however the letters are composed."""
    wanted = _folded(part)
    return frozenset(item for item, name in _SELECT_NAMES.rows(tx) if wanted in _folded(name))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())

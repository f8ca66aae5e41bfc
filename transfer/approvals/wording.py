"""Free text behind a digest: what people write may be personal, so a statement names it only by a salted digest. Pure.

What enters: text from a command line or a form. What leaves: that text without control or direction characters, and a
digest that says nothing about it to whoever does not have the salt. Text and salt are kept in an erasable table; once
they are gone the signed statement still verifies, and nobody can find out what it said by guessing.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from transfer.audit.canonical import render_canonical
from transfer.errors import Misuse
from transfer.model.identifiers import Sha256

MAX_TEXT = 2000
MAX_NAME = 80
_SALT_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text with its salt (32 hex digits) and the digest that statements name it by."""

    digest: Sha256
    salt: str
    text: str


def clean_text(untrusted: str, *, limit: int = MAX_TEXT) -> str:
    """The text in one line, NFC, without control and direction characters. Raises Misuse if it is longer than that."""
    kept = "".join(_plain(character) for character in unicodedata.normalize("NFC", untrusted))
    text = unicodedata.normalize("NFC", " ".join(kept.split()))
    if len(text) > limit:
        raise Misuse(f"This text has {len(text)} characters; up to {limit} are kept.", advice="Say it more briefly.")
    return text


def clean_name(untrusted: str) -> str:
    """A person's or a device's name. Raises Misuse if nothing is left of it or it is too long."""
    name = clean_text(untrusted, limit=MAX_NAME)
    if not name:
        raise Misuse("A name needs at least one character that can be seen.")
    return name


def salted(text: str, *, entropy: Callable[[int], bytes]) -> Words:
    """The words with a fresh salt. `text` is cleaned already."""
    salt = entropy(_SALT_BYTES).hex()
    return Words(digest=words_digest(salt, text), salt=salt, text=text)


def words_digest(salt: str, text: str) -> Sha256:
    """SHA-256 of the canonical JSON `["<salt>","<text>"]`."""
    return Sha256(hashlib.sha256(render_canonical([salt, text])).hexdigest())


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp", "Zs"}:
        return " "
    return "" if category.startswith("C") else character

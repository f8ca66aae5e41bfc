"""A sender's file name becomes a `SafeName` once, at the door; nothing else is ever built into a path, page or line.

What enters: the raw bytes of a file name, in any encoding, as hostile as it likes.
What leaves: a name that is safe on every file system and in every terminal, as near to the original as that allows.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARACTERS = 100
MAX_BYTES = 180  # of UTF-8: leaves room for an added number and a temporary prefix below the usual 255

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.|$)", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,11}")
_PLACEHOLDER = "unnamed"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class SafeName:
    """A single path component: NFC, printable, no separators, no direction marks, no leading dot or dash.

    `text` is at most 100 characters and 180 bytes of UTF-8. Built with `safe_name` or `parse_safe_name` only.
    """

    text: str

    def __post_init__(self) -> None:
        if not _is_safe(self.text):
            raise ValueError("a SafeName is made by safe_name() or parse_safe_name()")

    def __str__(self) -> str:
        return self.text

    @property
    def suffix(self) -> str:
        """The extension with its dot, in lower case, or an empty string."""
        return _split(self.text)[1].lower()

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return _split(self.text)[0]

    def with_suffix(self, suffix: str) -> SafeName:
        """The same name with another extension, such as `.jpg`."""
        return _fit(self.stem, suffix)

    def numbered(self, number: int) -> SafeName:
        """The same name with a number before its extension: `photo-2.jpg`."""
        return _fit(self.stem, _split(self.text)[1], f"-{number}")


def safe_name(untrusted: bytes | str) -> SafeName:
    """The safe form of a sender's file name; never fails, and gives a safe name back unchanged."""
    text = untrusted.decode("utf-8", "replace") if isinstance(untrusted, bytes) else _replace_surrogates(untrusted)
    if not _is_plain(text):
        # Normalised after the invisible characters are gone: what they kept apart may compose.
        text = unicodedata.normalize("NFC", "".join(_safe_character(character) for character in text))
    text = _SPACES.sub(" ", _FORBIDDEN.sub("_", text))
    return _fit(*_split(text.lstrip(".-~ ").rstrip(". ")))


def parse_safe_name(text: str) -> SafeName:
    """A name that must be safe already, such as one from our own records. Raises ValueError."""
    return SafeName(text)


@lru_cache(maxsize=_REMEMBERED)  # the same names come back from the register again and again
def _is_safe(text: str) -> bool:
    return (
        0 < len(text) <= MAX_CHARACTERS
        and (_is_plain(text) or all(_safe_character(character) == character for character in text))
        and not _FORBIDDEN.search(text)
        and text == unicodedata.normalize("NFC", text)
        and len(text.encode()) <= MAX_BYTES
        and text[0] not in ".-~ "
        and text[-1] not in ". "
        and "  " not in text
        and not _split(text)[0].endswith(" ")
        and not _RESERVED.match(text)
    )


def _is_plain(text: str) -> bool:
    """Whether no single character needs a look: most names are ASCII."""
    return text.isascii() and text.isprintable()


def _safe_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cf", "Cs", "Co", "Cn"}:  # direction and zero-width marks, surrogates, private, unassigned
        return ""
    if category in {"Cc", "Zl", "Zp"}:
        return "_"
    if category == "Zs":
        return " "
    return character


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _split(text: str) -> tuple[str, str]:
    stem, dot, last = text.rpartition(".")
    suffix = dot + last
    if stem and _SUFFIX.fullmatch(suffix):
        return stem, suffix
    return text, ""


def _fit(stem: str, suffix: str, number: str = "") -> SafeName:
    tail = number + suffix
    stem = _trim(stem, tail)
    if _RESERVED.match(stem + tail):
        stem = "_" + stem
    stem = stem[: MAX_CHARACTERS - len(tail)]
    while len((stem + tail).encode()) > MAX_BYTES:
        stem = stem[:-1]
    stem = _trim(stem, tail)
    shorter, last = _split(stem) if not tail else (stem, "")
    if last and shorter.endswith(" "):  # cutting has made an extension of what was too long for one
        return _fit(shorter, last)
    return SafeName(stem + tail)


def _trim(stem: str, tail: str) -> str:
    return stem.rstrip(" " if tail else " .") or _PLACEHOLDER

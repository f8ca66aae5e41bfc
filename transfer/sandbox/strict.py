"""Reading messages that a child may have forged: one accepted spelling, stated maxima, nothing left over.

What enters: untrusted bytes. What leaves: integers, lists and printable ASCII within bounds, or `Malformed`. A message
is canonical JSON: ASCII, keys sorted, no spaces, no floats; the reader renders what it understood and compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn

MAX_MESSAGE = 65536  # bytes, either way
LARGEST = 2**53 - 1
LONGEST = 120  # characters of any text that a child may write

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_WORD = re.compile(r"[a-z][a-z0-9_.+-]{0,47}")


class Malformed(ValueError):
    """The bytes are not a message. It never leaves the sandbox package: the pool makes a ChildFault of it."""


def render(value: object) -> bytes:
    """Canonical JSON."""
    return _ENCODER.encode(value).encode("ascii")


def parse_object(untrusted: bytes, *, maximum: int) -> Fields:
    """The fields of one JSON object of at most `maximum` bytes. Raises Malformed."""
    if len(untrusted) > maximum:
        raise Malformed(f"a message of {len(untrusted)} bytes is longer than {maximum}")
    try:
        value = _DECODER.decode(untrusted.decode("ascii"))
        spelled = render(value)
    except (ValueError, RecursionError) as error:
        raise Malformed("not JSON of integers and ASCII") from error
    if spelled != untrusted:  # refuses double keys, spaces and every second spelling
        raise Malformed("not the one accepted spelling")
    return Fields(value)


def clean_text(text: str) -> str:
    """Any text, as a child may report it: printable ASCII, at most 120 characters, `?` for everything else."""
    return "".join(character if " " <= character <= "~" else "?" for character in text[:LONGEST])


def clean_number(number: int) -> int:
    """Any integer, within what a message can carry."""
    return max(-LARGEST, min(LARGEST, int(number)))


def clean_word(word: str) -> str:
    """Any name of a thing (a codec, a stream's kind, a detail) as a message can carry it."""
    lowered = re.sub(r"[^a-z0-9_.+-]", "-", word.lower()[:48])
    return lowered if _WORD.fullmatch(lowered) else ("x" + lowered)[:48]


class Fields:
    """One object's fields, each taken once by its name and type; `done` refuses any that was not asked for."""

    def __init__(self, untrusted: object) -> None:
        if not isinstance(untrusted, dict):
            raise Malformed("an object was expected")
        self._left: dict[str, object] = dict(untrusted)

    def number(self, name: str, *, least: int = 0, most: int = LARGEST) -> int:
        """An integer within these bounds, both included."""
        return as_number(self._take(name), least=least, most=most)

    def text(self, name: str, *, longest: int = LONGEST) -> str:
        """Printable ASCII."""
        return as_text(self._take(name), longest=longest)

    def unicode_texts(self, name: str, *, most: int, longest: int) -> tuple[str, ...]:
        """A list of strings of any characters."""
        return tuple(_as_string(value, longest) for value in self.items(name, most=most))

    def word(self, name: str) -> str:
        """A lower-case name."""
        return as_word(self._take(name))

    def items(self, name: str, *, most: int) -> list[object]:
        """A list of at most this many things."""
        value = self._take(name)
        if not isinstance(value, list) or len(value) > most:
            raise Malformed(f"'{name}' is not a list of at most {most}")
        return value

    def named(self, name: str, *, most: int) -> Mapping[str, object]:
        """An object of at most this many names, each a lower-case word."""
        value = self._take(name)
        if not isinstance(value, dict) or len(value) > most:
            raise Malformed(f"'{name}' is not an object of at most {most} names")
        for key in value:
            as_word(key)
        return value

    def fields(self, name: str) -> Fields:
        """Another object's fields."""
        return Fields(self._take(name))

    def fields_or_none(self, name: str) -> Fields | None:
        """Another object's fields, or None where the message says null."""
        value = self._take(name)
        return None if value is None else Fields(value)

    def has(self, name: str) -> bool:
        """Whether there is such a field, not taken yet."""
        return name in self._left

    def done(self) -> None:
        """Every field was taken."""
        if self._left:
            raise Malformed(f"{len(self._left)} fields too many")

    def _take(self, name: str) -> object:
        if name not in self._left:
            raise Malformed(f"'{name}' is missing")
        return self._left.pop(name)


def as_number(value: object, *, least: int = 0, most: int = LARGEST) -> int:
    """An integer (not true or false) within these bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Malformed(f"not a number from {least} to {most}")
    return value


def as_text(value: object, *, longest: int = LONGEST) -> str:
    """Printable ASCII of at most so many characters."""
    text = _as_string(value, longest)
    if _PRINTABLE.fullmatch(text) is None:
        raise Malformed("a text has other characters than printable ASCII")
    return text


def as_word(value: object) -> str:
    """A lower-case name of at most 48 characters."""
    if not isinstance(value, str) or _WORD.fullmatch(value) is None:
        raise Malformed("not a lower-case name")
    return value


def _as_string(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise Malformed(f"not a text of at most {longest} characters")
    return value


def _no_float(_spelling: str) -> NoReturn:
    raise Malformed("a number is not an integer")


# Made once: the ready-made functions of the module build an encoder or a decoder at each call.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)

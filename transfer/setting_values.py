"""Values that several tables of the settings have: sizes, paths, and words out of a list.

What enters: values as TOML has them. What leaves: the same, typed, or ValueError, of which the reader makes a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field

from transfer.errors import Misuse
from transfer.model.spelling import nearest

_Value = TypeVar("_Value")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(value: object) -> object:
    """`"50 MB"` as 50,000,000; a whole number stays as it is. Raises ValueError for another spelling."""
    if not isinstance(value, str):
        return value
    number, _, unit = value.partition(" ")
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS:
        raise ValueError(f"a size is written like «50 MB» or as a number of bytes, not {value!a}")
    return int(number) * _UNITS[unit]


def identified(value: str, parse: Callable[[str], _Value]) -> _Value:
    """What `parse` makes of an identifier. Raises ValueError with its sentence."""
    try:
        return parse(value)
    except Misuse as error:
        raise ValueError(str(error).rstrip(".")) from error


def one_word(known: type[StrEnum]) -> BeforeValidator:
    """A value of an enumeration, with the nearest known one in the message if it is none."""

    def check(value: object) -> object:
        words = [str(member) for member in known]
        if isinstance(value, str) and value in words:
            return known(value)
        near = nearest(str(value), words)
        hint = f"; did you mean {near!a}?" if near else ""
        raise ValueError(f"{value!a} is not one of {', '.join(words)}{hint}")

    return BeforeValidator(check)


ByteSize = Annotated[int, BeforeValidator(parse_size), Field(ge=0, le=2**53)]
PathText = Annotated[str, Field(min_length=1, max_length=1000)]

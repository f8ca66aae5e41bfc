"""Words of a policy file that come from a list of ours. Pure.

What enters: a value out of the file. What leaves: the member of the list, or a sentence with the nearest one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from pydantic import BeforeValidator

from transfer.model.spelling import nearest

Known = TypeVar("Known", bound=StrEnum)


def one_of(known: type[Known], what: str) -> BeforeValidator:
    """A word of this list, or an error that names the nearest one."""

    def check(value: object) -> Known:
        words = [member.value for member in known]
        if isinstance(value, str) and value in words:
            return known(value)
        near = nearest(str(value), words)
        hint = f"; did you mean «{near}»?" if near else f" (there are {', '.join(words)})"
        raise ValueError(f"there is no {what} {value!a}{hint}")

    return BeforeValidator(check)

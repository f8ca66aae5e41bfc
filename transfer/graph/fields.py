"""Single values out of Microsoft Graph's JSON: each function takes anything and answers that value, or raises.

What enters: any bytes, any JSON. What leaves: a value of the type that was asked for, or `Unreadable`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from transfer.graph.faults import Unreadable

Json = Any  # whatever json.loads gives

_LONGEST_ID = 400
_LONGEST_TEXT = 4_096


def parse_json(body: bytes) -> Json:
    """Any JSON document. Raises Unreadable."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise unreadable("is not JSON") from error


def as_object(value: Json, what: str) -> dict[str, Json]:
    """An object. Raises Unreadable, which calls it `what`."""
    if not isinstance(value, dict):
        raise unreadable(f"has something else where {what} should be")
    return value


def optional_object(value: dict[str, Json], key: str) -> dict[str, Json] | None:
    """The object under a key, None where there is none. Raises Unreadable."""
    inner = value.get(key)
    return None if inner is None else as_object(inner, f"`{key}`")


def as_list(value: Json) -> list[Json]:
    """A list. Raises Unreadable."""
    if not isinstance(value, list):
        raise unreadable("has no list where one should be")
    return value


def as_identifier(value: Json) -> str:
    """A text of 1 to 400 characters. Raises Unreadable."""
    text = as_text(value)
    if text is None or len(text) > _LONGEST_ID:
        raise unreadable("has something without an id")
    return text


def as_text(value: Json) -> str | None:
    """A text that can be written down; an empty one counts as none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not _encodes(value):
        raise unreadable("has no text where one should be")
    return value


def as_name(value: Json) -> str | None:
    """A name is whatever somebody typed: what no encoding knows is replaced, so that one file stops no listing."""
    return as_text(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_size(value: Json) -> int | None:
    """A number of bytes, None where there is none. Raises Unreadable."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise unreadable("has a size that is none")
    return value


def as_moment(value: Json) -> datetime | None:
    """An instant in UTC, None where there is none. Raises Unreadable."""
    text = as_text(value)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise unreadable("has a time that is none") from error


def _no_constant(constant: str) -> Json:
    raise ValueError(constant)


def unreadable(what: str) -> Unreadable:
    """The error that says so."""
    return Unreadable(f"What OneDrive answered {what}.", code="unreadable")

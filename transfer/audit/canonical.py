"""Canonical JSON: the subset of RFC 8785 (JCS) in which Python's own encoder gives the same bytes. Pure.

ASCII keys in order, strings of Unicode scalar values, whole numbers below 2**53, true, false, null, lists, objects; no
floats. What enters: values of ours, or untrusted bytes. What leaves: bytes with exactly one spelling, or values whose
bytes had it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from transfer.errors import Misuse, Tampered

MAX_NUMBER = 2**53 - 1
MAX_DEPTH = 16
_LISTS = frozenset({list, tuple})


def render_canonical(value: object) -> bytes:
    """The one spelling of `value`, UTF-8. Raises Misuse for anything outside the subset."""
    return _ENCODER.encode(_plain(value, MAX_DEPTH)).encode("utf-8")


def parse_canonical(untrusted: bytes) -> Any:
    """The inverse of `render_canonical`. Raises Tampered for bytes that are not the canonical spelling of a value."""
    try:
        value = _DECODER.decode(untrusted.decode("utf-8"))
        if render_canonical(value) == untrusted:
            return value
    except (ValueError, RecursionError, Misuse) as error:
        raise Tampered("This is not canonical JSON.") from error
    raise Tampered("This JSON is not spelled in its canonical form.")


def decode_json(untrusted: bytes) -> Any:
    """The value, quickly: well-formed, no key twice, no floats, no blanks around it; its spelling not compared.

    Raises Tampered. A key given twice would let two readers see two things in the same bytes.
    """
    try:
        text = untrusted.decode("utf-8")
        value, end = _UNDOUBLED.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise Tampered("This is not JSON of the kind a log entry is.") from error
    if end != len(text):
        raise Tampered("There is something behind this entry's JSON.")
    return value


def _plain(value: object, depth: int) -> object:
    """The value as the encoder knows it: mappings become dict, other sequences list, enumerations their text.

    Raises Misuse for what is outside the subset.
    """
    if isinstance(value, str):  # the kinds that nearly all values are of come first: every entry passes here
        return value if type(value) is str and value.isascii() else _text(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_NUMBER:
            raise Misuse("A number in a log entry must be below 2**53.")
        return value
    return _members(value, depth)


def _members(value: object, depth: int) -> object:
    """Most members are plain already, and a call costs more than the look; so does asking an abstract class."""
    if depth == 0:
        raise Misuse(f"A log entry may be nested {MAX_DEPTH} deep, not deeper.")
    if type(value) is dict or isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or not key.isascii():
                raise Misuse(f"A key in a log entry must be ASCII text, not {str(key)[:40]!a}.")
        return {
            key: member if type(member) is str and member.isascii() else _plain(member, depth - 1)
            for key, member in value.items()
        }
    if type(value) in _LISTS or (isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview)):
        members = cast("Sequence[object]", value)
        return [member if type(member) is str and member.isascii() else _plain(member, depth - 1) for member in members]
    raise Misuse(f"A log entry cannot hold a {type(value).__name__}.")


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Misuse("A text in a log entry must be valid Unicode.") from error
    return text


def _no_float(_literal: str) -> NoReturn:
    raise ValueError("no floats")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key twice")
    return members


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)
_UNDOUBLED = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_once_each)

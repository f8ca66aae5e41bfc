"""Canonical JSON: the subset of RFC 8785 (JCS) in which Python's own encoder gives the same bytes. Pure.

ASCII keys in order, strings of Unicode scalar values, whole numbers below 2**53, true, false, null, lists, objects; no
floats. What enters: values of ours, or untrusted bytes. What leaves: bytes with exactly one spelling, or values whose
bytes had it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from transfer.errors import Misuse, Tampered

MAX_NUMBER = 2**53 - 1
MAX_DEPTH = 16


def render_canonical(value: object) -> bytes:
    """The one spelling of `value`, UTF-8. Raises Misuse for anything outside the subset."""
    _check(value, MAX_DEPTH)
    return _ENCODER.encode(_plain(value)).encode("utf-8")


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
    """The value, quickly: well-formed, no floats, no blanks around it; its spelling not compared. Raises Tampered."""
    try:
        text = untrusted.decode("utf-8")
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise Tampered("This is not JSON of the kind a log entry is.") from error
    if end != len(text):
        raise Tampered("There is something behind this entry's JSON.")
    return value


def _check(value: object, depth: int) -> None:
    if value is None or isinstance(value, bool | int | str):
        _check_scalar(value)
    elif depth == 0:
        raise Misuse(f"A log entry may be nested {MAX_DEPTH} deep, not deeper.")
    elif isinstance(value, Mapping):
        for key, member in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise Misuse(f"A key in a log entry must be ASCII text, not {str(key)[:40]!a}.")
            _check(member, depth - 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        for member in value:
            _check(member, depth - 1)
    else:
        raise Misuse(f"A log entry cannot hold a {type(value).__name__}.")


def _check_scalar(value: bool | int | str | None) -> None:
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise Misuse("A number in a log entry must be below 2**53.")
    if isinstance(value, str) and not value.isascii():
        _check_text(value)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Misuse("A text in a log entry must be valid Unicode.") from error


def _plain(value: object) -> object:
    """The encoder knows dict and list only; other mappings and sequences, and enumerations, become those."""
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence):
        return [_plain(member) for member in value]
    return value


def _no_float(_literal: str) -> NoReturn:
    raise ValueError("no floats")


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)

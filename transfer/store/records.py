"""Records: the stored form of the types of the line, as JSON by pydantic over the frozen dataclasses.

What enters: our own types, or text from our own database. What leaves: the other of the two; a type that goes in
comes out equal (bytes travel as hexadecimal). Text that does not fit its type to the last key raises Tampered: only
this program writes records.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from transfer.errors import Tampered
from transfer.model.findings import Reason
from transfer.model.identifiers import Sha256
from transfer.model.states import Arrival, Examined, Held, Rebuilt, Refused, Spooled, State

Record: TypeAlias = Spooled | Examined | Rebuilt | Held | Refused

_T = TypeVar("_T")
_REMEMBERED = 256

_CONFIG = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex", extra="forbid", strict=True)

# A configuration reaches plain dataclasses only from a type around them, hence the tuples of one.
_ARRIVAL: Final = TypeAdapter(tuple[Arrival], config=_CONFIG)
_REASONS: Final = TypeAdapter(tuple[Reason, ...], config=_CONFIG)
_SPOOLED: Final = TypeAdapter(tuple[Spooled], config=_CONFIG)
_EXAMINED: Final = TypeAdapter(tuple[Examined], config=_CONFIG)
_REBUILT: Final = TypeAdapter(tuple[Rebuilt], config=_CONFIG)
_HELD: Final = TypeAdapter(tuple[Held], config=_CONFIG)
_REFUSED: Final = TypeAdapter(tuple[Refused], config=_CONFIG)


def kind_of(record: Record) -> State:
    """The state that a record of this type stands for."""
    match record:
        case Spooled():
            return State.SPOOLED
        case Examined():
            return State.EXAMINED
        case Rebuilt():
            return State.REBUILT
        case Held():
            return State.HELD
        case Refused():
            return State.REFUSED


def render_record(record: Record) -> str:
    """The stored text of a record; `kind_of` says which kind it is."""
    match record:
        case Spooled():
            return _SPOOLED.dump_json((record,)).decode()
        case Examined():
            return _EXAMINED.dump_json((record,)).decode()
        case Rebuilt():
            return _REBUILT.dump_json((record,)).decode()
        case Held():
            return _HELD.dump_json((record,)).decode()
        case Refused():
            return _REFUSED.dump_json((record,)).decode()


def parse_record(kind: str, stored: str) -> Record:
    """The inverse of `render_record`. Raises Tampered."""
    match kind:
        case State.SPOOLED:
            return _parse(_SPOOLED, stored)[0]
        case State.EXAMINED:
            return _parse(_EXAMINED, stored)[0]
        case State.REBUILT:
            return _parse(_REBUILT, stored)[0]
        case State.HELD:
            return _parse(_HELD, stored)[0]
        case State.REFUSED:
            return _parse(_REFUSED, stored)[0]
        case _:
            raise Tampered(f"A stored record is of an unknown kind, {kind[:20]!a}.", advice=_ADVICE)


def render_arrival(arrival: Arrival) -> str:
    """The stored text of an arrival."""
    return _ARRIVAL.dump_json((arrival,)).decode()


def parse_arrival(stored: str) -> Arrival:
    """The inverse of `render_arrival`. Raises Tampered."""
    return _parse(_ARRIVAL, stored)[0]


def verdict_by(policy: Sha256) -> str:
    """What the record of a held item has in it if its verdict is by this policy, and else has not."""
    return f'"policy_sha256":"{policy}"'


def render_reasons(reasons: tuple[Reason, ...]) -> str:
    """The stored text of a verdict's reasons."""
    return _REASONS.dump_json(reasons).decode()


@lru_cache(maxsize=_REMEMBERED)  # of a thousand files most are judged in the same words
def parse_reasons(stored: str) -> tuple[Reason, ...]:
    """The inverse of `render_reasons`. Raises Tampered."""
    return _parse(_REASONS, stored)


_ADVICE = "Stop the gateway, run `transfer audit verify`, and restore the last backup."


def _parse(adapter: TypeAdapter[_T], stored: str) -> _T:
    try:
        return adapter.validate_json(stored)
    except ValidationError as error:
        raise Tampered("A stored record of an item cannot be read.", advice=_ADVICE) from error

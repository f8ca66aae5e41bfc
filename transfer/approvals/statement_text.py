"""The one spelling of a statement. Pure.

What enters: values, or the untrusted text of a statement. What leaves: the one accepted text of those values, or the
values with their types.

    oneway-transfer/statement/v1
    {"at":"2026-01-01T00:00:00.000Z","by":"u_…","campaign":"open-day","items":[["i-…","…64 hex…"]],"kind":"approval",…}

The second line is JSON with sorted keys, ASCII, no spaces. A text is accepted only if rendering what was read gives
the same bytes again, so there is exactly one spelling: no second key, no other order, no trailing data.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from typing import Any, Literal, TypeAlias

from transfer.approvals.statement import (
    MAX_ITEMS,
    ApprovalStatement,
    CampaignStatement,
    ClosingStatement,
    DisableStatement,
    EnrolmentStatement,
    Item,
    PauseStatement,
    RefusalStatement,
    ReviewStatement,
    Risk,
    Role,
    Statement,
    WithdrawalStatement,
)
from transfer.errors import Misuse, TransferError
from transfer.model.clock import parse_time, render_time
from transfer.model.events import Json
from transfer.model.findings import Code
from transfer.model.identifiers import Sha256, parse_campaign_id, parse_item_id, parse_person_id, parse_sha256

HEADER = "oneway-transfer/statement/v1"
MAX_CHARACTERS = 12_000  # 64 items take 6,000; a log entry holds 16 KiB

_ACCOUNT = re.compile(r"@[A-Za-z0-9_.]{2,32}")
_ADVICE = "Have it made anew with `transfer statement`, and sign that file unchanged."


def statement_sha256(note: str) -> Sha256:
    """What a signed statement is called everywhere: the SHA-256 of the whole note, as sha256sum prints it."""
    return Sha256(hashlib.sha256(note.encode()).hexdigest())


def render_statement(statement: Statement) -> str:
    """The text to be signed. Raises Misuse if the values cannot be stated (no items, more than 64, …)."""
    body: dict[str, Json] = {"kind": statement.kind}
    for field in fields(statement):
        body[field.name] = _CODECS[field.name][0](getattr(statement, field.name))
    text = f"{HEADER}\n{_canonical(body)}\n"
    parse_statement(text)  # what cannot be read back was never a statement
    return text


def parse_statement(untrusted: str) -> Statement:
    """The inverse of `render_statement`; raises Misuse for any other text."""
    header, _, line = untrusted.partition("\n")
    if header != HEADER or len(untrusted) > MAX_CHARACTERS:
        raise _malformed(f"the first line is not «{HEADER}» or it is longer than {MAX_CHARACTERS} characters")
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _malformed("its second line is not JSON") from error
    kind = body.pop("kind", None) if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _malformed("it is of no known kind")
    wanted = _KINDS[kind]
    if set(body) != {field.name for field in fields(wanted)}:
        raise _malformed(f"the fields are not those of a statement of the kind «{kind}»")
    values: dict[str, Any] = {}
    for name, value in body.items():
        try:
            values[name] = _CODECS[name][1](value)
        except (ValueError, TypeError, TransferError) as error:
            raise _malformed(f"its field «{name}» is not well formed ({error})") from error
    statement = wanted(**values)
    again = {name: _CODECS[name][0](value) for name, value in values.items()} | {"kind": kind}
    if untrusted != f"{HEADER}\n{_canonical(again)}\n":
        raise _malformed("it is not written in the one accepted way")
    return statement


def parse_account(untrusted: str) -> str:
    """The name of an official account, `@name` (G11). Raises Misuse."""
    if _ACCOUNT.fullmatch(untrusted) is None:
        raise Misuse(
            f"{untrusted[:80]!a} is not the name of an account:",
            advice="write @name, with letters, digits, points and underscores.",
            clauses=("G11",),
        )
    return untrusted


def _malformed(why: str) -> Misuse:
    return Misuse(f"This is not a well-formed statement: {why}.", advice=_ADVICE)


def _canonical(body: dict[str, Json]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("a string is expected")  # noqa: TRY004 - one error for every malformed field
    return value


def _flag(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")  # noqa: TRY004 - as above
    return value


def _declared(value: Json) -> Literal[True]:
    if value is not True:
        raise ValueError("only what is declared PUBLIC can be approved")
    return True


def _items(value: Json) -> tuple[Item, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        raise ValueError(f"one to {MAX_ITEMS} items are expected")
    items = tuple((parse_item_id(_text(item)), parse_sha256(_text(digest))) for item, digest in value)
    if any(first[0] >= second[0] for first, second in itertools.pairwise(items)):
        raise ValueError("the items are sorted, each named once")
    return items


def _codes(value: Json) -> tuple[Code, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("one or more findings are expected")
    codes = tuple(Code(_text(code)) for code in value)
    if any(first.value >= second.value for first, second in itertools.pairwise(codes)):
        raise ValueError("the findings are sorted, each named once")
    return codes


def _digest(value: Json) -> Sha256:
    return parse_sha256(_text(value))


def _optional(value: Json) -> Sha256 | None:
    return None if value is None else _digest(value)


def _same(value: str | bool | None) -> Json:
    return str(value) if isinstance(value, str) else value


_Codec: TypeAlias = tuple[Callable[[Any], Json], Callable[[Any], Any]]
_DIGEST: _Codec = (_same, _digest)
_MAYBE: _Codec = (_same, _optional)
_DAY: _Codec = (date.isoformat, lambda value: date.fromisoformat(_text(value)))

# A field means the same in every kind of statement, so it is read and written in one way.
_CODECS: dict[str, _Codec] = {
    "account": (_same, lambda value: parse_account(_text(value))),
    "after": _MAYBE,
    "at": (render_time, lambda value: parse_time(_text(value))),
    "by": (_same, lambda value: parse_person_id(_text(value))),
    "campaign": (_same, lambda value: parse_campaign_id(_text(value))),
    "codes": (lambda codes: [code.value for code in codes], _codes),
    "details": _DIGEST,
    "ends": _DAY,
    "items": (lambda items: [list(item) for item in items], _items),
    "note": _MAYBE,
    "paused": (_same, _flag),
    "person": (_same, lambda value: parse_person_id(_text(value))),
    "policy": _DIGEST,
    "public": (_same, _declared),
    "public_key": _DIGEST,
    "reason": _DIGEST,
    "risk": (_same, lambda value: Risk(_text(value))),
    "role": (_same, lambda value: Role(_text(value))),
    "starts": _DAY,
}

_KINDS: dict[str, type[Statement]] = {
    one.kind: one
    for one in (
        ApprovalStatement,
        ReviewStatement,
        RefusalStatement,
        WithdrawalStatement,
        CampaignStatement,
        ClosingStatement,
        EnrolmentStatement,
        DisableStatement,
        PauseStatement,
    )
}

"""Statements have one spelling, and a signed one opens only as it was signed."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfer.approvals import statement as s
from transfer.approvals.signing import Unvouched, is_weak_key, open_statement, sign_statement
from transfer.approvals.statement_keys import SigningKey
from transfer.approvals.statement_text import HEADER, parse_statement, render_statement
from transfer.audit.notes import Ed25519Signer, sign_note
from transfer.errors import Misuse, TransferError
from transfer.model.identifiers import CROCKFORD, ItemId, PersonId

KEY = SigningKey(b"k" * 32)
OTHER = SigningKey(b"o" * 32)

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
persons = st.text("0123456789abcdef", min_size=32, max_size=32).map(lambda text: PersonId("u_" + text))
slugs = st.text("abcxyz019", min_size=1, max_size=64)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
days = st.dates(date(2000, 1, 1), date(2200, 1, 1))
maybe = st.none() | digests
items = st.dictionaries(
    st.text(CROCKFORD, min_size=8, max_size=8).map(lambda text: ItemId("i-" + text)), digests, min_size=1, max_size=64
).map(lambda found: tuple(sorted(found.items())))
common: dict[str, Any] = {"at": moments, "by": persons}
statements = st.one_of(
    st.builds(
        s.ApprovalStatement,
        items=items,
        public=st.just(True),
        risk=st.sampled_from(s.Risk),
        campaign=slugs,
        policy=digests,
        note=maybe,
        **common,
    ),
    st.builds(s.RefusalStatement, items=items, reason=digests, **common),
    st.builds(s.WithdrawalStatement, items=items, reason=digests, **common),
    st.builds(
        s.CampaignStatement,
        campaign=slugs,
        account=st.from_regex(r"@[a-z_.]{2,32}", fullmatch=True),
        starts=days,
        ends=days,
        risk=st.sampled_from(s.Risk),
        details=digests,
        after=maybe,
        **common,
    ),
    st.builds(s.ClosingStatement, campaign=slugs, reason=digests, after=maybe, **common),
    st.builds(
        s.EnrolmentStatement, person=persons, role=st.sampled_from(s.Role), public_key=digests, after=maybe, **common
    ),
    st.builds(s.DisableStatement, person=persons, reason=digests, after=maybe, **common),
    st.builds(s.PauseStatement, paused=st.booleans(), reason=digests, after=maybe, **common),
)


def approval(**changes: Any) -> s.ApprovalStatement:
    values: dict[str, Any] = {
        "items": (("i-00000001", "a" * 64), ("i-00000002", "b" * 64)),
        "public": True,
        "risk": s.Risk.LOW,
        "campaign": "open-day",
        "policy": "c" * 64,
        "note": None,
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "by": "u_" + "1" * 32,
    }
    return s.ApprovalStatement(**(values | changes))


@given(statements)
@settings(max_examples=150, deadline=None)
def test_what_is_rendered_reads_back_equal(statement: s.Statement) -> None:
    text = render_statement(statement)
    assert parse_statement(text) == statement
    assert text.isascii()


@given(statements, st.data())
@settings(max_examples=150, deadline=None)
def test_no_changed_character_is_read_as_the_same_statement(statement: s.Statement, data: st.DataObject) -> None:
    text = render_statement(statement)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.text(max_size=2)) + text[place + 1 :]
    with contextlib.suppress(Misuse):
        assert changed == text or parse_statement(changed) != statement


@given(st.text(max_size=300) | st.recursive(st.none() | st.booleans() | st.text(max_size=5) | st.floats()
       | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
       max_size=4), max_leaves=8).map(json.dumps))  # fmt: skip
def test_anything_else_is_misuse_and_nothing_worse(line: str) -> None:
    for untrusted in (line, f"{HEADER}\n{line}\n"):
        with pytest.raises(Misuse):
            parse_statement(untrusted)


def test_sixty_five_items_are_too_many_and_none_too_few() -> None:
    many = tuple((f"i-{number:08d}", "a" * 64) for number in range(65))
    assert len(parse_statement(render_statement(approval(items=many[:64]))).items) == 64  # type: ignore[union-attr]
    for wrong in (many, ()):
        with pytest.raises(Misuse, match=r"(1|one) to 64"):
            render_statement(approval(items=wrong))


@pytest.mark.parametrize(
    "changes",
    [
        {"items": (("i-00000002", "a" * 64), ("i-00000001", "b" * 64))},
        {"items": (("i-00000001", "a" * 64), ("i-00000001", "b" * 64))},
        {"items": (("i-00000001", "A" * 64),)},
        {"public": False},
        {"public": 1},
        {"campaign": "Open Day"},
        {"policy": None},
        {"by": "helen"},
    ],
)
def test_what_cannot_be_stated_is_not_rendered(changes: dict[str, Any]) -> None:
    with pytest.raises(Misuse):
        render_statement(approval(**changes))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"public":true', '"public":1'),
        ('"public":true', '"public":false'),
        ('"public":true', '"public": true'),
        ('"public":true', '"public":true,"public":true'),
        ('"kind":"approval"', '"kind":"refusal"'),
        ('"kind":"approval"', '"kind":["approval"]'),
        ('"note":null', '"note":null,"extra":null'),
        ('"note":null,', ""),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"),
        ("}\n", "}\n\n"),
        ("}\n", "}"),
        ("}\n", "}\r\n"),
        ("/v1\n", "/v2\n"),
        ("approval", "appr\\u006fval"),
    ],
)
def test_there_is_one_spelling(old: str, new: str) -> None:
    text = render_statement(approval())
    assert old in text
    with pytest.raises(Misuse):
        parse_statement(text.replace(old, new, 1))


def test_a_deeply_nested_line_is_only_malformed() -> None:
    with pytest.raises(Misuse):
        parse_statement(f"{HEADER}\n{'[' * 11_000}\n")


NOTE = sign_statement(render_statement(approval()), KEY.seed)


def opened(note: str, key: SigningKey = KEY) -> s.Statement:
    return open_statement(note, lambda _: key.public_key).statement


def test_a_signed_statement_opens() -> None:
    assert opened(NOTE) == approval()


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_signed_statement_with_any_change_does_not_open(data: st.DataObject) -> None:
    raw = NOTE.encode()
    place = data.draw(st.integers(0, len(raw) - 1))
    how = data.draw(st.sampled_from(["flip", "drop", "double", "insert"]))
    flip = bytes([raw[place] ^ data.draw(st.integers(1, 255))])
    middle = {"flip": flip, "drop": b"", "double": raw[place : place + 1] * 2, "insert": flip + raw[place : place + 1]}
    changed = (raw[:place] + middle[how] + raw[place + 1 :]).decode("utf-8", "replace")
    with pytest.raises(TransferError) as caught:
        opened(changed)
    assert caught.value.exit_code in {1, 2}, "a stranger's note is not a record of ours"


@pytest.mark.parametrize("cut", range(0, len(NOTE) - 1, 7))
def test_a_cut_note_does_not_open(cut: int) -> None:
    with pytest.raises(TransferError):
        opened(NOTE[:cut])


def test_another_key_under_the_same_name_is_not_vouched_for() -> None:
    with pytest.raises(Unvouched.__base__, match="another key"):  # type: ignore[arg-type]
        opened(sign_statement(render_statement(approval()), OTHER.seed))


def test_a_signature_of_another_text_is_not_vouched_for() -> None:
    other = sign_statement(render_statement(approval(campaign="other")), KEY.seed)
    forged = NOTE.partition("\n\n")[0] + "\n\n" + other.partition("\n\n")[2]
    with pytest.raises(Unvouched, match="changed or forged"):
        opened(forged)


def test_nobody_signs_in_anothers_name() -> None:
    stranger = sign_note(render_statement(approval()), [Ed25519Signer("u_" + "2" * 32, KEY.seed)])
    with pytest.raises(Unvouched, match="signed as"):
        opened(stranger)


def test_exactly_one_signature() -> None:
    two = sign_note(
        render_statement(approval()),
        [Ed25519Signer("u_" + "1" * 32, KEY.seed), Ed25519Signer("u_" + "2" * 32, OTHER.seed)],
    )
    with pytest.raises(Misuse, match="exactly one signature"):
        opened(two)


def test_a_weak_key_signs_nothing() -> None:
    """With the neutral point as key, a signature anybody can write down verifies for every text."""
    neutral = bytes([1]) + bytes(31)
    assert is_weak_key(neutral.hex())
    assert is_weak_key((bytes([1]) + bytes(30) + b"\x80").hex())
    assert not is_weak_key(KEY.public_key)

    class Nobody:
        name = "u_" + "1" * 32

        @property
        def key_id(self) -> bytes:
            from transfer.audit.notes import ED25519, key_id

            return key_id(self.name, ED25519, neutral)

        def sign(self, text: str) -> bytes:
            return neutral + bytes(32)

    forged = sign_note(render_statement(approval()), [Nobody()])
    with pytest.raises(Unvouched):
        open_statement(forged, lambda _: neutral.hex())

"""Every message has one spelling, and no packet does anything but parse or raise ValueError."""

from __future__ import annotations

import base64
import contextlib
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.model.drive import DriveMark
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.names import safe_name
from transfer.model.states import Kind
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.messages import (
    MAX_BREACHES,
    MAX_DAYS,
    MAX_EXPECTED,
    MAX_ITEM_ID,
    MAX_MESSAGE,
    MAX_SIZE,
    Ask,
    Audited,
    Beat,
    Done,
    Expect,
    Expected,
    Forget,
    FromGateway,
    FromGuard,
    Hello,
    Keep,
    ListBegins,
    ListEnds,
    Received,
    Report,
    Seen,
    Stage,
    SweepNow,
    Told,
    Verdict,
    What,
)
from transfer.return_guard.packets import parse_from_gateway, parse_from_guard, render_message

U32 = st.integers(0, 2**32 - 1)
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: Sha256(raw.hex()))
NAMES = st.text(min_size=1, max_size=120).map(safe_name)
IDS = st.binary(min_size=8, max_size=8).map(bytes.hex)
TIMES = st.integers(0, 253_402_300_799_999).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
SIZES = st.integers(0, MAX_SIZE)
ITEM_IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=MAX_ITEM_ID)
MARKS = st.builds(
    DriveMark,
    quickxor=st.binary(min_size=20, max_size=20).map(lambda raw: base64.b64encode(raw).decode()),
    jpeg=st.booleans(),
    item=st.none() | ITEM_IDS,
)
EXPECTED = st.builds(
    Expected,
    stage=st.sampled_from(Stage),
    name=NAMES,
    temporary=NAMES,
    sha256=DIGESTS,
    size=SIZES,
    mark=st.none() | MARKS,
)
FROM_GATEWAY: st.SearchStrategy[FromGateway] = st.one_of(
    st.builds(ListBegins, st.integers(0, MAX_EXPECTED)),
    st.builds(ListEnds, U32),
    st.builds(Expect, U32, EXPECTED),
    st.builds(Forget, U32, NAMES),
    st.builds(Ask, U32, NAMES),
    st.builds(SweepNow, U32),
    st.builds(Received, IDS, st.sampled_from(Verdict)),
    st.builds(Keep, st.integers(0, MAX_DAYS)),
)
PRESENCES = st.builds(
    Presence,
    name_sha256=DIGESTS,
    kind=st.sampled_from(Kind),
    size=SIZES,
    sha256=st.one_of(st.none(), DIGESTS),
    seen_at=TIMES,
)
FROM_GUARD: st.SearchStrategy[FromGuard] = st.one_of(
    st.just(Hello()),
    st.builds(Beat, st.integers(0, 2**64 - 1), U32, U32),
    st.builds(Done, U32),
    st.builds(Seen, U32, st.one_of(st.none(), DIGESTS)),
    st.builds(Report, id=IDS, what=st.sampled_from(What), presence=PRESENCES),
    st.builds(
        Audited,
        age=U32,
        breaches=st.lists(
            st.builds(Told, breach=st.sampled_from(Breach), place=st.sampled_from(Place), permission=DIGESTS),
            max_size=MAX_BREACHES,
        ).map(tuple),
        more=U32,
    ),
)


@given(FROM_GATEWAY)
def test_the_gateways_messages_come_back_as_they_were(message: FromGateway) -> None:
    packet = render_message(message)
    assert len(packet) <= MAX_MESSAGE
    assert parse_from_gateway(packet) == message
    with pytest.raises(ValueError, match="not a message of the guard"):
        parse_from_guard(packet)


@given(FROM_GUARD)
def test_the_guards_messages_come_back_as_they_were(message: FromGuard) -> None:
    packet = render_message(message)
    assert len(packet) <= MAX_MESSAGE
    assert parse_from_guard(packet) == message
    with pytest.raises(ValueError, match="not a message of the gateway"):
        parse_from_gateway(packet)


@given(st.binary(max_size=MAX_MESSAGE + 2))
def test_arbitrary_bytes_only_ever_raise_value_error(packet: bytes) -> None:
    for parse in (parse_from_gateway, parse_from_guard):
        with contextlib.suppress(ValueError):
            assert render_message(parse(packet)) == packet


def test_mutated_packets_parse_to_themselves_or_not_at_all() -> None:
    chance = random.Random(20260101)
    expected = Expected(
        stage=Stage.COMING,
        name=safe_name("größe.jpg"),
        temporary=safe_name("part-1.tmp"),
        sha256=Sha256("ab" * 32),
        size=7,
        mark=DriveMark(quickxor="A" * 27 + "=", jpeg=True, item="01ABC!s3"),
    )
    told = Told(breach=Breach.EDIT_LINK, place=Place.ITEM, permission=Sha256("12" * 32))
    presence = Presence(
        name_sha256=Sha256("cd" * 32), kind=Kind.FIFO, size=0, sha256=None, seen_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    messages: list[FromGateway | FromGuard] = [
        ListBegins(3), ListEnds(4), Expect(5, expected), Forget(6, expected.name), Ask(7, expected.name), SweepNow(8),
        Received("0123456789abcdef", Verdict.FOREIGN), Keep(90), Hello(), Beat(1, 2), Done(9), Seen(10, None),
        Seen(11, Sha256("ef" * 32)), Report(id="0123456789abcdef", what=What.MOVED, presence=presence),
        Audited(age=3, breaches=(told, told), more=1),
    ]  # fmt: skip
    refused = 0
    for _ in range(20_000):
        packet = bytearray(render_message(chance.choice(messages)))
        for _ in range(chance.randint(1, 3)):
            match chance.randrange(3):
                case 0 if packet:
                    packet[chance.randrange(len(packet))] = chance.randrange(256)
                case 1:
                    packet.insert(chance.randint(0, len(packet)), chance.randrange(256))
                case _ if packet:
                    del packet[chance.randrange(len(packet))]
        for parse in (parse_from_gateway, parse_from_guard):
            try:
                assert render_message(parse(bytes(packet))) == bytes(packet)
            except ValueError:
                refused += 1
    assert refused > 20_000


OVERSIZE = Expected(
    stage=Stage.COMING, name=safe_name("a"), temporary=safe_name("b"), sha256=Sha256("00" * 32), size=MAX_SIZE + 1
)
BREACH = Told(breach=Breach.DEVICE_MORE, place=Place.FOLDER, permission=Sha256("00" * 32))


@pytest.mark.parametrize(
    "message",
    [
        ListBegins(MAX_EXPECTED + 1),
        ListEnds(2**32),
        Keep(MAX_DAYS + 1),
        ListEnds(-1),
        Expect(1, OVERSIZE),
        Expect(1, replace(OVERSIZE, size=1, mark=DriveMark(quickxor="A" * 28, jpeg=True, item=None))),
        Expect(1, replace(OVERSIZE, size=1, mark=DriveMark(quickxor="nothing", jpeg=True, item=None))),
        Expect(1, replace(OVERSIZE, size=1, mark=DriveMark(quickxor="A" * 27 + "=", jpeg=True, item="a b"))),
        Audited(age=-1),
        Audited(age=0, breaches=(BREACH,) * (MAX_BREACHES + 1)),
        Beat(2**64, 0),
        Received("0123", Verdict.KNOWN),
        Seen(1, Sha256("00")),
    ],
)
def test_what_is_out_of_bounds_is_not_even_written(message: FromGateway | FromGuard) -> None:
    with pytest.raises(ValueError, match=r"bounds|between|bytes|this is no"):
        render_message(message)

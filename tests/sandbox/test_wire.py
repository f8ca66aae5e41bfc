"""The wire: everything that is rendered is read back; nothing else is, whatever the bytes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transfer.model.findings import Code, Finding
from transfer.model.fingerprint import MOST_FRAMES, Fingerprint
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, MediaFacts, RebuildFacts, StreamFacts
from transfer.model.recipe import Colour, Decode, Films, Recipe
from transfer.model.search import Label, PersonalKind, Search
from transfer.sandbox.replies import (
    ExamineReply,
    Failure,
    GaveUp,
    RebuildReply,
    Reply,
    ResidueReply,
    ScanReply,
    parse_reply,
    render_reply,
)
from transfer.sandbox.requests import (
    ExamineRequest,
    RebuildRequest,
    Request,
    ResidueRequest,
    Rest,
    ScanRequest,
    SheetRequest,
    parse_request,
    render_request,
)
from transfer.sandbox.strict import LARGEST, MAX_MESSAGE, Malformed, clean_number, clean_text, clean_word

NUMBERS = st.integers(0, LARGEST)
WORDS = st.from_regex(r"[a-z][a-z0-9_.+-]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120)
LIMITS = st.builds(MediaLimits, **{each.name: NUMBERS for each in dataclasses.fields(MediaLimits)})
FINDINGS = st.lists(
    st.builds(
        Finding,
        code=st.sampled_from(Code),
        detail=st.dictionaries(WORDS, TEXTS | st.integers(-LARGEST, LARGEST), max_size=4),
    ),
    max_size=5,
).map(tuple)
STREAMS = st.lists(st.builds(StreamFacts, kind=WORDS, codec=WORDS), max_size=4).map(tuple)
MEDIA = st.builds(
    MediaFacts,
    format=st.sampled_from(Format),
    width=NUMBERS,
    height=NUMBERS,
    frames=NUMBERS,
    duration_ms=NUMBERS,
    characters=NUMBERS,
    streams=STREAMS,
)
REBUILT = st.builds(
    RebuildFacts,
    format=st.sampled_from(Format),
    width=NUMBERS,
    packets_in=NUMBERS,
    packets_out=NUMBERS,
    removed=st.lists(TEXTS, max_size=5).map(tuple),
)
SEARCH = st.builds(
    Search,
    marks=st.lists(st.text(max_size=30), max_size=5).map(tuple),
    labels=st.lists(
        st.builds(Label, guid=st.uuids().map(str), name=TEXTS.map(lambda text: text[:60]), public=st.booleans()),
        max_size=3,
    ).map(tuple),
    personal=st.lists(st.sampled_from(PersonalKind), max_size=5).map(tuple),
    regions=st.lists(st.sampled_from(["GB", "DE"]), max_size=2).map(tuple),
    countries=st.lists(st.sampled_from(["GB", "NL"]), max_size=2).map(tuple),
    student_numbers=st.lists(st.sampled_from([r"s\d{7}", "[A-Z]{2}"]), max_size=2).map(tuple),
    allowed=st.lists(st.text(max_size=30), max_size=3).map(tuple),
    pictures=st.booleans(),
)
EXAMINE = st.builds(
    ExamineRequest,
    suffix=st.sampled_from(["", ".jpg", ".webm"]),
    limits=LIMITS,
    search=SEARCH,
    fingerprint=st.booleans(),
)
RECIPES = st.builds(
    Recipe,
    quality=st.integers(1, 100),
    colour=st.sampled_from(Colour),
    films=st.sampled_from(Films),
    decode=st.sampled_from(Decode),
)
REBUILD = st.builds(RebuildRequest, format=st.sampled_from(Format), recipe=RECIPES, limits=LIMITS)
RESIDUE = st.builds(ResidueRequest, format=st.sampled_from(Format), encoded=st.booleans())
SCAN = st.builds(ScanRequest, size=NUMBERS)
SHEET = st.builds(SheetRequest, format=st.sampled_from(Format), limits=LIMITS, second=NUMBERS)
GAVE_UP = st.builds(GaveUp, failure=st.sampled_from(Failure), detail=TEXTS)


def _limits() -> MediaLimits:
    return MediaLimits(**{each.name: 1 for each in dataclasses.fields(MediaLimits)})


ASKED: dict[str, Request] = {
    "examine": ExamineRequest(suffix=".jpg", limits=_limits(), search=Search(), fingerprint=True),
    "rebuild": RebuildRequest(format=Format.JPEG, recipe=Recipe(quality=90), limits=_limits()),
    "residue": ResidueRequest(format=Format.JPEG),
    "sheet": SheetRequest(format=Format.JPEG, limits=_limits()),
    "scan": ScanRequest(size=5),
}
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
PRINTS = st.lists(
    st.builds(Fingerprint, hash=HASHES, mirrored=HASHES, quality=st.integers(0, 100)), max_size=MOST_FRAMES
).map(tuple)
EXAMINED = st.builds(
    ExamineReply,
    media=MEDIA,
    findings=FINDINGS,
    tools=st.dictionaries(WORDS, TEXTS, max_size=3),
    fingerprints=PRINTS,
) | st.builds(ExamineReply, media=st.none(), findings=FINDINGS.filter(bool), tools=st.just({}))
REMADE = st.builds(RebuildReply, facts=REBUILT, findings=FINDINGS)
LEFT = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120), max_size=32).map(tuple)
RESIDUES = st.builds(ResidueReply, findings=FINDINGS, left=LEFT)
SCANNED = st.builds(ScanReply, matches=st.lists(TEXTS, max_size=5).map(tuple), rules=st.sampled_from(["0" * 64, ""]))
EXCHANGES = st.one_of(
    st.tuples(st.just("examine"), EXAMINED | GAVE_UP),
    st.tuples(st.just("rebuild"), REMADE | GAVE_UP),
    st.tuples(st.just("residue"), RESIDUES | GAVE_UP),
    st.tuples(st.just("sheet"), REMADE | GAVE_UP),
    st.tuples(st.just("scan"), SCANNED | GAVE_UP),
)


@given(EXAMINE | REBUILD | RESIDUE | SHEET | SCAN | st.just(Rest()))
def test_requests_come_back(request: Request) -> None:
    assert parse_request(render_request(request)) == request


@given(EXCHANGES)
def test_replies_come_back(exchange: tuple[str, Reply]) -> None:
    asked, reply = exchange
    message = render_reply(reply)
    assert len(message) <= MAX_MESSAGE
    assert message.isascii()
    assert parse_reply(message, to=ASKED[asked]) == reply


@given(st.sampled_from(sorted(ASKED)), st.binary(max_size=300))
@example("examine", b"")
@example("examine", b"[" * 60_000)
@example("examine", b'{"a":' * 10_000)
@example("residue", b'{"findings":[],"findings":[]}')
@example("residue", b'{"findings":NaN}')
@example("residue", b'{"findings":[]}\n')
@example("residue", b'{"findings":[]} ')
@example("residue", b"9" * 10_000)
def test_no_other_bytes_are_a_reply(asked: str, untrusted: bytes) -> None:
    with pytest.raises(Malformed):
        parse_reply(untrusted, to=ASKED[asked])


@settings(max_examples=400)
@given(EXCHANGES, st.data())
def test_a_mutated_reply_is_refused_or_within_bounds(exchange: tuple[str, Reply], data: st.DataObject) -> None:
    """One byte set, removed or repeated: it is Malformed, or another reply that is as bounded as any."""
    asked, reply = exchange
    message = bytearray(render_reply(reply))
    at = data.draw(st.integers(0, len(message) - 1))
    match data.draw(st.sampled_from(["set", "cut", "repeat", "drop"])):
        case "set":
            message[at] = data.draw(st.integers(0, 255))
        case "cut":
            del message[at:]
        case "repeat":
            message[at:at] = message[max(0, at - 40) : at]
        case _:
            del message[at]
    try:
        read = parse_reply(bytes(message), to=ASKED[asked])
    except Malformed:
        return
    assert render_reply(read) == bytes(message)  # nothing had to be cut: it was within every bound


def _reply(**changes: Any) -> bytes:
    media = {
        "format": "image/png",
        "width": 1,
        "height": 1,
        "frames": 1,
        "duration_ms": 0,
        "characters": 0,
        "streams": [],
    }
    body: dict[str, Any] = {"media": media, "findings": [], "tools": {}, "fingerprints": []}
    body.update(changes)
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _print(**changes: Any) -> dict[str, Any]:
    return {"hash": "0" * 64, "mirrored": "f" * 64, "quality": 100} | changes


def _media(**changes: Any) -> dict[str, Any]:
    return json.loads(_reply())["media"] | changes


def test_the_reply_that_the_next_test_breaks_is_good() -> None:
    assert isinstance(parse_reply(_reply(), to=ASKED["examine"]), ExamineReply)


@pytest.mark.parametrize(
    "message",
    [
        _reply(extra=1),
        _reply(media=_media(width=-1)),
        _reply(media=_media(width=2**53)),
        _reply(media=_media(width=True)),
        _reply(media=_media(width="1")),
        _reply(media=_media(width=None)),
        _reply(media=_media(format="image/tiff")),
        _reply(media=_media(more=1)),
        _reply(media=_media(streams=[{"kind": "video", "codec": "h264", "more": 1}])),
        _reply(media=_media(streams=[{"kind": "Video", "codec": "h264"}])),
        _reply(media=_media(streams=[{"kind": "video", "codec": "h264"}] * 257)),
        _reply(media=[]),
        _reply(media=None),  # neither facts nor a finding
        _reply(findings={}),
        _reply(findings=[{"code": "no-such-code", "detail": {}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": "x" * 121}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": "\x1b[2J"}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": "é"}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": None}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": True}}]),
        _reply(findings=[{"code": "marking", "detail": {"a": []}}]),
        _reply(findings=[{"code": "marking", "detail": {"A b": "x"}}]),
        _reply(findings=[{"code": "marking", "detail": {f"n{n}": 1 for n in range(17)}}]),
        _reply(findings=[{"code": "marking"}]),
        _reply(findings=[{"code": "marking", "detail": {}}] * 129),
        _reply(tools={"pillow": 13}),
        _reply(tools={f"t{n}": "1" for n in range(33)}),
        _reply(tools=[]),
        _reply(fingerprints={}),
        _reply(fingerprints=[_print()] * 17),
        _reply(fingerprints=[_print(hash="0" * 63)]),
        _reply(fingerprints=[_print(mirrored="F" * 64)]),
        _reply(fingerprints=[_print(quality=101)]),
        _reply(fingerprints=[_print(more=1)]),
        _reply(gave_up="memory"),
        b'{"detail":"","gave_up":"surprise"}',
        b'{"detail":"","gave_up":"memory","more":1}',
        _reply().replace(b'"width":1', b'"width":1.0'),
        _reply().replace(b'"width":1', b'"width":1e0'),
        _reply().replace(b'"width":1', b'"width":01'),
        _reply().replace(b":", b": "),
        _reply() + b"{}",
        b"\xef\xbb\xbf" + _reply(),
    ],
)
def test_a_forged_reply_is_refused(message: bytes) -> None:
    with pytest.raises(Malformed):
        parse_reply(message, to=ASKED["examine"])


def test_an_answer_to_another_question_is_refused() -> None:
    residue = render_reply(ResidueReply(findings=()))
    assert parse_reply(residue, to=ASKED["residue"])
    for asked in ("examine", "rebuild"):
        with pytest.raises(Malformed):
            parse_reply(residue, to=ASKED[asked])
    with pytest.raises(Malformed):
        parse_reply(residue, to=Rest())


def test_findings_are_never_dropped() -> None:
    with pytest.raises(Malformed):
        render_reply(ResidueReply(findings=tuple(Finding(code=Code.RESIDUE) for _ in range(129))))


def test_many_removed_things_are_counted() -> None:
    facts = RebuildFacts(format=Format.JPEG, removed=tuple(f"thing {n}" for n in range(500)))
    read = parse_reply(render_reply(RebuildReply(facts=facts, findings=())), to=ASKED["rebuild"])
    assert isinstance(read, RebuildReply)
    assert read.facts is not None
    assert len(read.facts.removed) == 128
    assert read.facts.removed[-1] == "373 more"


def test_too_many_or_too_long_markings_are_refused() -> None:
    for marks in (("x",) * 1025, ("x" * 201,), tuple(f"{n:0>190}" for n in range(600))):
        with pytest.raises(Malformed):
            render_request(ExamineRequest(suffix="", limits=_limits(), search=Search(marks=marks)))


@given(st.text())
def test_cleaned_text_is_printable_and_short(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= 120
    assert all(" " <= character <= "~" for character in cleaned)
    assert clean_text(cleaned) == cleaned


@given(st.text())
def test_cleaned_words_are_words(text: str) -> None:
    finding = Finding(code=Code.MARKING, detail={text: text})
    message = render_reply(ResidueReply(findings=(finding,)))
    read = parse_reply(message, to=ASKED["residue"])
    assert isinstance(read, ResidueReply)
    assert list(read.findings[0].detail) == [clean_word(text)]


@given(st.integers())
def test_cleaned_numbers_fit(number: int) -> None:
    assert -LARGEST <= clean_number(number) <= LARGEST

"""Films and pictures whose media are said to lie in another file."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.containers import full_box, with_box
from tests.inspection.probing import probed, understood
from transfer.inspection.anatomy import Anatomy
from transfer.inspection.anatomy_boxes import dissect_boxes
from transfer.inspection.structure_elsewhere import POINTS_ELSEWHERE
from transfer.model.findings import Code

FILM = samples.mp4(0.2, width=64, height=48, metadata=False)
DREF = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
HERE = full_box(b"url ", b"", flags=1)


def boxes(data: bytes) -> Anatomy:
    return dissect_boxes(lambda at, length: data[at : at + length], len(data), picture=False)


def listing(*entries: bytes, count: int | None = None) -> bytes:
    return full_box(b"dref", struct.pack(">I", len(entries) if count is None else count) + b"".join(entries))


@pytest.mark.parametrize(
    "entry",
    [
        full_box(b"url ", b"file:///etc/hostname\0"),
        full_box(b"url ", b"https://university.example/film.mp4\0"),
        full_box(b"urn ", b"urn:film\0\0"),
        full_box(b"alis", b"\0\0\0\0" + b"Macintosh HD:film.mov"),
        full_box(b"rsrc", b"film"),
    ],
)
def test_a_film_that_points_elsewhere_is_refused_and_named(entry: bytes) -> None:
    for entries in ((entry,), (HERE, entry)):
        content = with_box(FILM, DREF, listing(*entries))
        facts, (finding,) = probed(content, ".mp4")
        assert facts is None
        assert (finding.code, finding.detail["problem"]) == (Code.MALFORMED_STRUCTURE, POINTS_ELSEWHERE)


def test_a_list_of_films_is_no_film() -> None:
    rmra = samples.box(b"rmra", samples.box(b"rmda", full_box(b"rdrf", b"url \0\0\0\x05a.mov")))
    header = samples.box(b"mvhd", bytes(100))
    found = boxes(FILM[: FILM.index(b"moov") - 4] + samples.box(b"moov", header + rmra))
    assert found.problems[0].problem == POINTS_ELSEWHERE


@pytest.mark.parametrize(
    "entry",
    [HERE, full_box(b"alis", b"", flags=1), full_box(b"alis", bytes(20) + b"disk", flags=1), full_box(b"url ", b"\0")],
)
def test_a_film_whose_media_lie_in_it_passes(entry: bytes) -> None:
    content = with_box(FILM, DREF, listing(entry))
    assert boxes(content).problems == []
    understood(content, ".mp4")


@pytest.mark.parametrize(
    "entries", [listing(HERE, count=2), listing(HERE[:-2]), listing(bytes(12)), full_box(b"dref", b"")]
)
def test_a_list_that_does_not_hold_together_is_a_breach(entries: bytes) -> None:
    assert "where its media lie" in boxes(with_box(FILM, DREF, entries)).problems[0].problem


@given(payload=st.binary(max_size=80))
def test_whatever_stands_there_ends_quietly(payload: bytes) -> None:
    boxes(with_box(FILM, DREF, samples.box(b"dref", payload)))

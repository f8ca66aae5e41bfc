"""How a film is turned when shown: quarter turns and mirror images stay, whatever else stands there goes or refuses."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.build.films import displayed, film
from tests.disarm.tools import refusal, remade
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.recipe import Films
from transfer.model.turn import moved, straight

FILM = film(frames=5)
ONE = 0x10000
TURNS = [
    (1, 0, 0, 1),
    (0, 1, -1, 0),
    (-1, 0, 0, -1),
    (0, -1, 1, 0),
    (-1, 0, 0, 1),
    (1, 0, 0, -1),
    (0, 1, 1, 0),
    (0, -1, -1, 0),
]


def matrix(content: bytes) -> tuple[int, ...]:
    return struct.unpack_from(">9i", content, content.index(b"tkhd") + 44)


@given(turn=st.sampled_from(TURNS), scale=st.integers(300, 1 << 20), off=st.integers(-1, 1), place=st.integers())
def test_a_turn_is_known_at_any_scale(turn: tuple[int, int, int, int], scale: int, off: int, place: int) -> None:
    a, b, c, d = (number * scale + off for number in turn)
    assert straight([a, b, 0, c, d, 0, place, -place, 1 << 30]) == turn


@given(numbers=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=9, max_size=9))
def test_any_numbers_give_a_turn_or_a_refusal(numbers: list[int]) -> None:
    with suppress(Refusal):
        assert straight(numbers) in TURNS


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_picture_is_seen_whole(turn: tuple[int, int, int, int]) -> None:
    a, b, c, d = turn
    right, down = moved(turn, 160, 120)
    corners = {(a * x + c * y + right, b * x + d * y + down) for x in (0, 160) for y in (0, 120)}
    assert (min(x for x, _ in corners), min(y for _, y in corners)) == (0, 0)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("films", Films)
def test_scale_and_place_go_and_the_turn_stays(turn: tuple[int, int, int, int], films: Films) -> None:
    original = displayed(FILM, *(1.5 * number for number in turn), move=(321, 12))
    made, facts = remade(original, Format.MP4, films=films)
    assert (facts.width, facts.height) == ((120, 160) if turn[0] == 0 else (160, 120))
    shown = turn if films is Films.COPY else TURNS[0]  # what is encoded anew is turned upright
    a, b, c, d = (number * ONE for number in shown)
    assert matrix(made) == (a, b, 0, c, d, 0, *(ONE * by for by in moved(shown, 160, 120)), 1 << 30)


@pytest.mark.parametrize("films", Films)
def test_a_matrix_that_was_never_set_is_upright(films: Films) -> None:
    made, _ = remade(displayed(FILM, 0, 0, 0, 0), Format.MP4, films=films)
    assert matrix(made)[:5] == (ONE, 0, 0, 0, ONE)


@pytest.mark.parametrize("films", Films)
@pytest.mark.parametrize("numbers", [(0.7, 0.7, -0.7, 0.7), (3, 0, 0, 1), (1, 0.5, 0, 1), (1, 0, 0, 0)])
def test_an_angle_is_refused_in_our_own_words(numbers: tuple[float, float, float, float], films: Films) -> None:
    found = refusal(displayed(FILM, *numbers), Format.MP4, films=films)
    assert (found.code, found.detail["why"]) == (
        Code.REBUILD_FAILED,
        "The film is to be shown at an angle or stretched.",
    )

"""The rules of waiting, without a clock: any story of requests and answers keeps them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.graph.pace import WHEN_ONE_ENDS, Budget, Manners, Pace, back_off, budget_of

MANNERS = Manners(in_flight=4, first_pause=1.0, longest_pause=60.0)


@dataclass(frozen=True, kw_only=True)
class Step:
    seconds: float
    status: int
    retry_after: float | None
    budget: Budget | None
    draw: float
    ends: bool


STEPS = st.lists(
    st.builds(
        Step,
        seconds=st.sampled_from([0.0, 0.1, 1.0, 7.0, 100.0]),
        status=st.sampled_from([200, 200, 200, 404, 429, 503, 500, 504]),
        retry_after=st.none() | st.sampled_from([0.0, 1.0, 30.0, 200.0]),
        budget=st.none()
        | st.builds(Budget, limit=st.just(1200), remaining=st.integers(0, 1200), reset=st.floats(0, 60)),
        draw=st.floats(0, 1, exclude_max=True),
        ends=st.booleans(),
    ),
    max_size=60,
)


@given(STEPS)
def test_never_too_many_at_once_and_none_before_a_pause_is_over(steps: list[Step]) -> None:
    pace, now, under_way, quiet_until = Pace(MANNERS), 0.0, 0, -math.inf
    for step in steps:
        now += step.seconds
        wait = pace.ask(now, 1)
        assert wait >= 0
        if wait == 0:
            assert now >= quiet_until
            under_way += 1
            assert under_way <= MANNERS.in_flight
        if under_way:
            pace.answered(now, step.status, retry_after=step.retry_after, budget=step.budget, draw=step.draw)
            if step.status in {429, 503}:
                quiet_until = max(quiet_until, now + (step.retry_after or 0.0))
            if step.budget is not None and step.budget.remaining == 0:
                quiet_until = max(quiet_until, now + step.budget.reset)
            if step.ends:
                pace.ended()
                under_way -= 1


@given(STEPS)
def test_once_all_is_over_the_next_request_goes_after_the_wait_it_was_told(steps: list[Step]) -> None:
    pace, now = Pace(MANNERS), 0.0
    for step in steps:
        now += step.seconds
        if pace.ask(now, 1) == 0:
            pace.answered(now, step.status, retry_after=step.retry_after, budget=step.budget, draw=step.draw)
            pace.ended()
    for _ in range(3):  # the pause, then the share of the budget
        wait = pace.ask(now, 1)
        assert wait != WHEN_ONE_ENDS
        if wait == 0:
            return
        resumes = pace.resumes_at(now)
        assert resumes is not None
        assert resumes >= now
        now += wait * (1 + 1e-9) + 1e-9
    pytest.fail("it waits for ever")


@given(st.lists(st.sampled_from([1.0, 5.0, 30.0]), min_size=1, max_size=5))
def test_a_shorter_pause_does_not_end_a_longer_one(pauses: list[float]) -> None:
    pace = Pace(MANNERS)
    for pause in pauses:
        pace.answered(0.0, 429, retry_after=pause, budget=None, draw=0.0)
    assert pace.ask(max(pauses) - 0.001, 1) > 0
    assert pace.ask(max(pauses), 1) == 0


def test_after_a_pause_one_goes_first_and_good_answers_bring_the_others() -> None:
    pace = Pace(MANNERS)
    pace.answered(0.0, 429, retry_after=2.0, budget=None, draw=0.0)
    assert pace.ask(2.0, 1) == 0
    assert pace.ask(2.0, 1) == WHEN_ONE_ENDS
    for allowed in (2, 3, 4, 4):
        pace.answered(3.0, 200, retry_after=None, budget=None, draw=0.0)
        pace.ended()
        went = 0
        while pace.ask(3.0, 1) == 0:
            went += 1
        assert went == allowed
        for _ in range(went - 1):
            pace.ended()


def test_pauses_without_retry_after_grow_and_a_good_answer_ends_that() -> None:
    pace, pauses = Pace(MANNERS), []
    for _ in range(8):
        pace.answered(0.0, 503, retry_after=None, budget=None, draw=0.0)
        pauses.append(pace.ask(0.0, 1))
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    pace.answered(100.0, 200, retry_after=None, budget=None, draw=0.0)
    pace.answered(100.0, 429, retry_after=None, budget=None, draw=0.0)
    assert pace.ask(100.0, 1) == 0.5


def test_trouble_of_one_request_stops_no_other() -> None:
    pace = Pace(MANNERS)
    pace.answered(0.0, 500, retry_after=None, budget=None, draw=0.0)
    assert pace.ask(0.0, 1) == 0


@given(st.integers(1, 239), st.integers(1, 60), st.integers(1, 5))
def test_what_is_left_of_a_scarce_budget_lasts_until_it_is_renewed(remaining: int, reset: int, cost: int) -> None:
    pace, now, spent = Pace(Manners(in_flight=10_000)), 0.0, 0
    pace.answered(0.0, 200, retry_after=None, budget=Budget(limit=1200, remaining=remaining, reset=reset), draw=0.0)
    while True:
        wait = pace.ask(now, cost)
        now += wait
        if now >= reset:
            break
        spent += cost if wait == 0 else 0
    assert spent <= remaining + cost


def test_a_rich_budget_slows_nothing() -> None:
    pace = Pace(MANNERS)
    pace.answered(0.0, 200, retry_after=None, budget=Budget(limit=1200, remaining=900, reset=60), draw=0.0)
    assert [pace.ask(0.0, 5) for _ in range(4)] == [0, 0, 0, 0]
    assert pace.resumes_at(0.0) is None


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_back_off_is_bounded_and_varies(attempt: int, draw: float) -> None:
    assert 0.5 <= back_off(attempt, MANNERS, draw) <= 60
    assert back_off(attempt, MANNERS, 0.0) < back_off(attempt, MANNERS, 0.9)


@given(st.dictionaries(st.sampled_from(["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]), st.text()))
def test_any_headers_are_a_budget_or_none(headers: dict[str, str]) -> None:
    found = budget_of(headers)
    assert found is None or (found.limit > 0 and found.reset <= 3600)


def test_a_budget_in_headers() -> None:
    headers = {"ratelimit-limit": "1200", "ratelimit-remaining": "7", "ratelimit-reset": "12"}
    assert budget_of(headers) == Budget(limit=1200, remaining=7, reset=12.0)
    assert budget_of({**headers, "ratelimit-limit": "0"}) is None

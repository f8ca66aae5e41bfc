"""A small part of what `./scripts/likeness` measures: what docs/return-by-content.md says of the shipped thresholds."""

from __future__ import annotations

import pytest

from tests.likeness import FILM_CHANGES, PICTURE_CHANGES, measure_films, measure_pictures
from transfer.inspection.probe import warm
from transfer.policy.rulebook import load_shipped

POLICY = load_shipped("university")
ALWAYS = (
    "JPEG, quality 60",
    "JPEG, quality 30",
    "WebP, quality 75",
    "scaled to a quarter",
    "stretched to a square",
    "darker by 30 %",
    "black and white",
    "mirrored",
    "platform's watermark",
)


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm()


def test_what_a_platform_does_to_a_picture_hides_no_copy_and_others_are_none() -> None:
    found = measure_pictures(5, POLICY, changes={what: PICTURE_CHANGES[what] for what in ALWAYS})
    assert [each.what for each in found if each.copies != each.pairs] == [
        "another picture",
        "another poster of one layout",
    ]
    assert [each.copies for each in found[-2:]] == [0, 0]


def test_what_a_platform_does_to_a_film_hides_no_copy_and_others_are_none() -> None:
    what = "platform's watermark, coarse"
    copies, still, others, begun_alike = measure_films(2, POLICY, changes={what: FILM_CHANGES[what]})
    assert (copies.copies, still.copies) == (2, 2)
    assert (others.copies, begun_alike.copies) == (0, 0)

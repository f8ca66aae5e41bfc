"""The two columns: what was in a file, what is in its copy."""

from __future__ import annotations

from dataclasses import replace

from tests.store import pieces
from transfer.cli.before_after import before_and_after, told_parts
from transfer.model.chronicle import rebuilt_event


def test_both_lists_stand_side_by_side() -> None:
    page = before_and_after(pieces.rebuilt(1)).splitlines()
    assert page[0] == "Before and after: " + pieces.item_id(1)
    for one, other in (
        ("TAKEN OUT", "LEFT, AS A SECOND READER SAW IT"),
        ("EXIF", "picture: JPEG, 3 x 2, 3 channels, baseline"),
    ):
        assert any(line.startswith(one) and line.endswith(other) for line in page), page


def test_a_record_without_the_list_says_so() -> None:
    assert "not recorded" in before_and_after(replace(pieces.rebuilt(1), left=()))


def test_long_lines_are_wrapped() -> None:
    long = replace(pieces.rebuilt(1), left=("boxes: " + ", ".join(f"box{n}" for n in range(14)),))
    assert max(map(len, before_and_after(long).splitlines())) <= 91


def test_what_it_is_made_of_is_left_out_of_sentences() -> None:
    assert told_parts(pieces.rebuilt(1).left) == ("picture: JPEG, 3 x 2, 3 channels, baseline",)


def test_an_entry_stays_small() -> None:
    many = tuple(f"line {number}" for number in range(100))
    rebuilt = pieces.rebuilt(1)
    facts = rebuilt_event(replace(rebuilt, left=many, rebuild=replace(rebuilt.rebuild, removed=many))).facts
    for name in ("removed", "left"):
        assert facts[name] == [*many[:23], "77 more"]

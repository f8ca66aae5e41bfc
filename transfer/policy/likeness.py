"""`[return]` of a policy: when a file counts as a near copy of something that was released before. Pure.

What enters: the table of a policy file, perhaps tightened by an overlay's. What leaves: `model.fingerprint.Comparison`.
A policy without the table compares nothing; docs/return-by-content.md has what each number costs and catches.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Protocol

from pydantic import Field

from transfer.errors import Misuse
from transfer.model.events import Json
from transfer.model.fingerprint import LARGEST_DISTANCE, LARGEST_QUALITY, Comparison
from transfer.strict_toml import StrictModel

Distance = Annotated[int, Field(ge=0, le=LARGEST_DISTANCE)]
Quality = Annotated[int, Field(ge=0, le=LARGEST_QUALITY)]
Share = Annotated[int, Field(ge=1, le=100)]


class ReturnTable(StrictModel):
    """`[return]`."""

    compare: bool
    distance: Distance
    quality: Quality
    share: Share
    mirrored: bool


class ReturnChange(StrictModel):
    """`[return]` of an overlay: more that counts as a copy."""

    compare: bool | None = None
    distance: Distance | None = None
    quality: Quality | None = None
    share: Share | None = None
    mirrored: bool | None = None


class Checker(Protocol):
    """Says which value of an overlay would loosen the policy below it."""

    def at_most(self, path: tuple[str, str], value: int, before: int) -> None:
        """Raises Misuse if the value is larger."""
        ...

    def at_least(self, path: tuple[str, str], value: int, before: int) -> None:
        """Raises Misuse if the value is smaller."""
        ...

    def refuse(self, path: tuple[str | int, ...], said: str) -> Misuse:
        """The error for anything else."""
        ...


def comparison_of(table: ReturnTable | None) -> Comparison | None:
    """The same as a part of the policy."""
    return None if table is None else Comparison(**table.model_dump())


def tightened(base: Comparison | None, change: ReturnChange, check: Checker) -> Comparison | None:
    """The base with what the overlay says. Raises Misuse for what would find fewer copies."""
    given = {name: value for name, value in change.model_dump().items() if value is not None}
    if base is None or not given:
        return base
    made = dataclasses.replace(base, **given)
    check.at_least(("return", "distance"), made.distance, base.distance)
    check.at_most(("return", "quality"), made.quality, base.quality)
    check.at_most(("return", "share"), made.share, base.share)
    for name, was, now in (("compare", base.compare, made.compare), ("mirrored", base.mirrored, made.mirrored)):
        if was and not now:
            raise check.refuse(("return", name), f"`return.{name}` would let copies pass that are found now.")
    return made


def effective_comparison(comparison: Comparison | None) -> Json:
    """Its canonical form."""
    return None if comparison is None else dataclasses.asdict(comparison)


def shown(comparison: Comparison | None) -> list[str]:
    """As `transfer policy show` says it."""
    if comparison is None or not comparison.compare:
        return ["  returns        known by their bytes only; what files look like is not compared"]
    mirrored = ", mirrored too" if comparison.mirrored else ""
    return [
        f"  returns        near copies of what was released{mirrored}: {comparison.distance} of 256 bits may differ",
        f"                 in {comparison.share} % of the frames whose quality is {comparison.quality} or more",
    ]

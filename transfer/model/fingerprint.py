"""Fingerprints: what a picture looks like, in 256 bits, so that a changed copy of it can be recognised. Pure.

A fingerprint is a PDQ hash (Meta's «PDQ & TMK + PDQF», 2019) of one picture, or of one sampled frame of an animation or
a film. Two that differ in at most `Comparison.distance` bits show the same thing; `inspection.fingerprint` makes them,
`store.fingerprints` finds near ones, docs/return-by-content.md has what was measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BITS = 256
HEX_DIGITS = BITS // 4
LARGEST_DISTANCE = 31  # the search finds every neighbour up to this; a policy may ask for less
LARGEST_QUALITY = 100
MOST_FRAMES = 16  # of one file

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """One picture's: `hash` as 64 hexadecimal digits, `mirrored` the hash of the same picture seen in a mirror.

    `quality` is PDQ's own, 0 to 100: how much there is to be seen. Of an even surface nothing can be said.
    """

    hash: str
    mirrored: str
    quality: int

    def __post_init__(self) -> None:
        if _HEX.fullmatch(self.hash) is None or _HEX.fullmatch(self.mirrored) is None:
            raise ValueError("a fingerprint is 64 hexadecimal digits")
        if not 0 <= self.quality <= LARGEST_QUALITY:
            raise ValueError(f"a fingerprint's quality is 0 to {LARGEST_QUALITY}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """When a file counts as a near copy of a released one: the policy's `[return]`.

    At most `distance` bits differ in at least `share` per cent of the file's frames whose quality is at least
    `quality`; `mirrored` says whether mirrored copies count.
    """

    compare: bool
    distance: int
    quality: int
    share: int
    mirrored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NearCopy:
    """What a file is a near copy of: the released item, the least distance in bits, and how many frames agree."""

    item: str
    distance: int
    agreeing: int
    frames: int
    mirrored: bool

    @property
    def share(self) -> int:
        """Per cent of the frames that could be compared."""
        return 100 * self.agreeing // self.frames

    def detail(self) -> dict[str, str | int]:
        """As a finding tells it; the share only of what has several frames."""
        frames = {"agreeing": self.agreeing, "frames": self.frames, "share": self.share} if self.frames > 1 else {}
        mirrored = {"mirrored": 1} if self.mirrored else {}
        return {"item": self.item, "distance": self.distance, **mirrored, **frames}


def differing_bits(first: str, second: str) -> int:
    """The Hamming distance of two hashes, 0 to 256."""
    return (int(first, 16) ^ int(second, 16)).bit_count()

"""How files are made anew: the policy's word on it, on its way from the policy file to the child that does it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """What becomes of a picture's colour profile."""

    KEEP = "keep"  # a simple one is made anew without its texts, any other is applied to the pixels
    SRGB = "srgb"  # every one is applied to the pixels, and none is written


class Films(StrEnum):
    """What becomes of a film's packets."""

    COPY = "copy"  # they are kept, bit for bit, in a new container
    ENCODE = "encode"  # picture and sound are decoded and encoded anew


class Decode(StrEnum):
    """How much of a film is decoded before it may go."""

    SAMPLE = "sample"  # some key pictures over its length, and the first sounds
    ALL = "all"  # every packet of picture and sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a rebuild holds to. `quality` is that of lossy pictures that are written, 1 to 100."""

    quality: int
    colour: Colour = Colour.KEEP
    films: Films = Films.COPY
    decode: Decode = Decode.SAMPLE

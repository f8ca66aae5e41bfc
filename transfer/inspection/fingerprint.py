"""Fingerprints of what a decoder has decoded: the recipe, which is fixed, because two recipes' hashes do not compare.

What enters: decoded pictures, and how they are turned when shown. What leaves: PDQ hashes in hexadecimal digits.
Runs only in a sandbox child; the arithmetic is pdqhash's, which brings numpy.

The recipe, `RECIPE`: every so many-th point of the picture, 256 × 256 of them whatever its shape; of each 4 × 4 the
mean (64 × 64 is all that PDQ looks at); over white where it is transparent; turned upright; then PDQ of that. To look
at all points of a picture of 1080p instead takes 0.9 ms more and finds no more copies (docs/return-by-content.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

import numpy as np
import pdqhash
from PIL import Image

from transfer.model.fingerprint import MOST_FRAMES, Fingerprint

RECIPE = "1"
SIDE = 64  # points that PDQ looks at, each way
_SAMPLED = (256, 256)
_MEDIAN = 127  # PDQ's median of 256 is the lower one
# In a mirror every second column of the transform changes its sign; the coefficients come last one first.
_MIRROR = np.tile(np.array([1.0, -1.0], dtype=np.float32), 128)

# EXIF's orientation, as what is to be done with the picture so that it stands upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def warm() -> None:
    """Runs the arithmetic once, so that nothing is imported or opened later."""
    fingerprints([small(Image.new("RGBA", (300, 200), (9, 9, 9, 99)))], orientation=1)
    recipe()


@cache
def recipe() -> str:
    """What is recorded as the tool: the library's version and the recipe's. Asked once: it stands in a file."""
    return f"{version('pdqhash')} recipe {RECIPE}"


def small(picture: Image.Image) -> Image.Image:
    """64 × 64 points of a loaded picture, whatever its size and mode; as it lies in the file."""
    sampled = picture.resize(_SAMPLED, Image.Resampling.NEAREST)
    if sampled.mode.startswith("I") or sampled.mode == "F":
        sampled = _eight_bits(sampled)
    elif sampled.mode in {"RGBA", "LA", "PA"} or (sampled.mode == "P" and "transparency" in sampled.info):
        visible = sampled.convert("RGBA")
        sampled = Image.new("RGBA", _SAMPLED, (255, 255, 255, 255))
        sampled.alpha_composite(visible)
    return sampled.convert("RGB").reduce(_SAMPLED[0] // SIDE)


def fingerprints(smalls: Iterable[Image.Image], *, orientation: int = 1) -> tuple[Fingerprint, ...]:
    """The hashes of pictures from `small`, turned as EXIF's `orientation` says, or a film's matrix in its terms.

    What is seen twice stands there once; at most 16 are made.
    """
    found: dict[str, Fingerprint] = {}
    turn = _UPRIGHT.get(orientation)
    for picture in list(smalls)[:MOST_FRAMES]:
        made = _fingerprint(picture if turn is None else picture.transpose(turn))
        found.setdefault(made.hash, made)
    return tuple(found.values())


def _fingerprint(picture: Image.Image) -> Fingerprint:
    """As `pdqhash.compute` of the picture and of its mirror image, in half the time of the one alone."""
    coefficients, quality = pdqhash.compute_float(np.asarray(picture))
    return Fingerprint(
        hash=_hash(coefficients), mirrored=_hash(coefficients * _MIRROR), quality=max(0, min(100, int(quality)))
    )


def _hash(coefficients: np.ndarray[tuple[int], np.dtype[np.float32]]) -> str:
    median = np.partition(coefficients, _MEDIAN)[_MEDIAN]
    return np.packbits(coefficients > median).tobytes().hex()


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits: the largest value is white."""
    values = np.asarray(picture, dtype=np.float64)
    most = max(65_535.0 if picture.mode.startswith("I") else 1.0, float(values.max(initial=0.0)))
    return Image.fromarray(np.clip(values * 255.0 / most, 0, 255).astype(np.uint8))

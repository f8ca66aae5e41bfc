"""Mixed files for crowds: small, all different, most of them good, some of every bad kind."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from tests import samples


@dataclass(frozen=True)
class Dropped:
    """One file to drop, and whether it must be released once somebody has signed."""

    name: str
    content: bytes
    good: bool
    post: str = ""


@functools.cache
def mixture(number: int = 100) -> tuple[Dropped, ...]:
    """So many files in a fixed order, made once; each good one is different from all others."""
    return tuple(_one(place) for place in range(number))


def _one(place: int) -> Dropped:  # noqa: C901 - one line for each kind
    size, more = 64 + place % 100 * 2, place // 100  # of a thousand, no two good ones are alike
    post = f"post-{place // 25}" if place % 5 == 0 else ""
    match place % 20:
        case 0 | 1 | 2 | 3:
            return Dropped(f"photo-{place}.jpg", samples.jpeg(size * 8 + more, size * 6), good=True, post=post)
        case 4 | 5:
            return Dropped(f"graphic {place}.png", samples.png(size * 4 + more, size * 3), good=True, post=post)
        case 6:
            return Dropped(f"bild-{place}-ü.webp", samples.webp(size + more, size), good=True)
        case 7:
            return Dropped(f"moving-{place}.gif", samples.gif(size + more, size, frames=3), good=True)
        case 8:
            return Dropped(f"phone-{place}.heic", samples.heic(size * 2 + more * 2, size * 2), good=True)
        case 9:
            return Dropped(
                f"film-{place}.mp4", samples.mp4(0.4, width=160 + place % 100 * 2, height=120 + more * 2), good=True
            )
        case 10 | 11 | 12:
            return Dropped(f"caption-{place}.txt", samples.text(f"Come to day {place}!\n"), good=True, post=post)
        case 13:
            return Dropped(f"words-{place}.srt", samples.srt((f"Number {place}", "welcome")), good=True)
        case 14:
            name = "photo.jpg" if place % 40 == 14 else "Photo.JPG"
            return Dropped(name, samples.jpeg(size + more, size), good=True, post=f"like-others-{place}")
        case 15:
            return Dropped(f"cut-{place}.jpg", samples.truncated(samples.jpeg(size * 4 + more, size * 3)), good=False)
        case 16:
            return Dropped(f"program-{place}.exe", samples.program() + b"%d" % place, good=False)
        case 17:
            return Dropped(f"minutes-{place}.txt", b"CONFIDENTIAL\nminutes %d\n" % place, good=False)
        case 18:
            return Dropped(f"really-a-png-{place}.jpg", samples.png(size + more, size), good=False)
        case _:
            return Dropped(f"bomb-{place}.png", samples.png_claiming(40_000 + place, 40_000), good=False)

"""Whether a rebuilt picture or film is still the same: peak signal-to-noise ratio with Pillow, and durations.

What enters: original and rebuilt bytes. What leaves: decibels (99 for equal ones) of the picture that is least alike,
as a viewer shows it: turned upright, colours converted by their profile, on white where it is transparent.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from itertools import zip_longest

import av
import pillow_heif
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

FILM = ("video/mp4", "video/quicktime", "video/webm")
SAME = 99.0
_SIDE = 512  # larger pictures are compared at this size, which is what an eye sees of them
pillow_heif.register_heif_opener()


def likeness(original: bytes, rebuilt: bytes, *, film: bool) -> float:
    """How alike, in dB; 0 where one has more pictures than the other or another shape."""
    shown = _film_frames if film else _picture_frames
    worst = SAME
    for before, after in zip_longest(shown(original), shown(rebuilt)):
        if before is None or after is None or before.size != after.size:
            return 0.0
        worst = min(worst, noise_ratio(before, after))
    return worst


def noise_ratio(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two pictures of eight bits and three channels, in dB."""
    squares = ImageStat.Stat(ImageChops.difference(one, other)).rms
    mean = sum(value * value for value in squares) / len(squares)
    return min(SAME, 10 * math.log10(255 * 255 / mean)) if mean else SAME


def seconds(content: bytes) -> float:
    """How long a film is shown."""
    with av.open(io.BytesIO(content), metadata_errors="replace") as container:
        return (container.duration or 0) / av.time_base


def _picture_frames(content: bytes) -> Iterator[Image.Image]:
    with Image.open(io.BytesIO(content)) as image:
        # The further pictures of a JPEG, HEIC or AVIF are no animation: the first is the picture.
        frames = getattr(image, "n_frames", 1) if image.format in {"PNG", "GIF", "WEBP"} else 1
        for number in range(frames):
            image.seek(number)
            yield _as_shown(image)


def _as_shown(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    shown = ImageOps.exif_transpose(image.copy())
    if profile and shown.mode in {"RGB", "CMYK"}:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown = ImageCms.profileToProfile(shown, source, ImageCms.createProfile("sRGB"), outputMode="RGB") or shown
    if shown.mode.startswith("I"):
        shown = shown.convert("I").point(lambda value: value / 256).convert("L")
    rgba = shown.convert("RGBA")
    ground = Image.new("RGB", rgba.size, (255, 255, 255))
    ground.paste(rgba, mask=rgba.getchannel("A"))
    if max(ground.size) > _SIDE:
        ground.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return ground


def _film_frames(content: bytes) -> Iterator[Image.Image]:
    """Every fifth picture, turned as it is shown."""
    with av.open(io.BytesIO(content), metadata_errors="replace") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 5 == 0:
                turn = frame.rotation if frame.rotation % 90 == 0 else 0  # of no matrix FFmpeg says the least number
                yield frame.to_image().rotate(turn, expand=True)

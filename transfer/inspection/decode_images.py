"""A real decode of a picture, within limits that apply before it: JPEG, PNG, WebP, GIF, HEIC and AVIF.

What enters: the bytes of an untrusted picture, held in memory (the policy bounds them). What leaves: its facts and
what it holds besides pixels, or `Unfit`; and, if wanted, the decoded still picture for the rebuild.
Runs only in a sandbox child: Pillow and libheif are not trusted.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pillow_heif
from PIL import Image

from transfer.inspection.anatomy import Anatomy
from transfer.inspection.fingerprint import fingerprints, small
from transfer.inspection.metadata import metadata_findings
from transfer.inspection.noticed import Unfit, noticed, printable
from transfer.inspection.picture_words import MAX_PICTURES, Words
from transfer.inspection.structure import check_packed, check_structure, dissect_picture, structure_findings
from transfer.model.findings import Code, Finding
from transfer.model.fingerprint import MOST_FRAMES, Fingerprint
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, MediaFacts
from transfer.model.search import Search

_PLUGINS = {
    Format.JPEG: "JPEG",
    Format.PNG: "PNG",
    Format.WEBP: "WEBP",
    Format.GIF: "GIF",
    Format.HEIC: "HEIF",
    Format.AVIF: "AVIF",
}
_DECODED_AS = {"MPO": "JPEG"}  # a JPEG with more pictures behind the first; only the first is looked at
_ORIENTATION = 0x0112
_GPS = 0x8825

# What Pillow, its plugins and libheif raise on broken files. MemoryError is not among them: that is the sandbox's.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def warm_images() -> None:
    """Decode one tiny picture with every plugin: afterwards no decode opens a file or imports a module."""
    pillow_heif.register_heif_opener()
    Image.init()
    dot = Image.new("RGB", (16, 16), (200, 16, 16))
    exif = Image.Exif()
    exif[_ORIENTATION] = 1
    for plugin in _PLUGINS.values():
        out = io.BytesIO()
        if plugin == "GIF":
            dot.save(out, plugin)
        else:
            dot.save(out, plugin, exif=exif.tobytes())
        with Image.open(out, formats=[plugin]) as image:
            image.load()
            image.getexif().get_ifd(_GPS)


def decode_image(
    data: bytes,
    *,
    form: Format,
    limits: MediaLimits,
    search: Search,
    keep: Callable[[object], None] | None = None,
    prints: list[Fingerprint] | None = None,
    words: Words | None = None,
) -> tuple[MediaFacts, tuple[Finding, ...]]:
    """The facts of a picture, every frame of it decoded, and what it holds besides.

    `keep` gets the loaded `PIL.Image.Image` of a still picture: full size, no orientation applied, `.info` whole.
    `prints` gets the fingerprints of the picture, or of a few of an animation's; `words` is shown a few frames.
    Raises Unfit: UNDECODABLE, TYPE_MISMATCH, TOO_MANY_PIXELS, TOO_MANY_FRAMES, MALFORMED_STRUCTURE, INFLATES.
    """
    found = dissect_picture(data, form)
    check_structure(found, limits)
    with _pillow_bounded(limits):
        try:
            image = Image.open(io.BytesIO(data), formats=[_PLUGINS[form]])
            frames = _checked_frames(image, form, limits)
            check_packed(found, data, limits)
            seen: list[Image.Image] = []
            durations = _decode_frames(image, frames, seen if prints is not None else None, words)
            exif = image.getexif()
            turned = exif.get(_ORIENTATION) in {5, 6, 7, 8}
            if prints is not None:
                prints.extend(fingerprints(seen, orientation=exif.get(_ORIENTATION, 1)))
            place = any(exif.get_ifd(_GPS).values())
        except Image.DecompressionBombError:
            raise Unfit(Code.TOO_MANY_PIXELS, structure_findings(found), limit=limits.pixels) from None
        except _BROKEN as error:
            problem = printable(f"{type(error).__name__}: {error}")
            raise Unfit(Code.UNDECODABLE, structure_findings(found), problem=problem) from None
    extras = _note_items(found, image, form)
    width, height = (image.height, image.width) if turned else image.size
    facts = MediaFacts(format=form, width=width, height=height, frames=frames, duration_ms=durations)
    if keep is not None and frames == 1:
        keep(image)
    return facts, (*structure_findings(found), *extras, *metadata_findings(found, search, place=place))


@contextmanager
def _pillow_bounded(limits: MediaLimits) -> Iterator[None]:
    """The second line: Pillow itself refuses to allocate more, and says nothing on standard error."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = limits.pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _checked_frames(image: Image.Image, form: Format, limits: MediaLimits) -> int:
    """How many frames it has, once its header has passed the limits; nothing is decoded before."""
    decoded_as = _DECODED_AS.get(image.format or "", image.format)
    if decoded_as != _PLUGINS[form]:
        raise Unfit(Code.TYPE_MISMATCH, content=str(image.format), format=form)
    width, height = image.size
    if width * height > limits.pixels or max(width, height) > limits.side or min(width, height) < 1:
        raise Unfit(Code.TOO_MANY_PIXELS, width=width, height=height, limit=limits.pixels, side=limits.side)
    # A HEIC's further pictures and an MPO's are not frames of an animation; GIF counts by walking its blocks.
    frames = int(getattr(image, "n_frames", 1)) if form not in {Format.HEIC, Format.JPEG} else 1
    if frames > limits.frames:
        raise Unfit(Code.TOO_MANY_FRAMES, frames=frames, limit=limits.frames)
    if frames * width * height > limits.total_pixels:
        raise Unfit(Code.TOO_MANY_PIXELS, width=width, height=height, frames=frames, limit=limits.total_pixels)
    return frames


def _decode_frames(image: Image.Image, frames: int, seen: list[Image.Image] | None, words: Words | None = None) -> int:
    """Decode all of it; the milliseconds an animation lasts. `seen` gets small copies, of frames evenly spread."""
    if frames == 1:
        image.load()
        if seen is not None:
            seen.append(small(image))
        if words is not None:
            words.look(image)
        return 0
    every = -(-frames // MOST_FRAMES)
    total = 0.0
    for number in range(frames):
        image.seek(number)
        image.load()
        total += float(image.info.get("duration", 0) or 0)
        if seen is not None and number % every == 0:
            seen.append(small(image))
        if words is not None and number % -(-frames // MAX_PICTURES) == 0:
            words.look(image)
    image.seek(0)
    return round(total)


def _note_items(found: Anatomy, image: Image.Image, form: Format) -> tuple[Finding, ...]:
    """What HEIC and AVIF keep as items, which only their decoder lists; and the pictures that are not the first."""
    info = image.info
    if form in {Format.HEIC, Format.AVIF}:
        for kind in ("exif", "xmp"):
            if info.get(kind):
                found.note(kind.upper(), info[kind] if isinstance(info[kind], bytes) else str(info[kind]).encode())
        if info.get("metadata"):
            found.note("items")
    extra = {
        "further pictures": _further_pictures(image, form),
        "thumbnails": len(info.get("thumbnails") or ()),
        "depth maps": len(info.get("depth_images") or ()),
        "auxiliary pictures": len(info.get("aux") or ()),
    }
    return tuple(noticed(Code.EXTRA_STREAM, kind=kind, count=count) for kind, count in extra.items() if count)


def _further_pictures(image: Image.Image, form: Format) -> int:
    if form in {Format.HEIC, Format.JPEG}:
        return int(getattr(image, "n_frames", 1)) - 1
    return 0

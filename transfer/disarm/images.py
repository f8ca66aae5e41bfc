"""Pictures made anew: decoded to pixels, turned upright, colour settled, written again without anything else.

What enters: a whole picture file, or the picture that inspection has already decoded from it. What leaves: the bytes
of a new file and the facts about it.

    JPEG → JPEG  in the source's own chroma subsampling (4:4:4 where it has a rare one); CMYK becomes sRGB
    PNG  → PNG   the same pixels in the same mode; 16 bits a channel stay only for grey, else they become 8
    WebP → WebP  lossless stays lossless
    GIF  → GIF   the same palette indices (`animated_gif.py`)
    HEIC → JPEG  4:4:4, over white where it was transparent; the primary picture only
    AVIF → AVIF  8 bits a channel, the first picture only
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pillow_heif
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin

from transfer.disarm.animated_gif import remake_gif
from transfer.disarm.animated_png import is_animated_png, remake_animated_png
from transfer.disarm.animated_webp import is_animated_webp, is_lossless_webp, remake_animated_webp
from transfer.disarm.colour import coded_profile
from transfer.disarm.pixels import (
    orientation,
    over_white,
    settled_colour,
    upright,
    without_gamma,
    without_hidden_colour,
)
from transfer.disarm.traces import traces
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts
from transfer.model.recipe import Colour, Recipe

_PLUGIN = {
    Format.JPEG: ("JPEG", "MPO"),
    Format.PNG: ("PNG",),
    Format.WEBP: ("WEBP",),
    Format.GIF: ("GIF",),
    Format.HEIC: ("HEIF",),
    Format.AVIF: ("AVIF",),
}
_WRITTEN_AS = {Format.HEIC: Format.JPEG}
_MODES: Mapping[Format, tuple[str, ...]] = {
    Format.JPEG: ("L", "RGB"),
    Format.PNG: ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    Format.WEBP: ("RGB", "RGBA"),
    Format.AVIF: ("RGB", "RGBA"),
}
_AT_ONCE = 1 << 20  # bytes that go in and out of Pillow's codecs at a time: with its 64 KiB a picture takes 1 % longer
_AVIF_SPEED = 9  # of 10: a 1080p picture takes 0.1 s instead of 0.6 s and grows by half


@dataclass(frozen=True, slots=True)
class _Source:
    """What the original says besides its pixels."""

    turn: int
    profile: object
    sampling: int
    gamma: float | None
    transparency: object
    frames: int


def warm() -> None:
    """Loads every codec once, so that nothing has to be opened by name later."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.init()
    ImageFile.MAXBLOCK = _AT_ONCE
    sample = Image.new("RGBA", (16, 16), (200, 16, 16, 128))
    for name, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGBA"), ("GIF", "P"), ("AVIF", "RGB")):
        out = io.BytesIO()
        sample.convert(mode).save(out, name)
        with Image.open(io.BytesIO(out.getvalue())) as picture:
            picture.load()
    out = io.BytesIO()
    pillow_heif.from_pillow(sample.convert("RGB")).save(out)
    with Image.open(io.BytesIO(out.getvalue())) as picture:
        picture.load()


def remake_image(
    untrusted: bytes, *, form: Format, recipe: Recipe, limits: MediaLimits, decoded: Image.Image | None = None
) -> tuple[bytes, RebuildFacts]:
    """The new file and what it is. Raises Refusal, and whatever a decoder raises for a broken file."""
    seen = traces(untrusted, form)
    if form is Format.GIF:
        return remake_gif(untrusted, limits)
    if form is Format.WEBP and is_animated_webp(untrusted):
        _refuse_turned(untrusted, form)
        content, facts = remake_animated_webp(untrusted, limits, recipe)
    elif form is Format.PNG and is_animated_png(untrusted):
        _refuse_turned(untrusted, form)
        content, facts = remake_animated_png(untrusted, limits, recipe)
    else:
        picture = _loaded(untrusted, form, limits) if decoded is None else decoded
        content, facts = _remake_still(untrusted, picture, form=form, recipe=recipe)
    return content, _with_removed(facts, seen)


def _refuse_turned(untrusted: bytes, form: Format) -> None:
    """Turning an animation would move every frame's place; no camera makes one."""
    with Image.open(io.BytesIO(untrusted), formats=_PLUGIN[form]) as picture:
        if orientation(picture) != 1:
            raise Refusal("The animation is stored turned; export it upright.", code=Code.REBUILD_FAILED)


def _loaded(untrusted: bytes, form: Format, limits: MediaLimits) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limits are checked next
        picture = Image.open(io.BytesIO(untrusted), formats=_PLUGIN[form])
    width, height = picture.size
    if width * height > limits.pixels or max(width, height) > limits.side:
        raise Refusal("The picture has too many pixels.", code=Code.TOO_MANY_PIXELS)
    picture.load()
    return picture


def _remake_still(
    untrusted: bytes, picture: Image.Image, *, form: Format, recipe: Recipe
) -> tuple[bytes, RebuildFacts]:
    source = _source(picture, form)
    notes: list[str] = ["16-bit depth"] if form is Format.PNG and _deep_colour(untrusted) else []
    if source.frames > 1 and form in {Format.HEIC, Format.AVIF}:
        notes.append(f"{source.frames - 1} further pictures")
    target = _WRITTEN_AS.get(form, form)
    if source.transparency is not None and picture.mode in {"1", "L", "RGB"}:
        picture = picture.convert("LA" if picture.mode == "L" else "RGBA")  # one colour was declared transparent
    pixels, profile = settled_colour(picture, source.profile, recipe.colour)
    if recipe.colour is Colour.SRGB and source.gamma is not None and source.profile is None:
        pixels, source = without_gamma(pixels, source.gamma), replace(source, gamma=None)
    pixels, hidden = without_hidden_colour(pixels)
    if hidden:
        notes.append("colour beneath full transparency")
    if target is Format.JPEG and pixels.mode in {"RGBA", "LA", "PA"}:
        pixels = over_white(pixels)
        notes.append("transparency")
    pixels = upright(_in_mode(pixels, target, source.transparency), source.turn)
    if target is Format.WEBP:
        options: dict[str, object] = {"lossless": is_lossless_webp(untrusted), "exact": True}
        options["quality"] = 50 if options["lossless"] else recipe.quality  # for a lossless one it means effort
    elif target is Format.PNG:
        options = _png_options(pixels, source, profile)
    elif target is Format.AVIF:
        options = {"quality": recipe.quality, "speed": _AVIF_SPEED, "max_threads": 1, "autotiling": False}
    else:
        options = {"quality": recipe.quality, "subsampling": source.sampling}
    if profile is not None:
        options["icc_profile"] = profile
    # Pillow's writers fall back on what the reader left here (comments, profiles): nothing of it may pass.
    pixels.info.clear()
    out = io.BytesIO()
    pixels.save(out, _PLUGIN[target][0], **options)
    facts = RebuildFacts(format=target, width=pixels.width, height=pixels.height, frames=1, removed=tuple(notes))
    return out.getvalue(), facts


def _source(picture: Image.Image, form: Format) -> _Source:
    # The HEIF and AVIF readers tell about turning in different ways: the first has already turned the pixels.
    turn = 1 if form is Format.HEIC else orientation(picture)
    info = picture.info
    gamma = info.get("gamma")
    return _Source(
        turn=turn,
        profile=info.get("icc_profile") or _coded_profile(info.get("nclx_profile")),
        sampling=_sampling(picture, turn) if form is Format.JPEG else 0,
        gamma=float(gamma) if isinstance(gamma, int | float) and 0.01 < gamma < 10 else None,
        transparency=info.get("transparency"),
        frames=int(getattr(picture, "n_frames", 1)),
    )


def _coded_profile(points: object) -> bytes | None:
    """HEIC may say by code points what others have a profile for."""
    if not isinstance(points, dict):
        return None
    return coded_profile(points.get("color_primaries"), points.get("transfer_characteristics"))


def _sampling(picture: Image.Image, turn: int) -> int:
    """0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0; a sideways 4:2:2 has no name and becomes 4:4:4."""
    found = JpegImagePlugin.get_sampling(picture) if isinstance(picture, JpegImagePlugin.JpegImageFile) else 0
    return found if found == 2 or (found == 1 and turn < 5) else 0


def _in_mode(picture: Image.Image, target: Format, transparency: object) -> Image.Image:
    """The picture in a mode that the target format has."""
    if target is Format.PNG and picture.mode == "I":
        return picture.convert("I;16")
    if picture.mode in _MODES[target]:
        return picture
    if target is Format.JPEG:
        return picture.convert("RGB")
    transparent = transparency is not None or "A" in picture.mode or "a" in picture.mode
    return picture.convert("RGBA" if transparent else "RGB")


def _png_options(picture: Image.Image, source: _Source, profile: bytes | None) -> dict[str, object]:
    options: dict[str, object] = {}
    if picture.mode in {"P", "I;16"} and source.transparency is not None:
        options["transparency"] = source.transparency
    if source.gamma is not None and profile is None and source.profile is None:
        # Without this a picture that was stored for another gamma would look too light or too dark.
        chunks = PngImagePlugin.PngInfo()
        chunks.add(b"gAMA", round(source.gamma * 100_000).to_bytes(4, "big"))
        options["pnginfo"] = chunks
    return options


def _deep_colour(png: bytes) -> bool:
    """16 bits a channel in colour or with alpha: more than Pillow holds."""
    return len(png) > 26 and png[24] == 16 and png[25] != 0


def _with_removed(facts: RebuildFacts, seen: tuple[str, ...]) -> RebuildFacts:
    return RebuildFacts(
        format=facts.format,
        width=facts.width,
        height=facts.height,
        frames=facts.frames,
        duration_ms=facts.duration_ms,
        removed=tuple(dict.fromkeys(seen + facts.removed)),
    )

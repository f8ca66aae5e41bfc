"""What happens to pixels between decoding and writing: turned upright, colour settled, hidden colour taken out.

What enters: a decoded picture and what its file said about orientation and colour. What leaves: a picture that looks
the same to a viewer that honours those words, and needs at most a small neutral profile for it.
"""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageCms

from transfer.disarm.colour import MAX_PROFILE, neutral_profile
from transfer.model.recipe import Colour

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_USUAL_GAMMA = 0.45455  # what sRGB is near to
_LOSSY_FAULTS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        found = picture.getexif().get(_ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError, KeyError, IndexError, TypeError, OverflowError):
        return 1
    return found if found in _TURNS else 1


def upright(picture: Image.Image, turn: int) -> Image.Image:
    """The picture as it is to be seen."""
    return picture.transpose(_TURNS[turn]) if turn in _TURNS else picture


def settled_colour(picture: Image.Image, profile: object, colour: Colour) -> tuple[Image.Image, bytes | None]:
    """The picture with the neutral profile it still needs, or its pixels converted to sRGB and None.

    `profile` is what the file carried, bytes or nothing. A simple profile is made anew (`colour.py`); one that is not
    simple (tables, CMYK) is applied to the pixels, as every one is if the policy wants sRGB; a broken one is dropped.
    """
    if isinstance(profile, bytes) and profile and colour is Colour.KEEP and picture.mode != "CMYK":
        grey = picture.mode in {"1", "L", "LA", "I", "I;16"}
        neutral = neutral_profile(profile, grey=grey)
        if neutral is not None:
            return picture, neutral
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE:
        converted = _converted(picture, profile)
        if converted is not None:
            return converted, None
    return (picture.convert("RGB") if picture.mode == "CMYK" else picture), None


def without_gamma(picture: Image.Image, gamma: float) -> Image.Image:
    """The same light in sRGB, of a picture whose samples are light to the power of `gamma` (PNG, clause 11.3.2.2).

    16-bit grey stays as it is: no viewer on a telephone takes its gamma into account.
    """
    if abs(gamma - _USUAL_GAMMA) < 0.005 or picture.mode not in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        return picture
    if picture.mode in {"1", "P"}:
        transparent = "transparency" in picture.info
        picture = picture.convert("L" if picture.mode == "1" else "RGBA" if transparent else "RGB")
    curve = [round(255 * _in_srgb((value / 255) ** (1 / gamma))) for value in range(256)]
    straight = list(range(256))
    return picture.point(
        [*curve * (len(picture.getbands()) - ("A" in picture.mode)), *straight * ("A" in picture.mode)]
    )


def _in_srgb(light: float) -> float:
    """IEC 61966-2-1, from linear light; both from 0 to 1."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def without_hidden_colour(picture: Image.Image) -> tuple[Image.Image, bool]:
    """Fully transparent pixels made colourless, and whether any had a colour: what was rubbed out stays gone."""
    if picture.mode not in {"RGBA", "LA"}:
        return picture, False
    alpha = picture.getchannel("A")
    if alpha.getextrema()[0]:
        return picture, False
    bare = Image.new(picture.mode, picture.size)
    bare.paste(picture, mask=alpha.point([0] + [255] * 255))
    hidden = ImageChops.difference(bare, picture).getbbox(alpha_only=False) is not None
    return (bare, True) if hidden else (picture, False)


def over_white(picture: Image.Image) -> Image.Image:
    """A transparent picture as seen on white, for formats without transparency."""
    rgba = picture.convert("RGBA")
    ground = Image.new("RGB", rgba.size, (255, 255, 255))
    ground.paste(rgba, mask=rgba.getchannel("A"))
    return ground


def _converted(picture: Image.Image, profile: bytes) -> Image.Image | None:
    """The pixels in sRGB, or None where the profile does not fit them."""
    alpha = picture.getchannel("A") if picture.mode in {"RGBA", "LA"} else None
    if picture.mode == "P":
        transparent = "transparency" in picture.info
        picture = picture.convert("RGBA" if transparent else "RGB")
        alpha = picture.getchannel("A") if transparent else None
    flat = picture.convert(picture.mode[:-1]) if alpha is not None else picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        result = ImageCms.profileToProfile(flat, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except _LOSSY_FAULTS:
        return None
    if result is None:
        return None
    if alpha is not None:
        result.putalpha(alpha)
    return result

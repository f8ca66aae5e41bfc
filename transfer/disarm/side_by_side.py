"""Two contact sheets on one: what is to be signed beside what it looks like, drawn by a sandbox child.

What enters: a descriptor with two of our own contact sheets, one behind the other, and where the second begins. What
leaves: one plain JPEG on another descriptor, or findings. Which of the two is which stands below them.
"""

from __future__ import annotations

import io
import os

from PIL import Image, ImageDraw, ImageFont

from transfer.disarm.descriptors import OutputFault, read_whole, write_whole
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts

_LARGEST = (1000, 1400)  # points, of each
_CAPTION, _GAP = 26, 10
_QUALITY = 85
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_WORDS = ("to be signed", "released before")


def draw_pair(
    sheets: int, out: int, *, second: int, limits: MediaLimits
) -> tuple[RebuildFacts | None, tuple[Finding, ...]]:
    """Writes both into `out`. Facts, or a finding; one with `world` means that the output could not be written."""
    content = read_whole(sheets, limit=limits.any_bytes)
    try:
        pictures = [_opened(part) for part in (content[:second], content[second:])]
        written = io.BytesIO()
        sheet = _beside(pictures)
        sheet.save(written, "JPEG", quality=_QUALITY)
        write_whole(out, written.getvalue())
    except OutputFault as fault:
        return None, (_finding("world", os.strerror(fault.errno)),)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return None, (_finding("reason", type(error).__name__),)
    return RebuildFacts(format=Format.JPEG, width=sheet.width, height=sheet.height, frames=len(pictures)), ()


def _opened(part: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(part), formats=["JPEG"]).convert("RGB")
    picture.thumbnail(_LARGEST)
    return picture


def _beside(pictures: list[Image.Image]) -> Image.Image:
    width = sum(picture.width + _GAP for picture in pictures) + _GAP
    height = max(picture.height for picture in pictures) + _CAPTION + 2 * _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    for picture, words in zip(pictures, _WORDS, strict=True):
        sheet.paste(picture, (left, _GAP))
        draw.text((left, _GAP + picture.height + 4), words, fill=_INK, font=ImageFont.load_default(16))
        left += picture.width + _GAP
    return sheet


def warm() -> None:
    """Loads the font, which a confined process could not."""
    ImageDraw.Draw(Image.new("RGB", (8, 8))).text((0, 0), _WORDS[0], font=ImageFont.load_default(16))


def _finding(name: str, text: str) -> Finding:
    return Finding(code=Code.REBUILD_FAILED, detail={name: text[:120]})

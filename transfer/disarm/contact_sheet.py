"""A contact sheet of a rebuilt file: pictures of it for whoever is to sign, drawn by a sandbox child.

What enters: a descriptor of a clean blob, its format, the policy's limits. What leaves: one plain JPEG on another
descriptor, or findings. A still picture is shown as large as a screen, an animation and a film by up to twelve pictures
over their length with their times; of a text there is no picture.

It runs in the sandbox and not where somebody previews, because a clean blob is not harmless to decode: a film's packets
are those that came, only their container is new. The child that draws gets the clean blob and never the original.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

from transfer.disarm.descriptors import Inflow, OutputFault, read_whole, write_whole
from transfer.disarm.pixels import over_white, settled_colour, upright
from transfer.errors import Refusal
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format, RebuildFacts
from transfer.model.recipe import Colour
from transfer.model.turn import orientation

PICTURES = 12
COLUMNS = 3
TILE = (512, 512)  # the largest a picture among others is drawn
ALONE = (1600, 1600)  # the largest a single one is drawn
MAX_PACKETS = 4_000  # read in search of one frame

_CAPTION, _GAP = 22, 8
_QUALITY = 85
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_BROKEN = (
    av.error.FFmpegError,
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)

Shown = tuple[str, Image.Image]  # a caption and a picture


def warm() -> None:
    """Loads the font, which a confined process could not."""
    ImageDraw.Draw(Image.new("RGB", (8, 8))).text((0, 0), "0:00", font=ImageFont.load_default(14))


def draw_sheet(
    clean: int,
    out: int,
    *,
    format: Format,  # noqa: A002 - the word of the wire protocol
    limits: MediaLimits,
) -> tuple[RebuildFacts | None, tuple[Finding, ...]]:
    """Writes the sheet into `out`. Its facts (`frames` is how many pictures are on it), or findings why there is none.

    A finding with `world` in its detail means that the output could not be written.
    """
    try:
        shown = list(_pictures(clean, format, limits))
        sheet = _alone(shown[0][1]) if len(shown) == 1 else _laid_out(shown)
        content = io.BytesIO()
        sheet.save(content, "JPEG", quality=_QUALITY)
        write_whole(out, content.getvalue())
    except OutputFault as fault:
        return None, (_finding("world", str(fault)),)
    except Refusal as refusal:
        return None, (_finding("reason", refusal.sentence),)
    except MemoryError:
        raise  # the child says so itself
    except (*_BROKEN, Image.DecompressionBombError) as error:
        return None, (_finding("reason", type(error).__name__),)
    return RebuildFacts(format=Format.JPEG, width=sheet.width, height=sheet.height, frames=len(shown)), ()


def _pictures(clean: int, form: Format, limits: MediaLimits) -> Iterator[Shown]:
    match form.family:
        case Family.IMAGE:
            yield from _stills(read_whole(clean, limit=limits.any_bytes), limits)
        case Family.VIDEO:
            yield from _scenes(clean, limits)
        case Family.TEXT:
            raise Refusal("There is no picture of a text.", code=Code.REBUILD_FAILED)


def _stills(content: bytes, limits: MediaLimits) -> Iterator[Shown]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked next
        picture = Image.open(io.BytesIO(content))
    if picture.width * picture.height > limits.pixels:
        raise Refusal("The picture has too many pixels.", code=Code.TOO_MANY_PIXELS)
    frames = int(getattr(picture, "n_frames", 1))
    for number in _spread(frames):
        picture.seek(number)
        picture.load()
        pixels, _profile = settled_colour(picture, picture.info.get("icc_profile"), Colour.SRGB)
        yield f"picture {number + 1} of {frames}", _fitted(over_white(pixels), ALONE if frames == 1 else TILE)


def _scenes(clean: int, limits: MediaLimits) -> Iterator[Shown]:
    with av.open(Inflow(clean), "r", metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"max_pixels": str(limits.pixels)}
        stream.codec_context.skip_frame = "NONKEY"
        length = (container.duration or 0) / av.time_base
        seen: set[int | None] = set()
        for number in _spread(PICTURES):
            if number:
                at = int(length * av.time_base * number / PICTURES)
                container.seek((container.start_time or 0) + at, backward=True)
            frame = _next_frame(container, stream)
            if frame is None or frame.pts in seen:
                continue
            seen.add(frame.pts)
            picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV says no types here
            yield _clock(frame.time or 0.0), _fitted(upright(picture, orientation(frame.side_data)), TILE)
    if not seen:
        raise Refusal("There is no picture to decode.", code=Code.UNDECODABLE)


def _next_frame(container: InputContainer, stream: VideoStream) -> av.VideoFrame | None:
    for number, packet in enumerate(container.demux(stream)):
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                return frame
        if number >= MAX_PACKETS:
            break
    return None


def _spread(frames: int) -> list[int]:
    """Which of so many frames are shown: all of a few, else the first, the last and others evenly between."""
    if frames <= PICTURES:
        return list(range(frames))
    return [number * (frames - 1) // (PICTURES - 1) for number in range(PICTURES)]


def _fitted(picture: Image.Image, largest: tuple[int, int]) -> Image.Image:
    picture = picture.convert("RGB")
    picture.thumbnail(largest)
    return picture


def _alone(picture: Image.Image) -> Image.Image:
    fresh = Image.new("RGB", picture.size, _PAPER)  # with nothing of what the reader left in `info`
    fresh.paste(picture)
    return fresh


def _laid_out(shown: list[Shown]) -> Image.Image:
    width = max(picture.width for _, picture in shown)
    height = max(picture.height for _, picture in shown) + _CAPTION
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for number, (caption, picture) in enumerate(shown):
        row, column = divmod(number, columns)
        left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _GAP)
        sheet.paste(picture, (left, top))
        draw.text((left, top + picture.height + 2), caption, fill=_INK, font=font)
    return sheet


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0.0, seconds), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _finding(name: str, text: str) -> Finding:
    return Finding(code=Code.REBUILD_FAILED, detail={name: text[:120]})

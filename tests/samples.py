"""Sample files made on the spot, so that no photo of anybody lies in the repository.

Every function returns the bytes of one file. The pictures are a gradient with a red corner (any change of
colour, orientation or order shows); everything is deterministic for the same arguments as far as the
encoders are. The constants are what the metadata says, for tests that look for leftovers.
"""

from __future__ import annotations

import array
import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

import av
import pillow_heif
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

CAMERA = "Sample Camera 7"
AUTHOR = "Sam Sample"
COMMENT = "made for the tests"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="Sam Sample"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
_ASS_HEADER = b"[Script Info]\n[V4+ Styles]\nFormat: Name\nStyle: Default\n[Events]\nFormat: Text\n"


def picture(width: int = 640, height: int = 480, *, mode: str = "RGB", shift: int = 0) -> Image.Image:
    """A gradient with a red square at its top left; `shift` moves the colours, for frames of an animation."""
    down = Image.linear_gradient("L").resize((width, height))
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    third = Image.new("L", (width, height), (96 + shift * 40) % 256)
    image = Image.merge("RGB", (across, down, third))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 4, height // 4), fill=(200, 16, 16))
    if mode == "RGBA":
        image.putalpha(across)
        return image
    return image.convert(mode)


def exif_block(*, gps: bool = True, orientation: int = 1) -> bytes:
    """An EXIF block with camera, author, comment and, if wanted, a place."""
    exif = Image.Exif()
    exif[0x010F] = CAMERA
    exif[0x013B] = AUTHOR
    exif[0x9286] = COMMENT
    exif[0x0112] = orientation
    if gps:
        place = exif.get_ifd(0x8825)
        place.update({1: "N", 2: (51.0, 45.0, 0.0), 3: "W", 4: (1.0, 15.0, 0.0)})
    return exif.tobytes()


def colour_profile() -> bytes:
    """An sRGB ICC profile, made on the first day of 2026."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made[:24] + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + made[36:]


def jpeg(
    width: int = 640,
    height: int = 480,
    *,
    exif: bool = True,
    gps: bool = True,
    orientation: int = 1,
    icc: bool = False,
    xmp: bool = False,
    comment: str = "",
    mode: str = "RGB",
    progressive: bool = False,
    quality: int = 90,
) -> bytes:
    """A JPEG; with `exif=False` and nothing else asked for it carries no metadata."""
    extra: dict[str, object] = {"progressive": progressive}
    if exif or orientation != 1:
        extra["exif"] = exif_block(gps=gps and exif, orientation=orientation)
    if icc:
        extra["icc_profile"] = colour_profile()
    if xmp:
        extra["xmp"] = XMP
    if comment:
        extra["comment"] = comment
    return _save(picture(width, height, mode=mode), "JPEG", quality=quality, **extra)


def png(
    width: int = 320,
    height: int = 240,
    *,
    alpha: bool = True,
    text: Mapping[str, str] | None = None,
    exif: bool = False,
    icc: bool = False,
    mode: str = "",
) -> bytes:
    """A PNG with alpha; `text` becomes tEXt, zTXt and iTXt chunks in turn."""
    chunks = PngImagePlugin.PngInfo()
    for number, (key, value) in enumerate((text if text is not None else {"Author": AUTHOR}).items()):
        if number % 3 == 2:
            chunks.add_itxt(key, value)
        else:
            chunks.add_text(key, value, zip=number % 3 == 1)
    extra: dict[str, object] = {"exif": exif_block()} if exif else {}
    if icc:
        extra["icc_profile"] = colour_profile()
    return _save(picture(width, height, mode=mode or ("RGBA" if alpha else "RGB")), "PNG", pnginfo=chunks, **extra)


def webp(
    width: int = 320,
    height: int = 240,
    *,
    frames: int = 1,
    alpha: bool = False,
    lossless: bool = False,
    exif: bool = True,
    gps: bool = True,
    xmp: bool = False,
) -> bytes:
    """A WebP, animated when `frames` is above 1 (100 ms a frame, endless)."""
    mode = "RGBA" if alpha else "RGB"
    extra: dict[str, object] = {"exif": exif_block(gps=gps)} if exif else {}
    if xmp:
        extra["xmp"] = XMP
    return _save(*_frames(width, height, frames, mode), "WEBP", lossless=lossless, duration=100, loop=0, **extra)


def gif(width: int = 160, height: int = 120, *, frames: int = 1, comment: str = COMMENT, duration: int = 80) -> bytes:
    """A GIF, animated when `frames` is above 1 (`duration` ms a frame, endless), with a comment block."""
    extra: dict[str, object] = {"comment": comment.encode()} if comment else {}
    return _save(*_frames(width, height, frames, "RGB"), "GIF", duration=duration, loop=0, **extra)


def heic(width: int = 320, height: int = 240, *, exif: bool = True, gps: bool = True, orientation: int = 1) -> bytes:
    """A HEIC, as a phone writes it."""
    heif = pillow_heif.from_pillow(picture(width, height))
    out = io.BytesIO()
    if exif or orientation != 1:
        heif.save(out, quality=80, exif=exif_block(gps=gps and exif, orientation=orientation))
    else:
        heif.save(out, quality=80)
    return out.getvalue()


def avif(width: int = 320, height: int = 240, *, exif: bool = True, gps: bool = True, frames: int = 1) -> bytes:
    """An AVIF, animated when `frames` is above 1."""
    extra: dict[str, object] = {"exif": exif_block(gps=gps)} if exif else {}
    return _save(*_frames(width, height, frames, "RGB"), "AVIF", quality=70, speed=10, duration=100, **extra)


def mp4(
    seconds: float = 1,
    *,
    width: int = 320,
    height: int = 240,
    codec: str = "libx264",
    audio: str = "aac",
    metadata: bool = True,
    data: bool = False,
    subtitle: bool = False,
    comment: str = "",
    rate: int = 25,
    options: Mapping[str, str] | None = None,
    form: str = "mp4",
) -> bytes:
    """An MP4 (H.264/AAC unless told otherwise; `codec=""` or `audio=""` leaves that stream out).

    `metadata` writes title, artist, place and date; `data` adds a timed-metadata stream as phones do; `subtitle` a
    mov_text stream; `comment` the comment tag (`vid:v…` is TikTok's).
    """
    out = io.BytesIO()
    tags = {"title": "Open day", "artist": AUTHOR, "comment": comment} if metadata else {"comment": comment}
    if metadata and form in {"mp4", "mov"}:
        tags |= {"location": "+51.7500-001.2500/", "creation_time": "2026-01-01T00:00:00Z"}
    with av.open(out, "w", format=form, options=dict(options or {})) as container:
        container.metadata.update({key: value for key, value in tags.items() if value})
        pictures = container.add_stream(codec, rate=rate) if codec else None
        sounds = container.add_stream(audio, rate=48_000, options={"strict": "experimental"}) if audio else None
        extra = container.add_data_stream("bin_data") if data else None
        words = container.add_stream("mov_text") if subtitle else None
        if words is not None:
            words.codec_context.subtitle_header = _ASS_HEADER
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
            pictures.codec_context.gop_size = rate
            if metadata:
                pictures.metadata.update({"handler_name": CAMERA, "language": "deu"})
            for number in range(max(1, round(seconds * rate))):
                frame = av.VideoFrame.from_image(picture(width, height, shift=number % 5))
                frame.pts, frame.time_base = number, Fraction(1, rate)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode())
        if sounds is not None:
            for frame in _tone(seconds, sounds.codec_context.format.name):
                container.mux(sounds.encode(frame))
            container.mux(sounds.encode())
        for stream, payload in ((extra, b"gps 51.75 -1.25"), (words, b"\x00\x05Hello")):
            if stream is not None:
                packet = av.Packet(payload)
                packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
                packet.time_base = Fraction(1, 1000)
                container.mux(packet)
    return out.getvalue()


def mov(seconds: float = 1, *, width: int = 320, height: int = 240, metadata: bool = True, data: bool = False) -> bytes:
    """A QuickTime film, H.264/AAC, as an iPhone writes it."""
    if not data:
        return mp4(seconds, width=width, height=height, metadata=metadata, form="mov")
    # FFmpeg's MOV writer has no data streams: its MP4 writer has, and the brand is what makes it a QuickTime film.
    return mp4(seconds, width=width, height=height, metadata=metadata, data=True).replace(b"ftypisom", b"ftypqt  ", 1)


def webm(
    seconds: float = 1,
    *,
    width: int = 320,
    height: int = 240,
    codec: str = "libvpx-vp9",
    audio: str = "libopus",
    metadata: bool = True,
) -> bytes:
    """A WebM, VP9/Opus unless told otherwise."""
    return mp4(seconds, width=width, height=height, codec=codec, audio=audio, metadata=metadata, form="webm")


def text(words: str = "Come to our open day! \N{PARTY POPPER}\n") -> bytes:
    """A caption in UTF-8."""
    return words.encode()


def srt(lines: Sequence[str] = ("Welcome", "to the open day")) -> bytes:
    """SubRip subtitles, two seconds a line."""
    cues = (
        f"{number + 1}\n00:00:{number * 2:02d},000 --> 00:00:{number * 2 + 2:02d},000\n{line}\n"
        for number, line in enumerate(lines)
    )
    return "\n".join(cues).encode()


def vtt(lines: Sequence[str] = ("Welcome", "to the open day")) -> bytes:
    """WebVTT subtitles, two seconds a line."""
    cues = (f"00:{number * 2:02d}.000 --> 00:{number * 2 + 2:02d}.000\n{line}\n" for number, line in enumerate(lines))
    return ("WEBVTT\n\n" + "\n".join(cues)).encode()


def truncated(whole: bytes, part: float = 0.5) -> bytes:
    """The first part of a file."""
    return whole[: int(len(whole) * part)]


def trailed(whole: bytes, tail: bytes = b"PK\x03\x04 something behind the picture") -> bytes:
    """A file with something behind its end: a polyglot, or a motion photo."""
    return whole + tail


def png_claiming(width: int, height: int) -> bytes:
    """A decompression bomb: a tiny PNG whose header claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )


def jpeg_with_segment(marker: int, payload: bytes, whole: bytes | None = None) -> bytes:
    """A JPEG with one more segment (`marker` 0xE0 to 0xFE) right behind its start."""
    whole = jpeg(exif=False) if whole is None else whole
    return whole[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + whole[2:]


def content_credentials() -> bytes:
    """An APP11 payload that looks like the start of a C2PA manifest store (JUMBF); pass it as marker 0xEB."""
    label = b"c2pa\x00"
    description = (
        struct.pack(">I", 8 + 16 + 1 + len(label)) + b"jumd" + b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
    )
    description += b"\x03" + label
    return b"JP\x00\x01\x00\x00\x00\x01" + struct.pack(">I", 8 + len(description)) + b"jumb" + description


def box(kind: bytes, payload: bytes) -> bytes:
    """One ISO base media box; appended to an MP4 it stands behind its last one."""
    return struct.pack(">I", len(payload) + 8) + kind + payload


def program() -> bytes:
    """The first bytes of a program for Windows."""
    return (
        b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00"
        + b"\0" * 44
        + b"\x80\x00\x00\x00"
        + b"\0" * 64
        + b"PE\0\0"
    )


def _frames(width: int, height: int, frames: int, mode: str) -> list[Image.Image]:
    return [picture(width, height, mode=mode, shift=number) for number in range(frames)]


def _tone(seconds: float, form: str) -> list[av.AudioFrame]:
    whole = form.startswith("s16")
    frames = []
    for start in range(0, max(960, int(seconds * 48_000)), 960):
        wave = [math.sin((start + step) * 2 * math.pi * 440 / 48_000) * 0.3 for step in range(960)]
        one = array.array("h", (int(w * 32_767) for w in wave)) if whole else array.array("f", wave)
        both = array.array(one.typecode, (value for sample in one for value in (sample, sample)))
        frame = av.AudioFrame(format=form, layout="stereo", samples=960)
        for plane in frame.planes:
            plane.update((one if form.endswith("p") else both).tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        frames.append(frame)
    return frames


def _save(first: Image.Image, *rest: Image.Image | str, **options: object) -> bytes:
    *others, form = rest
    out = io.BytesIO()
    if others:
        options |= {"save_all": True, "append_images": others}
    first.save(out, form, **options)
    return out.getvalue()

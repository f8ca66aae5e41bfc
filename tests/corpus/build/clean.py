"""Files with nothing in them but what one sees and hears: every one passes with nothing to say about it."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pillow_heif
from PIL import Image

from tests import samples
from tests.corpus.build.films import film
from tests.corpus.build.parts import PNG_START, chunk, gif, gif_frame, header, jpeg_parts, png, rows

# Of the seven passes of an interlaced PNG: where it begins, and its steps (PNG specification, section 8.2).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """The picture as Pillow writes it."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def animated(form: str, frames: int = 4, mode: str = "RGB", **options: object) -> bytes:
    """An animation of the gradient, 100 ms a frame."""
    first, *others = (samples.picture(120, 90, mode=mode, shift=number) for number in range(frames))
    return saved(first, form, save_all=True, append_images=others, duration=100, loop=0, **options)


def interlaced_png() -> bytes:
    """A PNG in seven passes (Adam7), which Pillow reads but does not write."""
    width, height = 64, 48
    whole = rows(width, height)
    lines = [whole[y * (1 + 3 * width) + 1 : (y + 1) * (1 + 3 * width)] for y in range(height)]
    body = bytearray()
    for x0, y0, dx, dy in _PASSES:
        for y in range(y0, height, dy):
            body.append(0)
            for x in range(x0, width, dx):
                body += lines[y][3 * x : 3 * x + 3]
    return PNG_START + header(width, height, interlace=1) + chunk(b"IDAT", zlib.compress(bytes(body))) + chunk(b"IEND")


def deep_png() -> bytes:
    """A PNG of 16 bits a channel."""
    body = chunk(b"IDAT", zlib.compress(rows(64, 48, deep=True)))
    return PNG_START + header(64, 48, depth=16) + body + chunk(b"IEND")


def split_png() -> bytes:
    """A PNG whose picture lies in thirty chunks, an empty one among them."""
    packed = zlib.compress(rows(64, 48))
    step = len(packed) // 29 + 1
    parts = [chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)]
    return PNG_START + header(64, 48) + b"".join([*parts, chunk(b"IDAT")]) + chunk(b"IEND")


def filled_jpeg() -> bytes:
    """A JPEG with fill bytes before its markers, as the standard allows."""
    whole = samples.jpeg(exif=False)
    parts, rest = jpeg_parts(whole)
    return whole[:2] + b"".join(b"\xff\xff" + part for part in parts) + rest


def heif(**options: object) -> bytes:
    """A HEIC without metadata."""
    out = io.BytesIO()
    pillow_heif.from_pillow(samples.picture(320, 240)).save(out, quality=80, **options)
    return out.getvalue()


def _picture(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    return samples.picture(width, height, mode=mode)


JPEGS: dict[str, Callable[[], bytes]] = {
    "still.jpg": lambda: samples.jpeg(exif=False),
    "full-hd.jpg": lambda: samples.jpeg(1920, 1080, exif=False),
    "upright.jpg": lambda: samples.jpeg(720, 1280, exif=False),
    "progressive.jpg": lambda: samples.jpeg(exif=False, progressive=True),
    "grey.jpg": lambda: samples.jpeg(exif=False, mode="L"),
    "low-quality.jpg": lambda: samples.jpeg(exif=False, quality=30),
    "full-colour.jpg": lambda: saved(_picture(), "JPEG", quality=95, subsampling=0),
    "half-colour.jpg": lambda: saved(_picture(), "JPEG", quality=90, subsampling=1),
    "optimised.jpg": lambda: saved(_picture(), "JPEG", quality=80, optimize=True),
    "restart-markers.jpg": lambda: saved(_picture(), "JPEG", quality=80, restart_marker_rows=1),
    "with-density.jpg": lambda: saved(_picture(), "JPEG", quality=80, dpi=(300, 300)),
    "odd-sides.jpg": lambda: samples.jpeg(333, 217, exif=False),
    "tiny.jpg": lambda: samples.jpeg(16, 16, exif=False),
    "narrow.jpg": lambda: samples.jpeg(40, 1200, exif=False),
    "fill-bytes.jpg": filled_jpeg,
    "padded-with-zeros.jpg": lambda: samples.jpeg(exif=False) + bytes(4096),
    "other-extension.jpeg": lambda: samples.jpeg(200, 150, exif=False),
    "third-extension.jfif": lambda: samples.jpeg(210, 150, exif=False),
    "CAPITALS.JPG": lambda: samples.jpeg(220, 150, exif=False),
}
OTHER_PICTURES: dict[str, Callable[[], bytes]] = {
    "colour.png": lambda: saved(_picture(320, 240), "PNG"),
    "transparent.png": lambda: saved(_picture(320, 240, "RGBA"), "PNG"),
    "grey.png": lambda: saved(_picture(320, 240, "L"), "PNG"),
    "grey-transparent.png": lambda: saved(_picture(320, 240, "RGBA").convert("LA"), "PNG"),
    "palette.png": lambda: saved(_picture(320, 240).quantize(32), "PNG"),
    "palette-transparent.png": lambda: saved(_picture(320, 240).quantize(16), "PNG", transparency=3),
    "black-and-white.png": lambda: saved(_picture(320, 240, "1"), "PNG"),
    "deep-grey.png": lambda: saved(_picture(320, 240, "L").convert("I;16"), "PNG"),
    "deep-colour.png": deep_png,
    "interlaced.png": interlaced_png,
    "many-chunks.png": split_png,
    "with-gamma.png": lambda: png(chunk(b"gAMA", (45_455).to_bytes(4, "big"))),
    "with-density.png": lambda: saved(_picture(320, 240), "PNG", dpi=(72, 72)),
    "animated.png": lambda: animated("PNG"),
    "still.gif": lambda: saved(_picture(160, 120), "GIF"),
    "animated.gif": lambda: animated("GIF"),
    "by-hand.gif": lambda: gif(gif_frame(), gif_frame(4, 4, at=(2, 2))),
    "transparent.gif": lambda: saved(_picture(160, 120).quantize(16), "GIF", transparency=2),
    "interlaced.gif": lambda: saved(_picture(160, 120), "GIF", interlace=1),
    "photo.webp": lambda: samples.webp(exif=False),
    "lossless.webp": lambda: samples.webp(exif=False, lossless=True),
    "transparent.webp": lambda: samples.webp(exif=False, alpha=True),
    "animated.webp": lambda: animated("WEBP"),
    "animated-transparent.webp": lambda: animated("WEBP", mode="RGBA", lossless=True),
    "phone.heic": lambda: samples.heic(exif=False),
    "other-extension.heif": lambda: heif(chroma=444),
    "new.avif": lambda: samples.avif(exif=False),
    "transparent.avif": lambda: saved(_picture(160, 120, "RGBA"), "AVIF", quality=70, speed=10),
}
FILMS: dict[str, Callable[[], bytes]] = {
    "clip.mp4": film,
    "silent.mp4": lambda: film(audio=""),
    "upright.mp4": lambda: film(size=(108, 192)),
    "hevc.mp4": lambda: film(codec="libx265", codec_tag="hvc1"),
    "hevc-ten-bits.mp4": lambda: film(codec="libx265", pixels="yuv420p10le", codec_tag="hvc1"),
    "av1.mp4": lambda: film(codec="libsvtav1"),
    "vp9.mp4": lambda: film(codec="libvpx-vp9"),
    "mp3-sound.mp4": lambda: film(audio="libmp3lame"),
    "opus-sound.mp4": lambda: film(audio="libopus"),
    "reordered.mp4": lambda: film(between=2),
    "varying-rate.mp4": lambda: film(pauses=True),
    "fast-start.mp4": lambda: film(movflags="faststart"),
    "fragmented.mp4": lambda: film(movflags="frag_keyframe+empty_moov+default_base_moof"),
    "sixty-a-second.mp4": lambda: film(rate=60, frames=60),
    "three-seconds.mp4": lambda: film(frames=75),
    "one-picture.mp4": lambda: film(frames=1, audio=""),
    "apple.m4v": lambda: film(size=(128, 96)),
    "clip.mov": lambda: film(form="mov"),
    "hevc.mov": lambda: film(form="mov", codec="libx265", codec_tag="hvc1"),
    "vp9.webm": lambda: film(form="webm", codec="libvpx-vp9", audio="libopus"),
    "vp8.webm": lambda: film(form="webm", codec="libvpx", audio="libopus"),
    "av1.webm": lambda: film(form="webm", codec="libsvtav1", audio="libopus"),
    "silent.webm": lambda: film(form="webm", codec="libvpx-vp9", audio=""),
    "transparent.webm": lambda: film(form="webm", codec="libvpx-vp9", audio="", pixels="yuva420p"),
}
_WORDS = {
    "caption.txt": "Come to our open day on 14 March! \N{PARTY POPPER}\n",
    "hearts-and-tags.txt": "We <3 our students! #openday #uni2026 @university, doors open 10:00 – 16:00. £5 :-)\n",
    "mathematics.txt": "For all a < b and c > d: a*b <= c, 2^10 = 1024, {x | x != 0}; see lecture 3/4.\n",
    "code-like-words.txt": "Python & JavaScript in May. import curiosity; print(your_badge)! #include everyone\n",
    "many-languages.txt": "Willkommen! Bienvenue ! Добро пожаловать! ようこそ! 欢迎! مرحبا! ברוכים! 환영합니다!\n",
    "family-emoji.txt": "Families \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 are welcome!\n",
    "ordinary-words.txt": "A secret garden, an internal courtyard, draft beer and a restricted view of it all.\n",
    "dates-and-prices.txt": "2025-2026. ISBN 978-3-16-148410-0. £9,250 a year. 12.03.2026, 10:00-16:30. Room 3.141.\n",
    "other-extension.caption": "Doors open at ten.\n",
    "no-line-end.txt": "See you there",
}  # fmt: skip
TEXTS: dict[str, Callable[[], bytes]] = {
    **{name: (lambda words=words: words.encode()) for name, words in _WORDS.items()},
    "byte-order-mark.txt": lambda: b"\xef\xbb\xbfWith a mark at its front.\n",
    "windows-lines.txt": lambda: b"First line\r\nSecond line\r\n",
    "long.txt": ("An ordinary sentence about an ordinary day.\n" * 1_500).encode,
    "subtitles.srt": samples.srt,
    "many-cues.srt": lambda: samples.srt([f"Line {number}" for number in range(29)]),
    "emphasis.srt": lambda: samples.srt(["<i>Whispered</i>", "<b>Loud</b> and <u>clear</u>"]),
    "subtitles.vtt": samples.vtt,
    "placed.vtt": lambda: b"WEBVTT\n\n00:00.000 --> 00:02.000 line:10% align:start\nAt the top\n",
    "hours.vtt": lambda: b"WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHours are given\n",
}
FILES = JPEGS | OTHER_PICTURES | FILMS | TEXTS

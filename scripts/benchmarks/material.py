"""What is dropped: pictures that look like photographs to an encoder, and films of any size."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import av
from PIL import Image, ImageChops, ImageDraw

HD = (1920, 1080)
_FRAMES = 30
_RATE = 30
_MEBIBYTE = 1 << 20


def make_picture(path: Path, *, seed: str, size: tuple[int, int] = HD, quality: int = 88, grain: float = 0.1) -> int:
    """A JPEG of coloured shapes on clouds with some grain; its size in bytes. Another seed is another picture."""
    dice = random.Random(seed)
    clouds = Image.effect_noise((size[0] // 8, size[1] // 8), 40 + dice.randrange(40)).convert("RGB")
    picture = clouds.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, width = dice.randrange(size[0]), dice.randrange(size[1]), dice.randrange(20, size[0] // 4)
        draw.ellipse((x, y, x + width, y + width), fill=tuple(dice.randrange(256) for _ in range(3)))
    moved = ImageChops.offset(_grain(size), dice.randrange(size[0]), dice.randrange(size[1]))
    Image.blend(picture, moved, grain).save(path, "JPEG", quality=quality)
    return path.stat().st_size


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Different pictures of 1080p, made on all cores."""
    folder.mkdir()
    paths = [folder / f"photo-{number:04}.jpg" for number in range(count)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_numbered, folder=str(folder)), paths, chunksize=8))
    return paths


def make_film(path: Path, size: int) -> int:
    """An H.264 and AAC film in MP4 of at least `size` bytes: one second, encoded at a high rate, again and again.

    Answers how many seconds it plays.
    """
    pieces = _one_second(path.with_suffix(".second.mp4"))
    written = seconds = 0
    with av.open(str(path), "w") as film, av.open(str(path.with_suffix(".second.mp4"))) as second:
        streams = {stream.index: film.add_stream_from_template(stream) for stream in second.streams}
        while written < size:
            for index, base, pts, dts, duration, is_keyframe, content in pieces:
                packet = av.Packet(content)
                packet.stream = streams[index]
                packet.time_base = base
                shift = int(seconds / base)
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                packet.is_keyframe = is_keyframe
                film.mux(packet)
                written += len(content)
            seconds += 1
    path.with_suffix(".second.mp4").unlink()
    return seconds


def _numbered(path: Path, *, folder: str) -> int:
    return make_picture(path, seed=f"{Path(folder).name} {path.name}")


@cache
def _grain(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 90).convert("RGB")


def _one_second(path: Path) -> list[tuple[int, Fraction, int, int, int, bool, bytes]]:
    """The packets of one second of film at about 100 Mbit/s, in the order in which they are to be written."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast", "qp": "6", "bf": "0"})
        video.width, video.height, video.pix_fmt = *HD, "yuv420p"
        sound = film.add_stream("aac", rate=48_000)
        grain = _grain(HD)
        for number in range(_FRAMES):
            moved = ImageChops.offset(grain, 7 * number, 5 * number)
            frame = av.VideoFrame.from_image(moved.resize((480, 270)).resize(HD))
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=48_000)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.rate, silence.pts = 48_000, 0
        film.mux(sound.encode(silence))
        film.mux(sound.encode(None))
    with av.open(str(path)) as film:
        return [
            (
                packet.stream.index,
                packet.time_base,
                int(packet.pts),
                int(packet.dts),
                int(packet.duration or 0),
                packet.is_keyframe,
                bytes(packet),
            )
            for packet in film.demux()
            if packet.dts is not None and packet.pts is not None and 0 <= packet.dts * packet.time_base < 1
        ]

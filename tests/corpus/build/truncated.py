"""Files that break off: at half, shortly before the end, after the header, one byte short."""

from __future__ import annotations

from collections.abc import Callable

from tests import samples
from tests.corpus.build.clean import animated
from tests.corpus.build.films import film

_WHOLE: dict[str, Callable[[], bytes]] = {
    "photo.jpg": samples.jpeg,
    "progressive.jpg": lambda: samples.jpeg(exif=False, progressive=True),
    "drawing.png": samples.png,
    "loop.gif": lambda: samples.gif(frames=3),
    "sticker.webp": samples.webp,
    "animated.png": lambda: animated("PNG"),
    "phone.heic": samples.heic,
    "new.avif": samples.avif,
    "clip.mp4": film,
    "first-index.mp4": lambda: film(movflags="faststart"),
    "clip.mov": lambda: film(form="mov"),
    "clip.webm": lambda: film(form="webm", codec="libvpx", audio="libopus"),
}
_CUTS: dict[str, Callable[[int], int]] = {
    "half": lambda size: size // 2,
    "last-tenth-gone": lambda size: size * 9 // 10,
    "head-only": lambda size: min(size // 8, 40),
    "one-byte-short": lambda size: size - 1,
}


def _cut(name: str, cut: str) -> Callable[[], bytes]:
    def make() -> bytes:
        whole = _WHOLE[name]()
        return whole[: _CUTS[cut](len(whole))]

    return make


FILES: dict[str, Callable[[], bytes]] = {
    **{f"{cut}-{name}": _cut(name, cut) for name in _WHOLE for cut in _CUTS},
    "half-a-letter.txt": lambda: "Universität".encode()[:10],
    "cut-cue.srt": lambda: samples.srt()[:30],
    "cut-cue.vtt": lambda: samples.vtt()[:20],
}

"""Sample files for `transfer init --demo`, made on the spot: what passes, what is refused and why one would look."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw

from transfer.store.durable import world_errors

_WIDTH, _HEIGHT = 1280, 720


def write_samples(folder: Path) -> list[str]:
    """Writes the samples into a new folder; their names. Raises Unavailable."""
    samples = {
        "campus.jpg": _photo(),
        "caption.txt": "Open day on Saturday 🎓 Come and see us!\n".encode(),
        "tour.mp4": _film(),
        "minutes.txt": b"CONFIDENTIAL\nMinutes of the management meeting.\n",
        "invoice.exe": b"MZ this is no photo, it only shows what happens to software\n",
        "really-a-png.jpg": _png(),
    }
    with world_errors("writing the demo samples"):
        folder.mkdir()
        for name, content in samples.items():
            (folder / name).write_bytes(content)
    return list(samples)


def _scene(shift: int = 0) -> Image.Image:
    picture = Image.linear_gradient("L").resize((_WIDTH, _HEIGHT))
    sky = Image.merge("RGB", (picture.point(lambda v: 90 + v // 3), picture.point(lambda v: 140 + v // 4), picture))
    draw = ImageDraw.Draw(sky)
    draw.rectangle((0, 520, _WIDTH, _HEIGHT), fill=(76, 128, 60))
    draw.rectangle((380, 300, 900, 560), fill=(150, 92, 70))
    draw.polygon(((350, 300), (640, 160), (930, 300)), fill=(96, 52, 44))
    for x in range(420, 880, 90):
        draw.rectangle((x, 350, x + 44, 430), fill=(250, 236, 170))
    draw.ellipse((100 + shift, 70, 200 + shift, 170), fill=(255, 226, 90))
    return sky


def _photo() -> bytes:
    """A photo as a phone makes it: with a place, a camera and a time in its metadata."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Demo Cameras", "Pocket 1", "demo"
    exif[0x0132] = "2026:09:01 12:00:00"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (51.0, 45.0, 15.0), "W", (1.0, 15.0, 18.0)
    out = io.BytesIO()
    _scene().save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def _png() -> bytes:
    out = io.BytesIO()
    _scene().save(out, "PNG")
    return out.getvalue()


def _film() -> bytes:
    """Two seconds of H.264, with the metadata that an editor leaves."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        container.metadata["title"] = "Open day, second cut"
        container.metadata["comment"] = "edited by S. Example"
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number in range(50):
            picture = av.VideoFrame.from_image(_scene(number * 12))  # type: ignore[no-untyped-call]  # so in PyAV's stubs
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return out.getvalue()

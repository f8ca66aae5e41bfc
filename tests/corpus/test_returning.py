"""What the gateway made itself, brought back as it is or a little changed (G5)."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.clamd import CLAMD
from tests.corpus import cabinet
from tests.corpus.stations import Stations, stations
from transfer.sandbox.profiles import kernel_support

pytestmark = [
    pytest.mark.slow,
    pytest.mark.clamd,
    pytest.mark.skipif(CLAMD is None, reason="clamd is not installed"),
    pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children"),
]
RELEASED = {
    "careless/place.jpg": ".jpg", "careless/words.png": ".png", "careless/comment.gif": ".gif",
    "careless/exif.webp": ".webp", "careless/place.heic": ".jpg", "careless/place.avif": ".avif",
    "careless/tagged.mp4": ".mp4",
    "careless/tagged.mov": ".mp4", "careless/tagged.webm": ".webm", "careless/invisible.txt": ".txt",
    "careless/colours.srt": ".srt", "careless/notes.vtt": ".vtt",
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Stations]:
    with stations() as ready:
        yield ready


@pytest.mark.parametrize("key", RELEASED)
def test_what_left_is_refused_when_it_comes_back(running: Stations, key: str, tmp_path: Path) -> None:
    original, back = cabinet.path_of(key), tmp_path / f"saved{RELEASED[key]}"
    back.write_bytes(running.release(original))
    assert back.read_bytes() != original.read_bytes()
    with running.line() as line:
        told = running.judge(line, back)
        assert (told.verdict, told.rules, told.clauses) == ("refused", ("nothing-comes-back",), ("G5",))


def busy_picture(seed: int) -> Image.Image:
    """A picture with enough in it to be known again."""
    chance, image = random.Random(seed), Image.new("RGB", (640, 480), (90, 120, 150))
    draw = ImageDraw.Draw(image)
    for _ in range(70):
        x, y, size = chance.randrange(640), chance.randrange(480), chance.randrange(20, 160)
        draw.ellipse((x, y, x + size, y + size), fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def saved(image: Image.Image, form: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def test_a_near_copy_of_what_left_is_held_and_another_picture_is_not(running: Stations, tmp_path: Path) -> None:
    first = tmp_path / "first.jpg"
    first.write_bytes(saved(busy_picture(1), "JPEG", quality=92))
    left = Image.open(io.BytesIO(running.release(first)))
    copies = {
        "smaller.jpg": saved(left.resize((512, 384)), "JPEG", quality=60),
        "other-form.webp": saved(left, "WEBP", quality=50),
        "another.jpg": saved(busy_picture(2), "JPEG", quality=92),
        "first-again.jpg": first.read_bytes(),
    }
    verdicts = {}
    with running.line() as line:
        for name, content in copies.items():
            (tmp_path / name).write_bytes(content)
            told = running.judge(line, tmp_path / name)
            verdicts[name] = (told.verdict, told.rules)
    near = ("held:review", ("looks-released-before",))
    free = ("held:approval", ("approval",))
    assert verdicts == {"smaller.jpg": near, "other-form.webp": near, "another.jpg": free, "first-again.jpg": free}

"""Fingerprints: the recipe gives what the library gives, whatever a picture's mode, and changed copies stay near."""

from __future__ import annotations

import io

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageOps

from tests.corpus.build.films import displayed
from tests.disarm.tools import LIMITS, remade
from tests.likeness import film
from tests.model.test_turn import TURNS
from tests.scenes import scene
from transfer.inspection.decode_video import decode_video
from transfer.inspection.fingerprint import SIDE, fingerprints, recipe, small
from transfer.model.fingerprint import LARGEST_DISTANCE, MOST_FRAMES, Fingerprint, differing_bits
from transfer.model.media import Format
from transfer.model.recipe import Films
from transfer.model.search import Search


def printed(picture: Image.Image, **turned: int) -> Fingerprint:
    return fingerprints([small(picture)], **turned)[0]


def plain(picture: Image.Image) -> str:
    bits, _ = pdqhash.compute(np.ascontiguousarray(np.asarray(picture.convert("RGB"))))
    return np.packbits(np.asarray(bits, dtype=np.uint8)).tobytes().hex()


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_library_s_hash_and_that_of_the_mirror_image(seed: int) -> None:
    there = small(scene(seed))
    assert there.size == (SIDE, SIDE)
    assert printed(there) == printed(scene(seed))
    assert printed(there).hash == plain(there)
    assert printed(there).mirrored == plain(ImageOps.mirror(there))


def test_looking_at_every_fourth_point_sees_what_looking_at_all_sees() -> None:
    for seed in range(10):
        assert differing_bits(printed(scene(seed)).hash, plain(scene(seed))) <= 10  # what PDQ grants implementations


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "YCbCr", "HSV", "LAB", "F", "I;16", "PA"])
def test_a_picture_of_any_mode_looks_the_same(mode: str) -> None:
    picture = scene(1)
    if mode == "I;16":
        other = Image.fromarray(np.asarray(picture.convert("L")).astype("uint16") * 257)
    else:
        other = picture.convert(mode)
    assert differing_bits(printed(other).hash, printed(picture).hash) <= 16


def test_what_is_transparent_is_white() -> None:
    clear = scene(2).convert("RGBA")
    clear.putalpha(0)
    assert printed(clear).quality == 0


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (5, Image.Transpose.TRANSPOSE),
    ],
)
def test_a_picture_is_seen_upright(orientation: int, turn: Image.Transpose) -> None:
    lying = scene(3).transpose(turn)  # as the camera stored it
    lying.getexif()[0x0112] = orientation
    exif = lying.getexif()
    stored = io.BytesIO()
    lying.save(stored, "JPEG", exif=exif, quality=92)
    found = printed(Image.open(stored), orientation=orientation)
    assert differing_bits(found.hash, printed(ImageOps.exif_transpose(Image.open(stored))).hash) <= 10


@pytest.mark.parametrize("turn", TURNS)
def test_a_film_is_seen_upright(turn: tuple[int, int, int, int]) -> None:
    """Its fingerprint is that of a film which was encoded anew as it is shown, by FFmpeg's filters."""
    original = displayed(film([scene(4, (320, 320))] * 5, size=(320, 320)), *turn)
    shown, _ = remade(original, Format.MP4, films=Films.ENCODE)
    prints = [printed_film(content) for content in (original, shown)]
    assert all(differing_bits(one.hash, other.hash) <= 16 for one, other in zip(*prints, strict=True))


def printed_film(content: bytes) -> list[Fingerprint]:
    found: list[Fingerprint] = []
    search = Search(marks=(), personal=(), regions=())
    decode_video(io.BytesIO(content), len(content), form=Format.MP4, limits=LIMITS, search=search, prints=found)
    assert found
    return found


def test_copies_are_near_and_others_far() -> None:
    original = printed(scene(5))
    for seed in range(6, 26):
        assert differing_bits(original.hash, printed(scene(seed)).hash) > 2 * LARGEST_DISTANCE
    stored = io.BytesIO()
    scene(5).save(stored, "JPEG", quality=30)
    assert differing_bits(original.hash, printed(Image.open(stored)).hash) <= LARGEST_DISTANCE
    assert differing_bits(original.hash, printed(scene(5).resize((320, 180))).hash) <= LARGEST_DISTANCE
    assert differing_bits(original.mirrored, printed(ImageOps.mirror(scene(5))).hash) <= LARGEST_DISTANCE


def test_frames_that_look_alike_stand_there_once_and_there_are_never_too_many() -> None:
    one = small(scene(6))
    assert len(fingerprints([one, one, one])) == 1
    assert len(fingerprints([small(scene(seed, (64, 64))) for seed in range(MOST_FRAMES + 5)])) == MOST_FRAMES


def test_the_recipe_names_the_library_and_itself() -> None:
    assert recipe().startswith(f"{pdqhash.__version__} recipe ")


def test_a_fingerprint_is_64_digits() -> None:
    for wrong in ("", "0" * 63, "F" * 64, "g" * 64):
        with pytest.raises(ValueError, match="64"):
            Fingerprint(hash=wrong, mirrored="0" * 64, quality=50)

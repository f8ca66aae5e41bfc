"""The real children, confined, with the real decoders and writers: nothing they need is refused to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("transfer.inspection.probe")
pytest.importorskip("transfer.disarm.remake")
pytest.importorskip("transfer.disarm.residue")

from tests import samples
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format
from transfer.model.recipe import Recipe
from transfer.model.search import Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

pytestmark = pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")

LIMITS = MediaLimits(
    image_bytes=1 << 26,
    video_bytes=1 << 28,
    text_bytes=1 << 16,
    pixels=10**8,
    total_pixels=10**9,
    side=20_000,
    frames=100_000,
    seconds=600,
    streams=8,
    characters=5000,
)
FILES: dict[str, Callable[[], bytes]] = {
    ".jpg": samples.jpeg,
    ".png": samples.png,
    ".webp": samples.webp,
    ".gif": samples.gif,
    ".heic": samples.heic,
    ".mp4": samples.mp4,
    ".webm": samples.webm,
    ".avif": samples.avif,
    ".mov": samples.mov,
    ".txt": samples.text,
    ".srt": samples.srt,
    ".vtt": samples.vtt,
}


@pytest.fixture(scope="module")
def pools() -> Iterator[tuple[Pool, Pool]]:
    limits = ChildLimits(memory_bytes=1 << 30)
    with (
        Pool(role=Role.MEDIA, workers=1, limits=limits) as media,
        Pool(role=Role.RESIDUE, workers=1, limits=limits) as residue,
    ):
        yield media, residue


@pytest.mark.parametrize("suffix", sorted(FILES))
def test_no_step_meets_the_confinement(pools: tuple[Pool, Pool], tmp_path: Path, suffix: str) -> None:
    media, residue = pools
    (tmp_path / "raw").write_bytes(FILES[suffix]())
    raw = os.open(tmp_path / "raw", os.O_RDONLY)
    output = os.open(tmp_path / "output", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with media.lease() as child:
            examined = child.examine(
                raw, suffix=suffix, limits=LIMITS, search=Search(marks=("CONFIDENTIAL",)), seconds=30
            )
            assert examined.media is not None, examined.findings
            assert suffix in examined.media.format.suffixes
            assert examined.tools
            kind = examined.media.format
            rebuilt = child.rebuild(raw, output, format=kind, recipe=Recipe(quality=90), limits=LIMITS, seconds=30)
        assert rebuilt.facts is not None, rebuilt.findings
        assert os.fstat(output).st_size > 0
        with residue.lease() as child:
            child.residue(output, format=rebuilt.facts.format, seconds=30)  # what it finds, tests/disarm judges
        if rebuilt.facts.format.family is not Family.TEXT:
            _draw_sheet(media, output, tmp_path, rebuilt.facts.format)
        if kind is Format.JPEG:  # the readers do see something where there is something
            with residue.lease() as child:
                assert child.residue(raw, format=kind, seconds=30).findings
    finally:
        os.close(raw)
        os.close(output)


def _draw_sheet(media: Pool, clean: int, folder: Path, kind: Format) -> None:
    sheet = os.open(folder / "sheet", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with media.lease() as child:
            drawn = child.sheet(clean, sheet, format=kind, limits=LIMITS, seconds=30)
        assert drawn.facts is not None, drawn.findings
        assert os.pread(sheet, 2, 0) == b"\xff\xd8"
    finally:
        os.close(sheet)

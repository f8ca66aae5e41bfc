"""A confined child reads words in pictures: the models are loaded before, and nothing is opened later."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.inspection.probing import LIMITS
from transfer.model.findings import Code, Finding
from transfer.model.search import PersonalKind, Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children"),
]
SEARCH = Search(marks=("confidential",), personal=tuple(PersonalKind), regions=("GB",), pictures=True)


def slide(*lines: str) -> bytes:
    picture = Image.new("RGB", (1280, 720), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((80, 60 + 120 * number), line, font=ImageFont.load_default(40), fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def examined(pool: Pool, folder: Path, content: bytes) -> dict[Code, Finding]:
    (folder / "raw").write_bytes(content)
    raw = os.open(folder / "raw", os.O_RDONLY)
    try:
        with pool.lease() as child:
            reply = child.examine(raw, suffix=".png", limits=LIMITS, search=SEARCH, seconds=60)
    finally:
        os.close(raw)
    assert reply.media is not None, reply.findings
    return {finding.code: finding for finding in reply.findings}


def test_words_in_pictures_are_found_in_a_confined_child(tmp_path: Path) -> None:
    with Pool(role=Role.READING, workers=1, limits=ChildLimits(memory_bytes=1 << 30)) as pool:
        found = examined(pool, tmp_path, slide("CONFIDENTIAL", "Call 01865 270001"))
        assert found[Code.MARKING].detail == {"mark": "CONFIDENTIAL", "where": "picture"}
        assert found[Code.PERSONAL_DATA].detail == {"kind": "telephone numbers", "count": 1, "where": "picture"}
        assert (
            not {Code.MARKING, Code.PERSONAL_DATA, Code.TEXT_UNREAD}
            & examined(pool, tmp_path, slide("Open day")).keys()
        )


def test_a_child_that_cannot_read_says_so(tmp_path: Path) -> None:
    with Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(memory_bytes=1 << 30)) as pool:
        assert Code.TEXT_UNREAD in examined(pool, tmp_path, slide("CONFIDENTIAL"))

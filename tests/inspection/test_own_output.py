"""What we write ourselves is built as it should be, by the walkers that look at what others write."""

from __future__ import annotations

import pytest

from tests import samples
from tests.disarm.tools import try_remake
from transfer.inspection.structure import dissect_film, dissect_picture, structure_findings
from transfer.model.media import Family, Format

ORIGINALS = {
    "jpeg": (samples.jpeg(xmp=True, icc=True, comment="c"), Format.JPEG),
    "progressive jpeg": (samples.jpeg(progressive=True), Format.JPEG),
    "cmyk jpeg": (samples.jpeg(mode="CMYK"), Format.JPEG),
    "png": (samples.png(exif=True, icc=True), Format.PNG),
    "palette png": (samples.png(mode="P"), Format.PNG),
    "webp": (samples.webp(xmp=True), Format.WEBP),
    "animated webp": (samples.webp(frames=4), Format.WEBP),
    "gif": (samples.gif(), Format.GIF),
    "animated gif": (samples.gif(frames=4), Format.GIF),
    "heic": (samples.heic(), Format.HEIC),
    "avif": (samples.avif(), Format.AVIF),
    "animated avif": (samples.avif(frames=4), Format.AVIF),
    "mp4": (samples.mp4(0.4, data=True, subtitle=True), Format.MP4),
    "mov": (samples.mov(0.4), Format.MOV),
    "webm": (samples.webm(0.4), Format.WEBM),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_we_write_is_built_as_it_should_be(name: str) -> None:
    original, form = ORIGINALS[name]
    made, facts, findings = try_remake(original, form)
    assert facts is not None, findings
    if facts.format.family is Family.VIDEO:
        found = dissect_film(lambda at, length: made[at : at + length], len(made), facts.format)
    else:
        found = dissect_picture(made, facts.format)
    assert (found.problems, found.truncated, found.trailing, found.inflates) == ([], False, 0, "")
    assert structure_findings(found) == ()

"""Mutated files: the writers answer with clean files or findings, never with an exception or a residue."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import samples
from tests.disarm.tools import residues, try_remake, whats
from transfer.model.findings import Code
from transfer.model.media import Format

MAKERS = {
    Format.JPEG: lambda: samples.jpeg(64, 48, icc=True, xmp=True, comment="x"),
    Format.PNG: lambda: samples.png(40, 30, icc=True, exif=True),
    Format.WEBP: lambda: samples.webp(40, 30, frames=2, xmp=True),
    Format.GIF: lambda: samples.gif(40, 30, frames=2),
    Format.HEIC: lambda: samples.heic(64, 64),
    Format.AVIF: lambda: samples.avif(64, 64),
    Format.MP4: lambda: samples.mp4(0.5, width=64, height=64),
    Format.WEBM: lambda: samples.webm(0.5, width=64, height=64),
    Format.SRT: samples.srt,
    Format.VTT: samples.vtt,
}
CODEC_HEADERS = {Format.WEBM: {"element 63a2"}, Format.MP4: {"box avcC", "box esds", "box avc1", "box mp4a"}}


@functools.cache
def whole(form: Format) -> bytes:
    return MAKERS[form]()


@pytest.mark.parametrize("form", MAKERS)
@given(st.data())
@settings(max_examples=25, deadline=None)
def test_a_broken_file_is_clean_or_refused(form: Format, data: st.DataObject) -> None:
    content = bytearray(whole(form))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)) | st.integers(0, min(500, len(content))))
        if data.draw(st.booleans()):
            new = data.draw(st.binary(min_size=1, max_size=4))
            content[at : at + len(new)] = new
        else:
            del content[at : at + data.draw(st.integers(1, 50))]
    made, facts, findings = try_remake(bytes(content), form)
    assert (facts is None) == bool(findings)
    if facts is not None:
        # a codec's own header is passed on as it is, broken or not: the reader then refuses the film
        assert set(whats(residues(made, facts.format))) <= CODEC_HEADERS.get(facts.format, set())
    for finding in findings:
        assert finding.code in set(Code)
        assert all(str(value).isascii() and len(str(value)) <= 120 for value in finding.detail.values())

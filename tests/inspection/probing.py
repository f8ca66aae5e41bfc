"""Runs the probe on bytes, in this process, with limits that a test can tighten."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable

from transfer.inspection.probe import probe
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import MediaFacts
from transfer.model.search import Search

LIMITS = MediaLimits(
    image_bytes=5_000_000,
    video_bytes=20_000_000,
    text_bytes=50_000,
    pixels=4_000_000,
    total_pixels=8_000_000,
    side=4_096,
    frames=20,
    seconds=60,
    streams=6,
    characters=2_200,
)
MARKS = ("official-sensitive", "SECRET")


def probed(
    content: bytes,
    suffix: str,
    *,
    marks: tuple[str, ...] = MARKS,
    search: Search | None = None,
    keep: Callable[[object], None] | None = None,
    **tighter: int,
) -> tuple[MediaFacts | None, tuple[Finding, ...]]:
    """Facts and findings of these bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        limits = dataclasses.replace(LIMITS, **tighter)
        facts, findings, tools = probe(
            file.fileno(), suffix=suffix, limits=limits, search=search or Search(marks=marks), keep=keep
        )
    assert tools["libmagic"]
    return facts, findings


def understood(content: bytes, suffix: str, **options: object) -> tuple[MediaFacts, dict[Code, dict[str, str | int]]]:
    """The facts, and the findings' details by code, of a file that must be understood."""
    facts, findings = probed(content, suffix, **options)  # type: ignore[arg-type]  # passed on as they are
    assert facts is not None, findings
    return facts, {finding.code: dict(finding.detail) for finding in findings}


def refused(content: bytes, suffix: str, **options: object) -> Code:
    """The one code of a file that must not be understood."""
    facts, findings = probed(content, suffix, **options)  # type: ignore[arg-type]  # passed on as they are
    assert facts is None
    (finding,) = findings
    return finding.code

"""What these tests share: limits, and the two functions of the sandbox's children over real descriptors."""

from __future__ import annotations

import os
from collections.abc import Callable

from PIL import Image

from transfer.disarm.remake import remake, warm
from transfer.disarm.residue import prove
from transfer.model.findings import Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Family, Format, RebuildFacts
from transfer.model.recipe import Colour, Decode, Films, Recipe

LIMITS = MediaLimits(
    image_bytes=64 << 20,
    video_bytes=16 << 30,
    text_bytes=1 << 20,
    pixels=50_000_000,
    total_pixels=400_000_000,
    side=16_000,
    frames=1_000,
    seconds=600,
    streams=16,
    characters=100_000,
)
warm()


def try_remake(
    content: bytes,
    form: Format,
    *,
    quality: int = 90,
    limits: MediaLimits = LIMITS,
    decoded: Image.Image | None = None,
    **words: Colour | Films | Decode,
) -> tuple[bytes, RebuildFacts | None, tuple[Finding, ...]]:
    """What the MEDIA child does: the new bytes, the facts, the findings."""
    raw, out = os.memfd_create("raw"), os.memfd_create("out")
    try:
        os.write(raw, content)
        recipe = Recipe(quality=quality, **words)  # type: ignore[arg-type]  # the words of a recipe
        facts, findings = remake(raw, out, format=form, recipe=recipe, limits=limits, decoded=decoded)
        return os.pread(out, os.fstat(out).st_size, 0), facts, findings
    finally:
        os.close(raw)
        os.close(out)


def remade(content: bytes, form: Format, **options: object) -> tuple[bytes, RebuildFacts]:
    """The new bytes and the facts; fails if there are none, or if the residue readers find anything."""
    made, facts, findings = try_remake(content, form, **options)  # type: ignore[arg-type]  # passed on as they are
    assert facts is not None, findings
    assert findings == ()
    encoded = options.get("films") is Films.ENCODE and facts.format.family is Family.VIDEO
    assert residues(made, facts.format, encoded=encoded) == ()
    return made, facts


def residues(content: bytes, form: Format, *, encoded: bool = False) -> tuple[Finding, ...]:
    """What the RESIDUE child does."""
    clean = os.memfd_create("clean")
    try:
        os.write(clean, content)
        return prove(clean, format=form, encoded=encoded)[0]
    finally:
        os.close(clean)


def refusal(content: bytes, form: Format, **options: object) -> Finding:
    """The one finding of a file that cannot be rebuilt."""
    _, facts, findings = try_remake(content, form, **options)  # type: ignore[arg-type]  # passed on as they are
    assert facts is None
    assert len(findings) == 1
    return findings[0]


def whats(findings: tuple[Finding, ...]) -> list[str]:
    """Where the findings are, for comparing."""
    return [str(finding.detail["where"]) for finding in findings]


Maker = Callable[[], bytes]

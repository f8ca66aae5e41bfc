"""Findings and facts as a message carries them; pure, both ways, with stated maxima.

What enters on reading: fields that a child may have forged. What leaves: the types of `model`, or Malformed.
"""

from __future__ import annotations

from collections.abc import Mapping

from transfer.model.findings import Code, Finding
from transfer.model.fingerprint import LARGEST_QUALITY, MOST_FRAMES, Fingerprint
from transfer.model.media import Format, MediaFacts, RebuildFacts, StreamFacts
from transfer.sandbox.strict import (
    LARGEST,
    Fields,
    Malformed,
    as_number,
    as_text,
    clean_number,
    clean_text,
    clean_word,
)

MAX_FINDINGS = 128
MAX_DETAILS = 16
MAX_STREAMS = 256
MAX_REMOVED = 128

_MEDIA_NUMBERS = ("width", "height", "frames", "duration_ms", "characters")
_REBUILD_NUMBERS = ("width", "height", "frames", "duration_ms", "packets_in", "packets_out")


def render_findings(findings: tuple[Finding, ...]) -> list[object]:
    """Raises Malformed if there are more than a message carries: none is ever dropped."""
    if len(findings) > MAX_FINDINGS:
        raise Malformed(f"{len(findings)} findings are more than {MAX_FINDINGS}")
    return [{"code": finding.code.value, "detail": _render_detail(finding.detail)} for finding in findings]


def parse_findings(body: Fields) -> tuple[Finding, ...]:
    """The list under `findings`."""
    return tuple(_parse_finding(Fields(value)) for value in body.items("findings", most=MAX_FINDINGS))


def render_media(media: MediaFacts | None) -> object:
    """None, or an object of the format, the numbers and the streams."""
    if media is None:
        return None
    if len(media.streams) > MAX_STREAMS:
        raise Malformed(f"{len(media.streams)} streams are more than {MAX_STREAMS}")
    return {
        "format": media.format.value,
        **_render_numbers(media, _MEDIA_NUMBERS),
        "streams": [{"kind": clean_word(stream.kind), "codec": clean_word(stream.codec)} for stream in media.streams],
    }


def parse_media(body: Fields) -> MediaFacts | None:
    """The object under `media`."""
    inner = body.fields_or_none("media")
    if inner is None:
        return None
    media = MediaFacts(
        format=parse_format(inner),
        **_parse_numbers(inner, _MEDIA_NUMBERS),
        streams=tuple(_parse_stream(Fields(value)) for value in inner.items("streams", most=MAX_STREAMS)),
    )
    inner.done()
    return media


def render_rebuild(facts: RebuildFacts | None) -> object:
    """None, or an object. Names of removed things past the maximum are counted in the last one."""
    if facts is None:
        return None
    removed = [clean_text(name) for name in facts.removed]
    if len(removed) > MAX_REMOVED:
        rest = len(removed) - MAX_REMOVED + 1
        removed = [*removed[: MAX_REMOVED - 1], f"{rest} more"]
    return {"format": facts.format.value, **_render_numbers(facts, _REBUILD_NUMBERS), "removed": removed}


def parse_rebuild(body: Fields) -> RebuildFacts | None:
    """The object under `facts`."""
    inner = body.fields_or_none("facts")
    if inner is None:
        return None
    facts = RebuildFacts(
        format=parse_format(inner),
        **_parse_numbers(inner, _REBUILD_NUMBERS),
        removed=tuple(as_text(value) for value in inner.items("removed", most=MAX_REMOVED)),
    )
    inner.done()
    return facts


def render_fingerprints(prints: tuple[Fingerprint, ...]) -> list[object]:
    """At most 16, one object a frame."""
    return [{"hash": one.hash, "mirrored": one.mirrored, "quality": one.quality} for one in prints[:MOST_FRAMES]]


def parse_fingerprints(body: Fields) -> tuple[Fingerprint, ...]:
    """The list under `fingerprints`."""
    return tuple(_parse_fingerprint(Fields(value)) for value in body.items("fingerprints", most=MOST_FRAMES))


def parse_format(body: Fields) -> Format:
    """The media type under `format`."""
    try:
        return Format(body.text("format"))
    except ValueError as error:
        raise Malformed("an unknown format") from error


def _render_detail(detail: Mapping[str, str | int]) -> dict[str, str | int]:
    kept = sorted(detail)[:MAX_DETAILS]
    return {clean_word(name): _render_value(detail[name]) for name in kept}


def _render_value(value: str | int) -> str | int:
    return clean_text(value) if isinstance(value, str) else clean_number(value)


def _parse_finding(inner: Fields) -> Finding:
    try:
        code = Code(inner.text("code"))
    except ValueError as error:
        raise Malformed("an unknown finding") from error
    named = inner.named("detail", most=MAX_DETAILS)
    inner.done()
    return Finding(code=code, detail={name: _parse_value(value) for name, value in named.items()})


def _parse_fingerprint(inner: Fields) -> Fingerprint:
    try:
        made = Fingerprint(
            hash=inner.text("hash"),
            mirrored=inner.text("mirrored"),
            quality=inner.number("quality", most=LARGEST_QUALITY),
        )
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed("not a fingerprint") from error
    inner.done()
    return made


def _parse_value(value: object) -> str | int:
    return as_text(value) if isinstance(value, str) else as_number(value, least=-LARGEST)


def _parse_stream(inner: Fields) -> StreamFacts:
    stream = StreamFacts(kind=inner.word("kind"), codec=inner.word("codec"))
    inner.done()
    return stream


def _render_numbers(facts: MediaFacts | RebuildFacts, names: tuple[str, ...]) -> dict[str, int]:
    return {name: max(0, clean_number(getattr(facts, name))) for name in names}


def _parse_numbers(inner: Fields, names: tuple[str, ...]) -> dict[str, int]:
    return {name: inner.number(name) for name in names}

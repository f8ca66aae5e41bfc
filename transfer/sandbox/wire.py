"""What gateway and child say to each other: one request, one reply, each one bounded message.

    examine  raw descriptor           ─▶  media facts or none, findings, tools
    rebuild  raw, output descriptor   ─▶  rebuild facts or none, findings
    residue  clean descriptor         ─▶  findings
    sheet    clean, output descriptor ─▶  facts of a contact sheet or none, findings
    rest     between two files        ─▶  nothing

Pure. Requests come from the gateway and are trusted, replies come from a process that untrusted bytes may have taken
over: numbers, enumerations and short printable ASCII, with stated maxima; anything else is Malformed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from transfer.model.findings import Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, MediaFacts, RebuildFacts
from transfer.sandbox.facts import (
    parse_findings,
    parse_format,
    parse_media,
    parse_rebuild,
    render_findings,
    render_media,
    render_rebuild,
)
from transfer.sandbox.strict import Fields, Malformed, as_text, clean_text, clean_word, parse_object, render

MAX_MESSAGE = 65536  # bytes, either way
MAX_TOOLS = 32
_MAX_MARKS, _LONGEST_MARK = 1024, 200


class Role(StrEnum):
    """What a pool's children are for: MEDIA sees raw bytes, RESIDUE never does."""

    MEDIA = "media"
    RESIDUE = "residue"


class Failure(StrEnum):
    """How a child says that it gave up on a file."""

    MEMORY = "memory"
    DEFECT = "defect"  # an exception that nobody expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineRequest:
    """Comes with one descriptor: the raw file, read-only. `suffix` is the extension in lower case, `.jpg`, or empty."""

    suffix: str
    limits: MediaLimits
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRequest:
    """Comes with two descriptors: the raw file, read-only, and an empty file for the result. `quality` is 1 to 100."""

    format: Format
    quality: int
    limits: MediaLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueRequest:
    """Comes with one descriptor: the rebuilt file, read-only."""

    format: Format


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRequest:
    """Comes with two descriptors: the rebuilt file, read-only, and an empty file for the contact sheet."""

    format: Format
    limits: MediaLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The lease is over: forget the file. It has no reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineReply:
    """What the file is, or why it is not understood; `tools` maps a tool's name to its version."""

    media: MediaFacts | None
    findings: tuple[Finding, ...]
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReply:
    """What was made (a file, or a contact sheet of one), or why nothing was. The gateway hashes the output itself."""

    facts: RebuildFacts | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueReply:
    """Everything that should not be there; nothing found means proven clean."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """The child could not answer and ends."""

    failure: Failure
    detail: str


Request = ExamineRequest | RebuildRequest | ResidueRequest | SheetRequest | Rest
Reply = ExamineReply | RebuildReply | ResidueReply | GaveUp

_LIMIT_NAMES = tuple(sorted(each.name for each in fields(MediaLimits)))
DESCRIPTORS: Mapping[type[Request], int] = {
    ExamineRequest: 1,
    RebuildRequest: 2,
    ResidueRequest: 1,
    SheetRequest: 2,
    Rest: 0,
}


def render_request(request: Request) -> bytes:
    """Raises Malformed if the request is larger than a message may be."""
    match request:
        case ExamineRequest():
            if len(request.marks) > _MAX_MARKS or any(len(mark) > _LONGEST_MARK for mark in request.marks):
                raise Malformed(f"more than {_MAX_MARKS} markings, or one of more than {_LONGEST_MARK} characters")
            body: dict[str, object] = {
                "do": "examine",
                "suffix": request.suffix,
                "limits": _render_limits(request.limits),
                "marks": list(request.marks),
            }
        case RebuildRequest():
            body = {
                "do": "rebuild",
                "format": request.format.value,
                "quality": request.quality,
                "limits": _render_limits(request.limits),
            }
        case ResidueRequest():
            body = {"do": "residue", "format": request.format.value}
        case SheetRequest():
            body = {"do": "sheet", "format": request.format.value, "limits": _render_limits(request.limits)}
        case Rest():
            body = {"do": "rest"}
    message = render(body)
    if len(message) > MAX_MESSAGE:
        raise Malformed(f"a request of {len(message)} bytes is longer than {MAX_MESSAGE}: too many markings")
    return message


def parse_request(message: bytes) -> Request:
    """The inverse of `render_request`. Raises Malformed."""
    body = parse_object(message, maximum=MAX_MESSAGE)
    request: Request
    match body.word("do"):
        case "examine":
            request = ExamineRequest(
                suffix=body.text("suffix", longest=16),
                limits=_parse_limits(body),
                marks=body.unicode_texts("marks", most=_MAX_MARKS, longest=_LONGEST_MARK),
            )
        case "rebuild":
            request = RebuildRequest(
                format=parse_format(body), quality=body.number("quality", least=1, most=100), limits=_parse_limits(body)
            )
        case "residue":
            request = ResidueRequest(format=parse_format(body))
        case "sheet":
            request = SheetRequest(format=parse_format(body), limits=_parse_limits(body))
        case "rest":
            request = Rest()
        case _:
            raise Malformed("an unknown request")
    body.done()
    return request


def render_reply(reply: Reply) -> bytes:
    """The child's side: texts and numbers are cut to what a message carries. Raises Malformed if it is still too long.

    Findings are never dropped: more than a message carries is an error, and the file does not pass.
    """
    match reply:
        case ExamineReply():
            body: dict[str, object] = {
                "media": render_media(reply.media),
                "findings": render_findings(reply.findings),
                "tools": {clean_word(name): clean_text(reply.tools[name]) for name in sorted(reply.tools)[:MAX_TOOLS]},
            }
        case RebuildReply():
            body = {"facts": render_rebuild(reply.facts), "findings": render_findings(reply.findings)}
        case ResidueReply():
            body = {"findings": render_findings(reply.findings)}
        case GaveUp():
            body = {"gave_up": reply.failure.value, "detail": clean_text(reply.detail)}
    message = render(body)
    if len(message) > MAX_MESSAGE:
        raise Malformed("a reply is too long")
    return message


def parse_reply(untrusted: bytes, *, to: Request) -> Reply:
    """What a child answered to this request. Raises Malformed for anything but a reply to it, or `GaveUp`."""
    body = parse_object(untrusted, maximum=MAX_MESSAGE)
    reply: Reply
    if body.has("gave_up"):
        reply = GaveUp(failure=_parse_failure(body.word("gave_up")), detail=body.text("detail"))
    elif isinstance(to, ExamineRequest):
        tools = {name: as_text(version) for name, version in body.named("tools", most=MAX_TOOLS).items()}
        reply = ExamineReply(media=parse_media(body), findings=parse_findings(body), tools=tools)
        _say_something(reply.media, reply.findings)
    elif isinstance(to, RebuildRequest | SheetRequest):
        reply = RebuildReply(facts=parse_rebuild(body), findings=parse_findings(body))
        _say_something(reply.facts, reply.findings)
    elif isinstance(to, ResidueRequest):
        reply = ResidueReply(findings=parse_findings(body))
    else:
        raise Malformed("an answer to no question")
    body.done()
    return reply


def _say_something(facts: object | None, findings: tuple[Finding, ...]) -> None:
    if facts is None and not findings:
        raise Malformed("neither facts nor a finding")


def _render_limits(limits: MediaLimits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in _LIMIT_NAMES}


def _parse_limits(body: Fields) -> MediaLimits:
    inner = body.fields("limits")
    limits = MediaLimits(**{name: inner.number(name) for name in _LIMIT_NAMES})
    inner.done()
    return limits


def _parse_failure(word: str) -> Failure:
    try:
        return Failure(word)
    except ValueError as error:
        raise Malformed("an unknown failure") from error

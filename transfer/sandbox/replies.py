"""What a child answers: one reply to one request (`requests`), each one bounded message.

Pure. Replies come from a process that untrusted bytes may have taken over: numbers, enumerations and short printable
ASCII, with stated maxima; anything else is Malformed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from transfer.model.findings import Finding
from transfer.model.fingerprint import Fingerprint
from transfer.model.media import MediaFacts, RebuildFacts
from transfer.sandbox.facts import (
    parse_findings,
    parse_fingerprints,
    parse_media,
    parse_rebuild,
    render_findings,
    render_fingerprints,
    render_media,
    render_rebuild,
)
from transfer.sandbox.requests import ExamineRequest, RebuildRequest, Request, ResidueRequest, ScanRequest, SheetRequest
from transfer.sandbox.strict import MAX_MESSAGE, Malformed, as_text, clean_text, clean_word, parse_object, render

MAX_TOOLS = 32
MAX_LEFT = 32  # lines
MAX_MATCHES = 32  # names of rules; one is enough to refuse


class Failure(StrEnum):
    """How a child says that it gave up on a file."""

    MEMORY = "memory"
    DEFECT = "defect"  # an exception that nobody expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineReply:
    """What the file is, or why it is not understood; `tools` maps a tool's name to its version."""

    media: MediaFacts | None
    findings: tuple[Finding, ...]
    tools: Mapping[str, str] = field(default_factory=dict)
    fingerprints: tuple[Fingerprint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReply:
    """What was made (a file, or a contact sheet of one), or why nothing was. The gateway hashes the output itself."""

    facts: RebuildFacts | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueReply:
    """Everything that should not be there; nothing found means proven clean. `left` says in lines what is there."""

    findings: tuple[Finding, ...]
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReply:
    """The names of the rules that match, and the digest of the set of rules that looked (hexadecimal SHA-256)."""

    matches: tuple[str, ...]
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp:
    """The child could not answer and ends."""

    failure: Failure
    detail: str


Reply = ExamineReply | RebuildReply | ResidueReply | ScanReply | GaveUp


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
                "fingerprints": render_fingerprints(reply.fingerprints),
            }
        case RebuildReply():
            body = {"facts": render_rebuild(reply.facts), "findings": render_findings(reply.findings)}
        case ResidueReply():
            body = {
                "findings": render_findings(reply.findings),
                "left": [clean_text(line) for line in reply.left[:MAX_LEFT]],
            }
        case ScanReply():
            body = {"matches": [clean_text(name) for name in reply.matches[:MAX_MATCHES]], "rules": reply.rules}
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
        reply = ExamineReply(
            media=parse_media(body),
            findings=parse_findings(body),
            tools=tools,
            fingerprints=parse_fingerprints(body),
        )
        _say_something(reply.media, reply.findings)
        if reply.fingerprints and not to.fingerprint:
            raise Malformed("fingerprints that nobody asked for")
    elif isinstance(to, RebuildRequest | SheetRequest):
        reply = RebuildReply(facts=parse_rebuild(body), findings=parse_findings(body))
        _say_something(reply.facts, reply.findings)
    elif isinstance(to, ResidueRequest):
        left = tuple(as_text(line) for line in body.items("left", most=MAX_LEFT))
        reply = ResidueReply(findings=parse_findings(body), left=left)
    elif isinstance(to, ScanRequest):
        names = tuple(as_text(name) for name in body.items("matches", most=MAX_MATCHES))
        reply = ScanReply(matches=names, rules=body.text("rules", longest=64))
    else:
        raise Malformed("an answer to no question")
    body.done()
    return reply


def _say_something(facts: object | None, findings: tuple[Finding, ...]) -> None:
    if facts is None and not findings:
        raise Malformed("neither facts nor a finding")


def _parse_failure(word: str) -> Failure:
    try:
        return Failure(word)
    except ValueError as error:
        raise Malformed("an unknown failure") from error

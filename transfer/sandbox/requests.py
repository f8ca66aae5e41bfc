"""What the gateway asks of a child: one request, one bounded message. What a child answers is in `replies`.

    examine  raw descriptor           ─▶  media facts or none, findings, tools
    rebuild  raw, output descriptor   ─▶  rebuild facts or none, findings
    residue  clean descriptor         ─▶  findings
    sheet    clean, output descriptor ─▶  facts of a contact sheet or none, findings
    scan     any descriptor           ─▶  names of the rules that match, and by which set of rules
    rest     between two files        ─▶  nothing

Pure. Requests come from the gateway and are trusted: the child parses them strictly all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import lru_cache

from transfer.model.limits import MediaLimits
from transfer.model.media import Format
from transfer.model.recipe import Colour, Decode, Films, Recipe
from transfer.model.search import Search
from transfer.sandbox.facts import parse_format
from transfer.sandbox.search_wire import parse_search, render_search
from transfer.sandbox.strict import MAX_MESSAGE, Fields, Malformed, parse_object, render


class Role(StrEnum):
    """What a pool's children are for: MEDIA decodes raw bytes, RESIDUE never sees any, RULES looks for malware.

    READING is MEDIA that can also read words in pictures.
    """

    MEDIA = "media"
    READING = "reading"
    RESIDUE = "residue"
    RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineRequest:
    """Comes with one descriptor: the raw file, read-only. `suffix` is the extension in lower case, `.jpg`, or empty.

    `fingerprint` says whether what the pictures look like is told too.
    """

    suffix: str
    limits: MediaLimits
    search: Search
    fingerprint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRequest:
    """Comes with two descriptors: the raw file, read-only, and an empty file for the result."""

    format: Format
    recipe: Recipe
    limits: MediaLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidueRequest:
    """Comes with one descriptor: the rebuilt file, read-only. `encoded`: it is a film that we encoded ourselves."""

    format: Format
    encoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRequest:
    """Comes with two descriptors: the rebuilt file, read-only, and an empty file for the contact sheet.

    Where `second` is not 0, the first file holds two contact sheets, to be drawn side by side: the other begins there.
    """

    format: Format
    limits: MediaLimits
    second: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """Comes with one descriptor: a file of exactly `size` bytes, read-only."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The lease is over: forget the file. It has no reply."""


Request = ExamineRequest | RebuildRequest | ResidueRequest | SheetRequest | ScanRequest | Rest

_REMEMBERED = 32  # messages: of a thousand pictures all are asked about in the same words
_LIMIT_NAMES = tuple(sorted(each.name for each in fields(MediaLimits)))
DESCRIPTORS: Mapping[type[Request], int] = {
    ExamineRequest: 1,
    RebuildRequest: 2,
    ResidueRequest: 1,
    SheetRequest: 2,
    ScanRequest: 1,
    Rest: 0,
}


@lru_cache(maxsize=_REMEMBERED)
def render_request(request: Request) -> bytes:
    """Raises Malformed if the request is larger than a message may be."""
    match request:
        case ExamineRequest():
            body: dict[str, object] = {
                "do": "examine",
                "suffix": request.suffix,
                "limits": _render_limits(request.limits),
                "search": render_search(request.search),
                "fingerprint": int(request.fingerprint),
            }
        case RebuildRequest():
            body = {
                "do": "rebuild",
                "format": request.format.value,
                "recipe": _render_recipe(request.recipe),
                "limits": _render_limits(request.limits),
            }
        case ResidueRequest():
            body = {"do": "residue", "format": request.format.value, "encoded": int(request.encoded)}
        case SheetRequest():
            body = {
                "do": "sheet",
                "format": request.format.value,
                "limits": _render_limits(request.limits),
                "second": request.second,
            }
        case ScanRequest():
            body = {"do": "scan", "size": request.size}
        case Rest():
            body = {"do": "rest"}
    message = render(body)
    if len(message) > MAX_MESSAGE:
        raise Malformed(f"a request of {len(message)} bytes is longer than {MAX_MESSAGE}: too many markings")
    return message


@lru_cache(maxsize=_REMEMBERED)
def parse_request(message: bytes) -> Request:
    """The inverse of `render_request`. Raises Malformed."""
    body = parse_object(message, maximum=MAX_MESSAGE)
    request: Request
    match body.word("do"):
        case "examine":
            request = ExamineRequest(
                suffix=body.text("suffix", longest=16),
                limits=_parse_limits(body),
                search=parse_search(body),
                fingerprint=bool(body.number("fingerprint", most=1)),
            )
        case "rebuild":
            request = RebuildRequest(format=parse_format(body), recipe=_parse_recipe(body), limits=_parse_limits(body))
        case "residue":
            request = ResidueRequest(format=parse_format(body), encoded=bool(body.number("encoded", most=1)))
        case "sheet":
            request = SheetRequest(format=parse_format(body), limits=_parse_limits(body), second=body.number("second"))
        case "scan":
            request = ScanRequest(size=body.number("size"))
        case "rest":
            request = Rest()
        case _:
            raise Malformed("an unknown request")
    body.done()
    return request


def _render_limits(limits: MediaLimits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in _LIMIT_NAMES}


def _parse_limits(body: Fields) -> MediaLimits:
    inner = body.fields("limits")
    limits = MediaLimits(**{name: inner.number(name) for name in _LIMIT_NAMES})
    inner.done()
    return limits


def _render_recipe(recipe: Recipe) -> dict[str, object]:
    words = {"colour": recipe.colour.value, "films": recipe.films.value, "decode": recipe.decode.value}
    return {"quality": recipe.quality, **words}


def _parse_recipe(body: Fields) -> Recipe:
    inner = body.fields("recipe")
    try:
        recipe = Recipe(
            quality=inner.number("quality", least=1, most=100),
            colour=Colour(inner.word("colour")),
            films=Films(inner.word("films")),
            decode=Decode(inner.word("decode")),
        )
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed("an unknown recipe") from error
    inner.done()
    return recipe

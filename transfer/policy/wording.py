"""The sentences of a policy: templates that a rule writes and that a finding's details fill. Pure.

What enters: templates from the policy file, details from a sandbox child (numbers and short printable ASCII, not
trusted to be that). What leaves: one printable sentence. A template never sees a file's name, so that reasons can be
logged without personal data.

    The picture has too many pixels[: {pixels:count}]; at most {limit_pixels} are allowed.

`{limit_…}` and `{formats}` come from the policy and can stand anywhere. Any other `{word}` is a detail of the finding,
and stands in square brackets: a bracket whose details are not all known is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from transfer.model.limits import MediaLimits
from transfer.model.media import Format

MAX_TEMPLATE = 600
MAX_DETAIL = 100

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{([a-z0-9_]+)(?::([a-z]+))?\}")
_FORMS = frozenset({"bytes", "count", "seconds", "milliseconds", "capitals"})
_LIMIT_WORDS = frozenset(
    {
        "limit_image",
        "limit_video",
        "limit_text",
        "limit_pixels",
        "limit_side",
        "limit_frames",
        "limit_time",
        "limit_streams",
        "limit_characters",
        "formats",
    }
)


def check_template(template: str) -> str:
    """The template itself, if it is well formed. Raises ValueError with a sentence."""
    if not template.strip() or len(template) > MAX_TEMPLATE:
        raise ValueError(f"a sentence has 1 to {MAX_TEMPLATE} characters")
    if not template.isprintable():
        raise ValueError("a sentence stands on one line and has no control characters")
    outside = _BRACKET.sub("", template)
    if set(outside) & set("[]"):
        raise ValueError("square brackets come in pairs, not within one another")
    for name, _form in _FIELD.findall(outside):
        if name not in _LIMIT_WORDS:
            raise ValueError(
                f"«{{{name}}}» may not be known every time, so it has to stand in square brackets; "
                f"always known are {', '.join(sorted(_LIMIT_WORDS))}"
            )
    for _name, form in _FIELD.findall(template):
        if form and form not in _FORMS:
            raise ValueError(f"there is no form «{form}»; there are {', '.join(sorted(_FORMS))}")
    if set(_FIELD.sub("", template)) & set("{}"):
        raise ValueError("curly brackets hold one lower-case word, such as {limit_pixels} or {bytes:bytes}")
    return template


def fill(template: str, detail: Mapping[str, str | int], known: Mapping[str, str]) -> str:
    """The sentence; total for every template and every detail. `known` comes from `limit_words`."""

    def bracket(found: re.Match[str]) -> str:
        inside = found[1]
        names = [name for name, _form in _FIELD.findall(inside)]
        said = all(name in known or detail.get(name, "") != "" for name in names)
        return _filled(inside, detail, known) if said else ""

    return _filled(_BRACKET.sub(bracket, template), detail, known)


@lru_cache(maxsize=8)
def limit_words(limits: MediaLimits, formats: tuple[Format, ...]) -> Mapping[str, str]:
    """What `{limit_…}` and `{formats}` stand for under this policy."""
    suffixes = [format_.suffixes[0].removeprefix(".") for format_ in formats]
    words = {
        "limit_image": say_bytes(limits.image_bytes),
        "limit_video": say_bytes(limits.video_bytes),
        "limit_text": say_bytes(limits.text_bytes),
        "limit_pixels": f"{limits.pixels:,}",
        "limit_side": f"{limits.side:,}",
        "limit_frames": f"{limits.frames:,}",
        "limit_time": say_seconds(limits.seconds),
        "limit_streams": f"{limits.streams:,}",
        "limit_characters": f"{limits.characters:,}",
        "formats": ", ".join(suffixes),
    }
    return MappingProxyType(words)


def say_bytes(number: int) -> str:
    """`4 GB`, `52.4 MB`, `17 bytes`: decimal, as file managers count."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{number} byte{'' if number == 1 else 's'}"


def say_seconds(number: int) -> str:
    """`10 minutes`, `1 minute 5 seconds`, `40 seconds`."""
    minutes, seconds = divmod(max(0, number), 60)
    parts = [_count(minutes, "minute")] if minutes else []
    if seconds or not minutes:
        parts.append(_count(seconds, "second"))
    return " ".join(parts)


def printable(value: str | int) -> str:
    """A detail as it may be shown: printable ASCII, short, whatever it was. «…» marks what was cut."""
    text = "".join(character if " " <= character <= "~" else "?" for character in str(value)[: MAX_DETAIL + 1])
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _filled(text: str, detail: Mapping[str, str | int], known: Mapping[str, str]) -> str:
    def field(found: re.Match[str]) -> str:
        if found[1] in known:
            return known[found[1]]
        return _formed(detail[found[1]], found[2]) if found[1] in detail else "?"

    return _FIELD.sub(field, text)


def _formed(value: str | int, form: str | None) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        match form:
            case "bytes":
                return say_bytes(value)
            case "seconds":
                return say_seconds(value)
            case "milliseconds":
                return say_seconds(value // 1000)
            case "count":
                return f"{value:,}"
    text = printable(value) if isinstance(value, str) or abs(value) < 2**63 else "a very large number"
    return text.upper() if form == "capitals" else text

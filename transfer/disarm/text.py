"""Texts made anew: captions, SubRip and WebVTT, in NFC UTF-8 with LF, without anything invisible.

What enters: the bytes of an untrusted text. What leaves: a caption with clean characters (`characters.py`), or
subtitles written again from their cues: number and times, then the words with no markup but `<b>`, `<i>` and `<u>`.
WebVTT keeps its cue settings (where on the screen) and loses header texts, comments, styles, regions, identifiers,
voices and classes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from transfer.disarm.characters import clean_characters, composed
from transfer.errors import Refusal
from transfer.model.findings import Code
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, RebuildFacts

_ARROW = re.compile(r"\s*((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})(.*)")
_TIME = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})")
_TAG = re.compile(r"</?[A-Za-z0-9.!?][^<>\n]*>")  # and not «3 < 5 and 7 > 2»
_PLAIN = re.compile(r"</?[biu]>")
_OVERRIDE = re.compile(r"\{\\[^{}\n]*\}")  # Advanced SubStation codes such as {\an8}
_SETTING = re.compile(
    r"vertical:(?:rl|lr)|line:-?\d{1,4}(?:\.\d{1,4})?%?(?:,(?:start|center|end))?|size:\d{1,3}(?:\.\d{1,4})?%"
    r"|position:\d{1,3}(?:\.\d{1,4})?%(?:,(?:line-left|center|line-right))?|align:(?:start|center|end|left|right)"
)
_SKIPPED = re.compile(r"(STYLE|NOTE|REGION)(?:\s|$)")


@dataclass(frozen=True, slots=True)
class _Cue:
    """Times in milliseconds, settings of WebVTT, and the words' lines."""

    begin: int
    end: int
    settings: str
    lines: tuple[str, ...]


def remake_text(untrusted: bytes, *, form: Format, limits: MediaLimits) -> tuple[bytes, RebuildFacts]:
    """The new text and what it is. Raises Refusal (text-encoding, text-too-long, empty, rebuild-failed)."""
    try:
        decoded = untrusted.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal("The text is not UTF-8.", code=Code.TEXT_ENCODING) from error
    if len(decoded) > limits.characters:
        raise Refusal(f"The text has more than {limits.characters} characters.", code=Code.TEXT_TOO_LONG)
    text = clean_characters(decoded)
    removed = ["invisible characters"] if text != composed(decoded) else []
    duration = 0
    if form is not Format.TEXT:
        cues = tuple(_cues(text, form, removed))
        render = _render_vtt if form is Format.VTT else _render_srt
        text, duration = render(cues), max((cue.end for cue in cues), default=0)
    if not text.strip() or text == "WEBVTT\n":
        raise Refusal("Nothing is left of the text once it is clean.", code=Code.EMPTY)
    facts = RebuildFacts(format=form, duration_ms=duration, removed=tuple(dict.fromkeys(removed)))
    return text.encode(), facts


def _cues(text: str, form: Format, removed: list[str]) -> list[_Cue]:
    """The cues in order. Raises Refusal for what is neither a cue nor something to leave out."""
    cues: list[_Cue] = []
    for number, block in enumerate(_blocks(text, form, removed), 1):
        at = next((place for place, line in enumerate(block[:2]) if _ARROW.fullmatch(line)), None)
        if at is not None:
            if at == 1 and form is Format.VTT:
                removed.append("cue identifiers")
            cues.append(_cue(block[at], block[at + 1 :], form, removed))
        elif cues and form is Format.SRT:
            # an empty line inside a cue: SubRip has no way to say it, and players go on reading
            last = cues.pop()
            cues.append(_Cue(last.begin, last.end, "", last.lines + _words(block, form, removed)))
        else:
            raise Refusal(f"Part {number} of the subtitles has no times.", code=Code.REBUILD_FAILED)
    return cues


def _blocks(text: str, form: Format, removed: list[str]) -> list[list[str]]:
    """Runs of lines between empty ones, without what WebVTT has besides cues."""
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if form is not Format.VTT:
        return blocks
    if not blocks or not re.fullmatch(r"WEBVTT(?:[ \t].*)?", blocks[0][0]):
        raise Refusal("The first line is not WEBVTT.", code=Code.REBUILD_FAILED)
    if blocks[0] != ["WEBVTT"]:
        removed.append("header text")
    skipped = [_SKIPPED.match(block[0]) for block in blocks]
    removed.extend(f"{match[1]} block" for match in skipped[1:] if match)
    return [block for block, match in zip(blocks[1:], skipped[1:], strict=True) if not match]


def _cue(arrow: str, lines: list[str], form: Format, removed: list[str]) -> _Cue:
    match = _ARROW.fullmatch(arrow)
    begin, end = (_milliseconds(match[side]) for side in (1, 2)) if match else (0, -1)
    if match is None or end < begin:
        raise Refusal("A cue ends before it begins.", code=Code.REBUILD_FAILED)
    settings = match[3].split()
    kept = [word for word in settings if form is Format.VTT and _SETTING.fullmatch(word)]
    if len(kept) < len(settings):
        removed.append("cue settings")
    return _Cue(begin, end, " ".join(kept), _words(lines, form, removed))


def _words(lines: list[str], form: Format, removed: list[str]) -> tuple[str, ...]:
    clean = tuple(_plain(line, form, removed) for line in lines)
    return tuple(line for line in clean if line.strip())


def _plain(line: str, form: Format, removed: list[str]) -> str:
    """One line without markup, taken out until nothing changes: what goes may bring the halves of a tag together."""

    def judged(match: re.Match[str]) -> str:
        if _PLAIN.fullmatch(match[0].lower()):
            return match[0].lower()
        removed.append("markup")
        return ""

    while True:
        cleaned = _TAG.sub(judged, _OVERRIDE.sub(judged, line)).replace("-->", "->")
        if form is Format.VTT:
            cleaned = _escaped(cleaned)
        cleaned = clean_characters(cleaned)
        if cleaned == line:
            return line
        line = cleaned


def _escaped(line: str) -> str:
    """A `<` that begins no tag would make WebVTT players drop the rest of the line."""
    parts = re.split(r"(</?[biu]>)", line)
    return "".join(part if _PLAIN.fullmatch(part) else part.replace("<", "&lt;") for part in parts)


def _milliseconds(time: str) -> int:
    match = _TIME.fullmatch(time)
    if match is None or int(match[3]) > 59 or int(match[2]) > 59:
        raise Refusal("A cue has a time that is none.", code=Code.REBUILD_FAILED)
    hours, minutes, seconds = (int(part or 0) for part in match.group(1, 2, 3))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int(match[4].ljust(3, "0"))


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{rest:03d}"


def _render_srt(cues: tuple[_Cue, ...]) -> str:
    body = (
        f"{number}\n{_clock(cue.begin, ',')} --> {_clock(cue.end, ',')}\n" + "".join(f"{line}\n" for line in cue.lines)
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(body)


def _render_vtt(cues: tuple[_Cue, ...]) -> str:
    body = (
        f"\n{_clock(cue.begin, '.')} --> {_clock(cue.end, '.')} {cue.settings}".rstrip(" ")
        + "\n"
        + "".join(f"{line}\n" for line in cue.lines)
        for cue in cues
    )
    return "WEBVTT\n" + "".join(body)

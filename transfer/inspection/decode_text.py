"""Captions and subtitles: strict UTF-8, the syntax of SubRip and WebVTT, and nothing that is really a program. Pure.

What enters: the bytes of an untrusted text file. What leaves: its facts, or `Unfit`. The text itself is not handed on.
"""

from __future__ import annotations

import re
import unicodedata

from transfer.inspection.metadata import marking_findings
from transfer.inspection.noticed import Unfit
from transfer.inspection.personal_data import personal_data_in
from transfer.inspection.programs import program_named
from transfer.model.findings import Code, Finding
from transfer.model.limits import MediaLimits
from transfer.model.media import Format, MediaFacts
from transfer.model.search import Search

_BEGINNINGS = (
    b"#!",
    b"\x7fELF",
    b"%PDF",
    b"{\\rtf",
    b"PK\x03\x04",
    b"%!PS",
    b"<?",
    b"\xca\xfe\xba\xbe",
    b"L\0\0\0\x01\x14\x02\0",
)
_CONTROLS = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")  # no text has these; the rebuild drops the milder ones

_SRT_TIME = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)[,.](\d{3}) --> (\d{1,3}):([0-5]\d):([0-5]\d)[,.](\d{3})(?: .*)?")
_VTT_TIME = re.compile(
    r"(?:(\d{2,3}):)?([0-5]\d):([0-5]\d)\.(\d{3})[ \t]+-->[ \t]+(?:(\d{2,3}):)?([0-5]\d):([0-5]\d)\.(\d{3})(?:[ \t].*)?"
)


def decode_text(
    data: bytes, *, form: Format, limits: MediaLimits, search: Search
) -> tuple[MediaFacts, tuple[Finding, ...]]:
    """The facts of a caption or a subtitle file, and the marks and personal data in its words.

    Raises Unfit: TEXT_IS_PROGRAM, TEXT_ENCODING, TEXT_TOO_LONG, EMPTY, UNDECODABLE (not the syntax its name promises).
    """
    if data.startswith(_BEGINNINGS) or (data.startswith(b"MZ") and b"\0" in data[:512]):
        raise Unfit(Code.TEXT_IS_PROGRAM, content="begins as a program or document does")
    text = _text(data)
    if len(text) > limits.characters:
        raise Unfit(Code.TEXT_TOO_LONG, characters=len(text), limit=limits.characters)
    program, character = program_named(text, prose=form is Format.TEXT)
    if program:
        raise Unfit(Code.TEXT_IS_PROGRAM, content=program, character=character)
    if not any(unicodedata.category(character)[0] in "LMNPS" for character in text):  # what has no form has no words
        raise Unfit(Code.EMPTY)
    duration = _duration_of(text, form)
    if duration > limits.seconds * 1_000:
        raise Unfit(Code.TOO_LONG, seconds=duration // 1_000, limit=limits.seconds)
    facts = MediaFacts(format=form, characters=len(text), duration_ms=duration)
    return facts, (*marking_findings(text, search, where="text"), *personal_data_in(text, search, where="text"))


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unfit(Code.TEXT_ENCODING, encoding="UTF-16")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unfit(Code.TEXT_ENCODING, encoding="not UTF-8", byte=error.start) from None
    if "\0" in text or _CONTROLS.search(text):
        raise Unfit(Code.TEXT_ENCODING, encoding="control characters")
    return text


def _duration_of(text: str, form: Format) -> int:
    """Milliseconds to the end of the last cue; 0 for a caption."""
    if form is Format.TEXT:
        return 0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    blocks = _blocks(lines)
    return _duration_of_srt(blocks) if form is Format.SRT else _duration_of_vtt(blocks)


def _blocks(lines: list[str]) -> list[list[str]]:
    """Runs of lines between empty ones."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _duration_of_srt(blocks: list[list[str]]) -> int:
    last = 0
    for number, block in enumerate(blocks, 1):
        times = _SRT_TIME.fullmatch(block[1]) if len(block) > 1 else None
        if not block[0].isdecimal() or times is None:
            raise Unfit(Code.UNDECODABLE, cue=number, problem="no number and times as SubRip has them")
        last = max(last, _checked_end(times, number))
    return last


def _duration_of_vtt(blocks: list[list[str]]) -> int:
    if not blocks or re.fullmatch(r"WEBVTT(?:[ \t].*)?", blocks[0][0]) is None:
        raise Unfit(Code.UNDECODABLE, problem="no WEBVTT in its first line")
    last = 0
    for number, block in enumerate(blocks[1:], 1):
        if re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", block[0]):
            continue
        times = next((found for line in block[:2] if (found := _VTT_TIME.fullmatch(line))), None)
        if times is None:
            raise Unfit(Code.UNDECODABLE, cue=number, problem="no times as WebVTT has them")
        last = max(last, _checked_end(times, number))
    return last


def _checked_end(times: re.Match[str], number: int) -> int:
    parts = [int(part or 0) for part in times.groups()]
    begin, end = (
        ((hours * 60 + minutes) * 60 + seconds) * 1_000 + thousandths
        for hours, minutes, seconds, thousandths in (parts[:4], parts[4:])
    )
    if end < begin:
        raise Unfit(Code.UNDECODABLE, cue=number, problem="ends before it begins")
    return end

"""Reads a caption or subtitles to the last character and finds whatever cannot be seen, and whatever is no plain words.

What enters: a rebuilt text. What leaves: notes in the report.
A caption is NFC UTF-8 with LF and without invisible characters, but for the few places where emoji and scripts need
one: those places are written below as patterns; they are crossed out, and nothing invisible may then be left.
SubRip and WebVTT are read as a grammar of their own, from the first line to the last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from transfer.disarm.residue_view import Broken, Report, View

_LONGEST = 64 << 20  # bytes
_EMOJI_BLOCKS = "\U0001f000-\U0001faff"
_SYMBOLS = "".join(
    chr(number)
    for number in range(0x2001, 0x10000)
    if unicodedata.category(chr(number)) in {"So", "Sk"} and number != 0x2800
)
_EMOJI = f"[{re.escape(_SYMBOLS)}{_EMOJI_BLOCKS}]"
_TWO_LOOKS = (
    f"[{re.escape(_SYMBOLS)}{_EMOJI_BLOCKS}#*0-9\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299]"
)
_TAGS = "(?:{})".format("|".join("".join(chr(0xE0000 + ord(c)) for c in r) for r in ("gbeng", "gbsct", "gbwls")))
_NEEDED = re.compile(
    f"(?<=\U0001f3f4){_TAGS}\U000e007f"  # the flags of England, Scotland and Wales
    f"|(?<={_TWO_LOOKS})[\ufe0e\ufe0f]"
    f"|(?<={_EMOJI})\u200d(?={_EMOJI})|(?<={_EMOJI}[\ufe0e\ufe0f])\u200d(?={_EMOJI})"
)
_ARABIC = re.compile("[\u0600-\u07bf\u0840-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
_JOINER = re.compile("[\u200c\u200d]")
_NEVER = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028\u2029\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)
_CUE = r"(?P<begin>\d{2,}:[0-5]\d:[0-5]\d%s\d{3}) --> (?P<end>\d{2,}:[0-5]\d:[0-5]\d%s\d{3})"
_SRT_TIMES = re.compile(_CUE % (",", ","))
_VTT_TIMES = re.compile(
    _CUE % (r"\.", r"\.") + r"(?P<settings>(?: (?:vertical|line|size|position|align):[a-z0-9.,%-]+)*)"
)
_MARKUP = re.compile(r"</?[A-Za-z0-9.!?][^<>\n]*>|\{\\[^}\n]*\}")
_PLAIN = {"<b>", "</b>", "<i>", "</i>", "<u>", "</u>"}


def read_text(view: View, report: Report) -> None:
    """A caption. Raises Broken if it is not UTF-8."""
    _characters(_decoded(view), report)


def read_srt(view: View, report: Report) -> None:
    """SubRip. Raises Broken if it is not UTF-8."""
    text = _decoded(view)
    _characters(text, report)
    for number, (line, cue) in enumerate(_cues(text, report), 1):
        report.saw("subtitles", "cue")
        report.unless(cue[0] == str(number), "cue", "it is not numbered in order", line)
        report.unless(len(cue) > 1 and _in_order(_SRT_TIMES, cue[1]), "cue", "its times are none", line + 1)
        _words(cue[2:], line + 2, report)


def read_vtt(view: View, report: Report) -> None:
    """WebVTT. Raises Broken if it is not UTF-8."""
    text = _decoded(view)
    _characters(text, report)
    first, _, rest = text.partition("\n")
    report.unless(first == "WEBVTT" and rest.startswith("\n"), "header", "it holds more than WEBVTT", 1)
    for line, cue in _cues(rest[1:], report):
        report.saw("subtitles", "cue")
        report.unless(_in_order(_VTT_TIMES, cue[0]), "cue", "it does not begin with times", line + 2)
        _words(cue[1:], line + 3, report)
        for offset, words in enumerate(cue[1:]):
            bare = re.sub("</?[biu]>", "", words)
            report.unless("<" not in bare, "cue", "a sign that is not escaped", line + 3 + offset)


def _decoded(view: View) -> str:
    if view.size > _LONGEST:
        raise Broken("text", "it is too long", 0)
    try:
        return view.take(0, view.size, "text").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Broken("text", "it is not UTF-8", error.start) from None


def _characters(text: str, report: Report) -> None:
    lines = text.count("\n") + (not text.endswith("\n"))
    report.tell(f"text: {len(text)} characters, {lines} lines, {len(text.encode())} bytes of UTF-8")
    report.unless(bool(text.strip()), "text", "it is empty")
    report.unless(unicodedata.is_normalized("NFC", text), "text", "it is not NFC")
    rest = _NEEDED.sub("", text)
    rest = _JOINER.sub(_without_needed_joiner, rest)
    for number, line in enumerate(rest.split("\n"), 1):
        for character in line:
            if _is_invisible(character):
                report.note("text", f"the character U+{ord(character):04X}", number)
                break


def _without_needed_joiner(match: re.Match[str]) -> str:
    """Crosses a joiner out where an Indian or Arabic script needs it (RFC 5892, appendix A)."""
    text, at = match.string, match.start()
    before, after = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    if not before or not after or unicodedata.category(after)[0] not in "LM":
        return match[0]
    arabic = match[0] == "\u200c" and _is_arabic(before) and _is_arabic(after)
    return "" if unicodedata.combining(before) == 9 or arabic else match[0]


def _is_arabic(character: str) -> bool:
    return _ARABIC.match(character) is not None and unicodedata.category(character)[0] in "LM"


def _is_invisible(character: str) -> bool:
    if character == "\t" or " " <= character <= "~":
        return False
    if _NEVER.match(character):
        return True
    category = unicodedata.category(character)
    if category == "Cn":
        return not 0x1F000 <= ord(character) <= 0x1FAFF
    return category[0] == "C"


def _cues(text: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines between single empty lines, with the number of their first line."""
    report.unless(text.endswith("\n") and not text.endswith("\n\n"), "end", "it does not end with one line end")
    line = 1
    for block in text.removesuffix("\n").split("\n\n"):
        lines = block.split("\n")
        report.unless(all(words.strip() for words in lines), "cue", "an empty line", line)
        yield line, lines
        line += len(lines) + 1


def _in_order(times: re.Pattern[str], line: str) -> bool:
    match = times.fullmatch(line)
    return match is not None and (len(match["begin"]), match["begin"]) <= (len(match["end"]), match["end"])


def _words(lines: list[str], first: int, report: Report) -> None:
    for number, line in enumerate(lines, first):
        report.unless("-->" not in line, "cue", "an arrow in its words", number)
        for markup in _MARKUP.findall(line):
            report.unless(markup in _PLAIN, "cue", "markup in its words", number)

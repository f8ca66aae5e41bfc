"""Captions and subtitles: what staff wrote, and nothing that cannot be seen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import samples
from tests.disarm.tools import refusal, remade, residues, try_remake
from transfer.disarm.characters import clean_characters
from transfer.model.findings import Code
from transfer.model.media import Format


def caption(words: str) -> str:
    return remade(words.encode(), Format.TEXT)[0].decode()


@pytest.mark.parametrize(
    "words",
    [
        "Come to our open day! \N{PARTY POPPER}\n",
        "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MICROSCOPE} in her lab",
        "\N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}\N{ZERO WIDTH JOINER}\N{GRADUATION CAP}",
        "\N{RAINBOW}\N{VARIATION SELECTOR-16} \N{HEAVY BLACK HEART}\ufe0f\u200d\N{FIRE}",
        "\N{WAVING WHITE FLAG}\ufe0f\u200d\N{RAINBOW}",
        "\N{WHITE SMILING FACE}\ufe0e and \N{WHITE SMILING FACE}\ufe0f",
        "1\ufe0f\N{COMBINING ENCLOSING KEYCAP} first, \N{COPYRIGHT SIGN}\ufe0f 2026",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f Edinburgh",
        "\U0001f1e9\U0001f1ea \U0001f1ef\U0001f1f5",
        "\U0001fac6 an emoji younger than this Python",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 Persian",
        "\u0915\u094d\u200d\u0937 and \u0915\u094d\u200c\u0937 Hindi",
        "\u05e9\u05dc\u05d5\u05dd, \u0645\u0631\u062d\u0628\u0627, \u4f60\u597d, \u3053\u3093\u306b\u3061\u306f",
        "na\u00efve\u00a0\u2013 \u201cquoted\u201d \u2026\ttab\n\nparagraph",
        "#openday @university <3 & 3 < 5 > 2",
    ],
)
def test_what_staff_write_stays_as_it_is(words: str) -> None:
    assert caption(words) == words


@pytest.mark.parametrize(
    ("words", "clean"),
    [
        ("\ufeffhello", "hello"),
        ("a\r\nb\rc\u2028d\u2029e\x0bf\x0cg\x85h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066x\u2069\u200e\u200f\u061c", "x"),
        ("con\u200bfi\u2060den\u00adtial", "confidential"),
        ("bell\x07 esc\x1b[31m nul\x00", "bell esc[31m nul"),
        ("a\u200db\u200cc", "abc"),
        ("\N{PARTY POPPER}\u200d", "\N{PARTY POPPER}"),
        ("x\ufe0f\ufe0fy\U000e0100z", "xyz"),
        ("\N{GRINNING FACE}\ufe0f\ufe0f\ufe0e", "\N{GRINNING FACE}\ufe0f"),
        ("a\U000e0068\U000e0069b", "ab"),
        ("\U0001f3f4\U000e0068\U000e0069\U000e007f", "\U0001f3f4"),
        ("\u3164\uffa0\u115f\u2800\u034f.", "."),
        ("\ue000\U0010ffff\ufdd0.", "."),
    ],
)
def test_what_cannot_be_seen_is_gone_and_it_is_said(words: str, clean: str) -> None:
    made, facts = remade(words.encode(), Format.TEXT)
    assert made.decode() == clean
    hidden = (
        words.removeprefix("\ufeff") != clean and unicodedata.normalize("NFC", words) != clean and "\r" not in words
    )
    assert ("invisible characters" in facts.removed) is hidden


def test_words_that_are_no_text_are_refused() -> None:
    assert refusal(b"\xff\xfeh\0i\0", Format.TEXT).code is Code.TEXT_ENCODING
    assert refusal(b"caf\xe9", Format.TEXT).code is Code.TEXT_ENCODING
    assert refusal("\u200b \n".encode(), Format.TEXT).code is Code.EMPTY
    assert refusal(b"x" * 100_001, Format.TEXT).code is Code.TEXT_TOO_LONG


HARD = "a \n\t1#\r\u00e9\u0301\u200d\u200c\ufe0f\ufe0e\u00a9\u2764\U0001f600\U0001f3f4\U000e0067\U000e0062\U000e007f"
HARD += "\u0915\u094d\u0645\u06cc\u202e\ue000\U0001f3fb\u2800\u034f\u1160\u0378\U0001faff<b>/i{\\-:,.0>"


@given(st.text(st.sampled_from(HARD), max_size=40) | st.text(max_size=40))
@example("\u0915\u094d\u200d\u200d\u0937")
@example("0\ufe0e\u200c\u0645")
@settings(max_examples=300, deadline=None)
def test_the_reader_agrees_with_the_writer_about_every_text(words: str) -> None:
    clean = clean_characters(words)
    assert clean_characters(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)
    if clean.strip():
        assert residues(clean.encode(), Format.TEXT) == ()
    changed = words.replace("\r", "\n")
    if words.isprintable() and words.isascii():
        assert clean == changed


SRT = """\ufeff1\r
00:00:01,000 --> 00:00:02,500 X1:40 Y1:20\r
<font color="red">Hello</font> <B>you</B> & <i>me</i>\r
{\\an8}second line\r
\r
7\r
0:00:03.5 --> 00:00:04,000\r
3 < 5 and 7 > 2 --> <scr<c>ipt>x\r
\r
more words after an empty line\r
"""


def test_subrip_is_written_again_from_its_cues() -> None:
    made, facts = remade(SRT.encode(), Format.SRT)
    assert made.decode() == (
        "1\n00:00:01,000 --> 00:00:02,500\nHello <b>you</b> & <i>me</i>\nsecond line\n\n"
        "2\n00:00:03,500 --> 00:00:04,000\n3 < 5 and 7 > 2 -> x\nmore words after an empty line\n"
    )
    assert set(facts.removed) == {"cue settings", "markup"}
    assert facts.duration_ms == 4000


VTT = """WEBVTT - made by Sam Sample
Kind: captions
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

STYLE
::cue { background: url(http://example.org/pixel) }

REGION
id:sam

NOTE confidential: do not share

intro
00:01.000 --> 00:02.000 align:start position:10%,line-left region:sam line:-1
<v Sam Sample>Hello <c.red>there</c> <00:00:01.500>you <b>all</b>

00:03.000 --> 01:00:04.000
3 < 5 &amp; more
NOTE is a word here
"""


def test_webvtt_keeps_its_cues_and_nothing_else() -> None:
    made, facts = remade(VTT.encode(), Format.VTT)
    assert made.decode() == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 align:start position:10%,line-left line:-1\n"
        "Hello there you <b>all</b>\n\n"
        "00:00:03.000 --> 01:00:04.000\n3 &lt; 5 &amp; more\nNOTE is a word here\n"
    )
    assert set(facts.removed) == {
        "header text", "STYLE block", "REGION block", "NOTE block", "cue identifiers", "cue settings", "markup",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Format.SRT, "hello"),
        (Format.SRT, "1\n00:00:05,000 --> 00:00:02,000\nbackwards\n"),
        (Format.SRT, "1\n00:99:05,000 --> 00:99:06,000\nno such minute\n"),
        (Format.VTT, "1\n00:00:01,000 --> 00:00:02,000\nno header\n"),
        (Format.VTT, "WEBVTT\n\nno times\n"),
    ],
)
def test_subtitles_that_are_none_are_refused(form: Format, words: str) -> None:
    assert refusal(words.encode(), form).code is Code.REBUILD_FAILED


@pytest.mark.parametrize("words", ["WEBVTT\n\nNOTE nothing else\n", "WEBVTT"])
def test_subtitles_without_a_cue_are_empty(words: str) -> None:
    assert refusal(words.encode(), Format.VTT).code is Code.EMPTY


@pytest.mark.parametrize(("form", "make"), [(Format.SRT, samples.srt), (Format.VTT, samples.vtt)])
def test_clean_subtitles_rebuild_to_themselves(form: Format, make: object) -> None:
    once, facts = remade(make(), form)
    assert remade(once, form)[0] == once
    assert facts.removed == ()


@given(st.lists(st.text(st.sampled_from(HARD), max_size=25), max_size=5), st.sampled_from([Format.SRT, Format.VTT]))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_cue_the_result_is_clean(lines: list[str], form: Format) -> None:
    body = "\n\n".join(f"00:00:0{n}.000 --> 00:00:0{n + 1}.000\n{line}" for n, line in enumerate(lines))
    made, facts, _ = try_remake(f"WEBVTT\n\n{body}\n".encode() if form is Format.VTT else body.encode(), form)
    if facts is not None:
        assert residues(made, form) == ()
        assert remade(made, form)[0] == made


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Format.TEXT, "a\u200bb"), (Format.TEXT, "a\r\nb"), (Format.TEXT, "e\u0301"), (Format.TEXT, "\ufeffa"),
        (Format.TEXT, "a\u202eb"), (Format.TEXT, "a\U000e0041b"), (Format.TEXT, "x\ufe0f"), (Format.TEXT, ""),
        (Format.TEXT, "a\x00b"), (Format.TEXT, "\N{PARTY POPPER}\u200dx"), (Format.TEXT, "\u2800"),
        (Format.SRT, "2\n00:00:01,000 --> 00:00:02,000\nx\n"),
        (Format.SRT, "1\n00:00:01,000 --> 00:00:02,000 X1:3\nx\n"),
        (Format.SRT, "1\n00:00:03,000 --> 00:00:02,000\nx\n"),
        (Format.SRT, "1\n00:00:01,000 --> 00:00:02,000\n<font>x\n"),
        (Format.SRT, "1\n00:00:01,000 --> 00:00:02,000\nx\n\n\n"),
        (Format.VTT, "WEBVTT x\n\n00:00:01.000 --> 00:00:02.000\nx\n"),
        (Format.VTT, "WEBVTT\n\nNOTE x\n\n00:00:01.000 --> 00:00:02.000\nx\n"),
        (Format.VTT, "WEBVTT\n\nid\n00:00:01.000 --> 00:00:02.000\nx\n"),
        (Format.VTT, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v Sam>x\n"),
        (Format.VTT, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 region:x\nx\n"),
        (Format.VTT, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n3 < 5\n"),
    ],
)  # fmt: skip
def test_the_reader_finds_what_a_writer_would_have_forgotten(form: Format, words: str) -> None:
    assert residues(words.encode(), form)

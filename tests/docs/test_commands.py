"""Every command that a page, a help text or an error message names exists, with the options it is shown with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from transfer.cli.main import app

TOP = Path(__file__).parents[2]
PAGES = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("policies/*.md"), *TOP.glob("policies/*.toml")])
SOURCES = sorted((TOP / "transfer").rglob("*.py"))
ROOT = typer.main.get_command(app)

_QUOTED = re.compile(r"`(transfer [^`]+)`")
_TYPED = re.compile(r"^\s*(?:\$ |# )?(?:sudo (?:-u \S+ )?)?((?:\S*/)?transfer [a-z].*)$", re.MULTILINE)
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What a sentence may say of the program that is no command to type.
_NO_COMMAND = {"transfer COMMAND", "transfer COMMAND --help"}


def shown(path: Path) -> Iterator[str]:
    text = path.read_text()
    joined = re.sub(r"(?<=[\w`])\s*\n\s*(?=[\w-])", " ", text) if path.suffix == ".md" else text
    yield from (found for found in _QUOTED.findall(joined) if found not in _NO_COMMAND)
    for block in _BLOCK.findall(text):
        yield from _TYPED.findall(block.replace("\\\n", " "))


def problem(command: str) -> str:
    """What is wrong with a command as shown; empty if it could be typed so."""
    words = [
        word for word in shlex.split(command.replace("…", ""), comments=True)[1:] if word not in {"ITEM...", "..."}
    ]
    node = ROOT
    while hasattr(node, "commands"):
        while words and words[0] in {"-w", "--workspace"}:
            words = words[2:]
        if not words:
            return ""  # «see `transfer people`»: a group
        if words[0] in {"--help", "-h", "--version"}:
            return ""
        if any(mark in words[0] for mark in "/|"):  # «`transfer pause/resume`»
            names = re.split(r"[/|]", words[0])
            missing = [name for name in names if name not in node.commands]
            return f"{missing} is no command" if missing else ""
        if words[0] not in node.commands:
            return f"{words[0]!r} is no command"
        node = node.commands[words.pop(0)]
    known = {option for param in node.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    for word in words:
        option = word.strip("[]").partition("=")[0]
        if option.startswith("-") and option != "-" and option not in known:
            return f"{option} is no option of it"
    return ""


CASES = [(path, command) for path in (*PAGES, *SOURCES) for command in dict.fromkeys(shown(path))]


def test_there_is_something_to_check() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize(("path", "command"), CASES, ids=lambda value: str(value)[:80])
def test_the_command_can_be_typed(path: Path, command: str) -> None:
    assert problem(command) == "", f"{path.relative_to(TOP)}: {command}"


@pytest.mark.parametrize(
    "command",
    ["transfer aprove X", "transfer approve X --puplic", "transfer audit verfy", "transfer people add X --rank high"],
)
def test_a_wrong_command_would_be_noticed(command: str) -> None:
    assert problem(command) != ""


LINKS = [(page, target) for page in PAGES for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text())]
NAMED = [
    (page, target)
    for page in PAGES
    for target in re.findall(r"`((?:docs|policies|scripts|tests|transfer)/[\w./-]+)`", page.read_text())
    if "*" not in target and "<" not in target
]


@pytest.mark.parametrize(("page", "target"), LINKS, ids=lambda value: str(value)[-60:])
def test_links_lead_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists(), f"{page.relative_to(TOP)} links to {target}"


@pytest.mark.parametrize(("page", "target"), NAMED, ids=lambda value: str(value)[-60:])
def test_files_that_pages_name_exist(page: Path, target: str) -> None:
    assert (TOP / target).exists(), f"{page.relative_to(TOP)} names {target}"

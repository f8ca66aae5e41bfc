"""How the command line speaks: facts as one JSON document or as plain lines; errors as a sentence and an advice."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from transfer.cli.names import has_pseudonym, with_names
from transfer.errors import TransferError

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "") -> None:
    """One line for people, on standard output."""
    sys.stdout.write(f"{_encodable(shown(text), sys.stdout.encoding)}\n")


def hint(text: str) -> None:
    """One line beside the facts, on standard error, if anybody listens there."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{_encodable(shown(text), sys.stderr.encoding)}\n")


def _encodable(text: str, encoding: str | None) -> str:
    """The text with `?` for what the locale has no letters for."""
    known = encoding or "utf-8"
    return text.encode(known, "replace").decode(known)


def shown(text: str) -> str:
    """The text with `?` for what a terminal would obey instead of showing; paths are named as users and others wrote
    them."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of a command that was asked for `--json`."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(document, ensure_ascii=not readable, indent=2) + "\n")


def complain(error: TransferError, *, names: Callable[[], Mapping[str, str]] = dict) -> int:
    """Prints what is wrong and what to do next; the exit code that goes with it.

    `names` is asked for the names behind pseudonyms only if the sentence has any.
    """
    cited = f" [{', '.join(error.clauses)}]" if error.clauses else ""
    sentence = with_names(error.sentence, names()) if has_pseudonym(error.sentence) else error.sentence
    sys.stderr.write(f"transfer: {shown(sentence)}{cited}\n")
    if error.advice:
        sys.stderr.write(f"  → {shown(error.advice)}\n")
    return error.exit_code


def console() -> Console:
    """A rich console on standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], *, empty: str) -> None:
    """Rows under headings, or the sentence `empty`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    listed = [tuple(row) for row in rows]
    if not listed:
        say(empty)
        return
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in listed:
        drawn.add_row(*(Text(cell) for cell in row))  # Text, not markup: a name may hold brackets
    console().print(drawn)


def counted(number: int, what: str) -> str:
    """`1 entry`, `1,000 entries`: the number with its word. `what` is a singular that takes an s, or ends with y."""
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,} {what if number == 1 else several}"


def readable_size(size: int) -> str:
    """`1.4 MB`, with decimal units as file managers show them."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{size} bytes"


def columns() -> int:
    """How wide a line may be: the terminal's width, or 80 where there is none; never too wide to read."""
    import shutil

    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 110))


def paragraph(text: str, *, indent: int = 0, first: str | None = None) -> str:
    """A text in lines of the terminal's width, begun with `indent` spaces; `first` begins the first one instead."""
    import textwrap

    return textwrap.fill(
        text,
        columns(),
        initial_indent=" " * indent if first is None else first,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

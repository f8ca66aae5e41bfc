"""How the command line speaks: facts as one JSON document or as plain lines; errors as a sentence and an advice."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from transfer.errors import TransferError

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "") -> None:
    """One line for people, on standard output."""
    sys.stdout.write(f"{text}\n")


def hint(text: str) -> None:
    """One line beside the facts, on standard error."""
    sys.stderr.write(f"{text}\n")


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of a command that was asked for `--json`."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def complain(error: TransferError) -> int:
    """Prints what is wrong and what to do next; the exit code that goes with it."""
    cited = f" [{', '.join(error.clauses)}]" if error.clauses else ""
    sys.stderr.write(f"transfer: {error.sentence}{cited}\n")
    if error.advice:
        sys.stderr.write(f"  → {error.advice}\n")
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


def readable_size(size: int) -> str:
    """`1.4 MB`, with decimal units as file managers show them."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{size} bytes"

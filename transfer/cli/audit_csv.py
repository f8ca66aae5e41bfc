"""Entries of the log as CSV (RFC 4180, UTF-8, CRLF), for spreadsheets, which obey some of what they open.

A cell that a spreadsheet would take for a formula gets an apostrophe in front. Every cell is one line.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from transfer.cli.names import called
from transfer.cli.output import shown
from transfer.cli.sentences import sentence
from transfer.cli.telling import Telling, reason_in
from transfer.model.facets import CLAUSE, facets_of

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry

COLUMNS = (
    "shard", "entry", "time", "event", "what", "item", "campaign", "name", "reason", "sha256", "bytes", "by", "by_name",
    "about", "rules", "clauses", "policy", "erased", "facts",
)  # fmt: skip

# What a spreadsheet reads as the beginning of a formula, in its full-width forms too.
_FORMULA = tuple("=+-@\t\r＝＋－＠")


def print_csv(entries: Iterable[ShownEntry], names: Mapping[str, str]) -> int:
    """Writes headings and rows to standard output as they come, UTF-8 whatever the locale; how many rows it were."""
    count = 0
    _write(COLUMNS)
    for entry in entries:
        _write(row_of(entry, names))
        count += 1
    return count


def row_of(entry: ShownEntry, names: Mapping[str, str]) -> list[str]:
    """The cells of one entry, in the order of COLUMNS, guarded."""
    leaf, facets = entry.leaf, facets_of(entry.leaf.body, inherited=entry.campaign)
    told = Telling(entry, names)
    policy = leaf.body.get("policy")
    given = told.facts.get("reasons")
    rules = [str(each.get("rule")) for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
    cells = (
        entry.shard,
        leaf.index,
        leaf.at,
        leaf.event,
        sentence(entry, names),
        leaf.item or "",
        entry.campaign or "",
        told.name,
        reason_in(entry),
        leaf.sha256 or "",
        told.file.get("bytes", ""),
        leaf.by or "",
        called(leaf.by, names) if leaf.by in names else "",
        " ".join(tag.partition(":")[2] for tag in facets.tags if not tag.startswith(CLAUSE)),
        " ".join(dict.fromkeys(rules)),
        " ".join(tag.removeprefix(CLAUSE) for tag in facets.tags if tag.startswith(CLAUSE)),
        policy.get("sha256", "") if isinstance(policy, Mapping) else "",
        entry.erased if entry.openings else "",
        json.dumps(told.facts, sort_keys=True, separators=(",", ":")) if told.facts else "",
    )
    return [guarded(one_line(str(cell))) for cell in cells]


def guarded(cell: str) -> str:
    """The cell, behind an apostrophe if a spreadsheet could take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell


def one_line(text: str) -> str:
    """White space of any kind as single blanks, and `?` for what a terminal would obey."""
    return shown(" ".join(text.split()))


def _write(cells: Iterable[str]) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    sys.stdout.buffer.write(line.getvalue().encode("utf-8"))

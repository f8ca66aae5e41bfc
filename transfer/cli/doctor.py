"""`transfer doctor`: tries what should hold, and says what to do where it does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, workspace_path
from transfer.cli.output import paragraph, print_json, say

if TYPE_CHECKING:
    from transfer.checkup.check import Check

_SIGNS = {"ok": "✓", "note": "·", "unavailable": "✗", "misconfigured": "✗", "tampered": "✗"}
_PLAIN_SIGNS = {"ok": "ok", "note": "--", "unavailable": "NO", "misconfigured": "NO", "tampered": "NO"}
_WIDEST = 12  # of the checks' names


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)


def doctor(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Try what should hold: kernel valve, scanner, keys, disk, clock, log. Exit code 0 if nothing is at fault."""
    from transfer.checkup.check import exit_code
    from transfer.checkup.everything import check_machine, check_workspace

    root = _root(workspace_path(context, workspace))
    checks = check_machine() if root is None else check_workspace(root)
    code = exit_code(checks)
    if json:
        print_json({"ok": code == 0, "checks": [_facts(check) for check in checks]})
    else:
        _tell(checks)
        if root is None:
            say("There is no workspace here; --workspace DIR names one, and then more is tried.")
    raise typer.Exit(code)


def _root(given: Path | None) -> Path | None:
    """The workspace that is meant; None where none is named and none is here."""
    from transfer.errors import Misuse
    from transfer.wiring import root_of
    from transfer.workspace import VARIABLE

    try:
        return root_of(given)
    except Misuse:
        if given is not None or os.environ.get(VARIABLE):
            raise
        return None


def _facts(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "status": check.standing.value,
        "sentence": check.sentence,
        "advice": check.advice,
    }


def _tell(checks: list[Check]) -> None:
    signs = _SIGNS if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else _PLAIN_SIGNS
    indent = _WIDEST + 4
    for check in checks:
        sign = signs[check.standing.value]
        say(paragraph(check.sentence, indent=indent, first=f"{sign} {check.name:<{_WIDEST}}  "))
        if check.advice and check.standing.value != "ok":
            say(paragraph(f"→ {check.advice}", indent=indent, first=" " * indent))

"""`transfer run`: the whole gateway, supervised."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from transfer.cli.options import WorkspaceOption, workspace_path
from transfer.cli.output import hint


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run")(run)


def run(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="One round: take what is there as far as it can go, then end.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show what happens.")] = False,
    no_web: Annotated[bool, typer.Option("--no-web", help="Without web pages (there are none yet).")] = False,
) -> None:
    """Run the gateway and its guard until Ctrl-C."""
    del no_web
    from transfer.supervisor import Supervisor
    from transfer.wiring import root_of

    root = root_of(workspace_path(context, workspace))
    command = (sys.executable, "-m", "transfer", "process")
    gateway = [*command, "gateway", "-w", str(root)]
    gateway += ["--once"] if once else []
    gateway += [] if quiet else ["--live"]
    supervisor = Supervisor(gateway=gateway, guard=[*command, "guard", "-w", str(root)], once=once, report=hint)
    raise typer.Exit(supervisor.run())

"""`transfer`: assembles the commands and turns every error into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from transfer import __version__
from transfer.cli.catalogue import Commands
from transfer.cli.options import OPENED_SITE, ROOT_WORKSPACE, WorkspaceOption
from transfer.cli.output import complain, hint, say
from transfer.errors import TransferError

app = typer.Typer(
    name="transfer",
    cls=Commands,
    help="A one-way media gateway: photos, videos and captions go to an isolated device, and nothing comes back.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help needs no rich, which costs more than all the rest of the start
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"oneway-transfer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Takes the options that may stand before the command."""
    context.ensure_object(dict)[ROOT_WORKSPACE] = workspace


def main() -> None:
    """The console script. No traceback reaches a user, unless TRANSFER_DEBUG asks for it."""
    known: dict[str, object] = {}  # what the command comes to know: the workspace it opened
    try:
        app(obj=known)
    except TransferError as error:
        sys.exit(complain(error, names=lambda: _names(known)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("TRANSFER_DEBUG"):
            raise
        hint(f"transfer: something went wrong that should not have ({type(error).__name__}); nothing was released.")
        hint("  → Run it again with TRANSFER_DEBUG=1 and send what it prints to the operator.")
        sys.exit(3)


def _names(known: dict[str, object]) -> dict[str, str]:
    """Who is who in the workspace that was opened, if one was; a database that fails now changes no error."""
    site = known.get(OPENED_SITE)
    if site is None:
        return {}
    from transfer.cli.names import names_of

    try:
        return names_of(site)  # type: ignore[arg-type]  # it is the Site that open_site put there
    except TransferError:
        return {}

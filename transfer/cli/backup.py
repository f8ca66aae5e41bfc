"""`transfer backup` and `transfer restore`: a consistent copy while the gateway runs, and back into an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site, workspace_path
from transfer.cli.output import hint, print_json, readable_size, say
from transfer.errors import Misuse


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder, outside of the workspace.")],
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave the gateway's keys out; keep them elsewhere, then.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Copy everything that cannot be made again: records, files, log, settings, keys. The gateway may run meanwhile."""
    from transfer.model.clock import render_time
    from transfer.restoring import make_backup

    site = open_site(context, workspace)
    report = make_backup(site, folder, keys=not without_keys, progress=_progress, tell=hint)
    elsewhere = site.log_key.named
    if json:
        print_json(
            {
                "folder": str(folder.absolute()),
                "made_at": render_time(report.made_at),
                "files": report.files,
                "bytes": report.size,
                "keys": report.keys,
                "log_key": elsewhere or None,
                "damaged": list(report.damaged),
            }
        )
        return
    say(f"Backed up {report.files} files ({readable_size(report.size)}) to {folder}.")
    if elsewhere:
        say(f"The log's key is not in it: that is kept elsewhere, {elsewhere}, and a restored workspace needs it.")
    if report.keys and elsewhere:
        say("It holds names and files, so keep it as you keep those.")
    elif report.keys:
        say("It holds the keys: whoever can read it can sign as this gateway. Keep it as you keep them.")
    else:
        say(f"It holds no keys: keep {site.workspace.keys} elsewhere; without them nothing can be restored.")
    for path in report.damaged:
        say(f"Left out, because its bytes are no longer what they were: {path}")
    say(f"To try it out: transfer restore {folder} --to NEW-FOLDER")


def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a backup.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="NEW", help="Where to; a new or empty folder.")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup back into an empty folder, after every byte of it was verified."""
    from transfer.model.clock import render_time
    from transfer.restoring import put_back

    destination = to or workspace_path(context, workspace)
    if destination is None:
        raise Misuse(
            "Say where the backup is to be restored.",
            advice="Name a new or empty folder: transfer restore DIR --to NEW. What is there is never overwritten.",
        )
    done = put_back(folder, destination)
    report = done.report
    if json:
        print_json(
            {
                "workspace": str(destination.absolute()),
                "made_at": render_time(report.made_at),
                "files": report.files,
                "bytes": report.size,
                "keys": report.keys,
                "incomplete": list(report.incomplete),
                "log_key": done.log_key or None,
                "missing": [str(path) for path in done.missing],
            }
        )
        return
    size, moment = readable_size(report.size), f"{report.made_at:%F %T} UTC"
    say(f"Restored {report.files} files ({size}) to {destination}, as of {moment}.")
    if report.incomplete:
        say(f"Without their file, so it has to be dropped again: {', '.join(report.incomplete)}.")
    for path in done.missing:
        say(f"Not there yet: {path}. Make it or mount it.")
    if not report.keys:
        needed = "first-approver.vkey and log.vkey" if done.log_key else "log.key and first-approver.vkey"
        say(f"The backup holds no keys: put {needed} back into {destination / 'keys'}.")
    if done.log_key:
        say(f"No backup holds the log's key: have it at {done.log_key}, or change `key` under [log] in transfer.toml.")
    say("No backup has what lay in staging and on the device's side. Feedback and receipts are written anew.")
    say("Before it goes on, say how, so that the log never tells two stories:")
    say(f"  if the log was published further since then   transfer audit adopt -w {destination} --log THAT-LOG")
    say(f"  if not                                        transfer audit adopt -w {destination}")


def _progress(path: str) -> None:
    if sys.stderr.isatty():
        hint(f"  {path}")

"""`transfer audit republish`: the published log written anew, where its folder was lost or damaged."""

from __future__ import annotations

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, workspace_path
from transfer.cli.output import print_json, say

_MOST = 10


def register(group: typer.Typer) -> None:
    """Adds the command."""
    group.command("republish")(republish)


def republish(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Write the published log anew from the database, where it was lost or damaged. The gateway must not run."""
    from transfer.audit.republish import republish as write_anew
    from transfer.log_key import load_signer
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock, open_site, root_of
    from transfer.workspace import Workspace

    place = Workspace(root_of(workspace_path(context, workspace)))
    with hold_workspace(place.lock, clock=SystemClock()):
        site = open_site(place)
        done = write_anew(db=site.db, log_dir=place.log, signer=load_signer(site))
    if json:
        print_json({"entries": done.entries, "shards": done.shards, "written": list(done.written)})
        return
    if not done.written:
        say(f"Every file of the {done.entries:,} entries lies there as it was published; nothing was written.")
        return
    many = len(done.written)
    say(f"Wrote {many} file{'' if many == 1 else 's'} that {'was' if many == 1 else 'were'} missing or damaged:")
    for path in done.written[:_MOST]:
        say(f"  {place.log.name}/{path}")
    if many > _MOST:
        say(f"  and {many - _MOST} more")
    say("Find out what happened to the folder. Whether all fits together now: `transfer audit verify`.")

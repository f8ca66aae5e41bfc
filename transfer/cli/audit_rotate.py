"""`transfer audit rotate`: the log goes on in its next shard, under a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, workspace_path
from transfer.cli.output import print_json, say
from transfer.errors import Misuse, NotSo

if TYPE_CHECKING:
    from transfer.model.identifiers import PersonId
    from transfer.wiring import Site

OperatorOption = Annotated[
    str, typer.Option("--as", metavar="NAME", help="Who you are: an operator or an approver.")
]  # fmt: skip


def register(group: typer.Typer) -> None:
    """Adds the command."""
    group.command("rotate")(rotate)


def rotate(
    context: typer.Context,
    name: OperatorOption = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Seal the log and go on in its next shard, under a new key that the old one announces. The gateway must not run.

    A rotation that was interrupted is finished by the same command.
    """
    from transfer.rotation import finish
    from transfer.rotation import rotate as rotate_log
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock, open_site, root_of
    from transfer.workspace import Workspace

    place = Workspace(root_of(workspace_path(context, workspace)))
    with hold_workspace(place.lock, clock=SystemClock()):
        site = open_site(place)
        done = finish(site) or rotate_log(site, by=who(site, name, "A rotation"), reason=reason)
    if json:
        print_json({"origin": done.origin, "vkey": done.vkey, "sealed": done.label, "entries": done.sealed})
        return
    say(f"The log goes on as {done.origin}; the one before is sealed with {done.sealed:,} entries.")
    say(f"  its key        {done.vkey}")
    say(f"  the sealed log log/archive/{done.label}")
    say("Give auditors the new key, or let them learn it from the log: whoever has the old one can verify both.")


def who(site: Site, name: str, what: str) -> PersonId:
    """The operator or approver of this name. Raises Misuse without one, NotSo for anybody else."""
    from transfer.approvals import people

    if not name:
        raise Misuse(f"{what} is entered with who did it.", advice="Say who you are with --as NAME.")
    with site.db.read() as tx:
        row = people.find(tx, name, desk=site.desk)
    if not {"operator", "approver"} & set(row.roles):
        raise NotSo(
            f"{row.name or row.person} is neither an operator nor an approver.",
            advice="An operator or an approver does this.",
        )
    return row.person

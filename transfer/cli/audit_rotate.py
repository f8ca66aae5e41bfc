"""`transfer audit rotate`: the log goes on in its next shard, under a new key. `transfer audit new-key` makes that key
where the log's is kept elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site, workspace_path
from transfer.cli.output import hint, print_json, say
from transfer.errors import Misuse, NotSo

if TYPE_CHECKING:
    from transfer.log_settings import KeyPlace
    from transfer.model.identifiers import PersonId
    from transfer.wiring import Site

OperatorOption = Annotated[
    str, typer.Option("--as", metavar="NAME", help="Who you are: an operator or an approver.")
]  # fmt: skip


def register(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("rotate")(rotate)
    group.command("new-key")(new_key)


def rotate(
    context: typer.Context,
    name: OperatorOption = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    next_key: Annotated[
        str,
        typer.Option(
            "--next-key",
            metavar="FILE",
            help="The next key, if it is kept elsewhere: a file from `transfer audit new-key`, or credential:NAME.",
        ),
    ] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Seal the log and go on in its next shard, under a new key that the old one announces. The gateway must not run.

    A rotation that was interrupted is finished by the same command. A backup that is being made is waited for.
    """
    from transfer.key_change import named_place
    from transfer.rotation import finish
    from transfer.rotation import rotate as rotate_log
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock, root_of
    from transfer.wiring import open_site as open_held
    from transfer.workspace import Workspace

    place = Workspace(root_of(workspace_path(context, workspace)))
    with hold_workspace(place.lock, clock=SystemClock()):
        site = open_held(place)
        given = named_place(site, next_key) if next_key else None
        done = finish(site, next_key=given, tell=hint)
        if done is None:
            by = who(site, name, "A rotation")
            done = rotate_log(site, by=by, reason=reason, next_key=given, tell=hint)
    if json:
        print_json({"origin": done.origin, "vkey": done.vkey, "sealed": done.label, "entries": done.sealed})
        return
    say(f"The log goes on as {done.origin}; the one before is sealed with {done.sealed:,} entries.")
    say(f"  its key        {done.vkey}")
    say(f"  the sealed log log/archive/{done.label}")
    say("Give auditors the new key, or let them learn it from the log: whoever has the old one can verify both.")
    if given is not None:
        _say_what_is_left(site, given)


def new_key(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file for it, outside of the workspace.")],
    year: Annotated[
        int | None,
        typer.Option(metavar="YEAR", help="For the shard of that year, if it is prepared in the one before."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make the log's next key in a file of your own, for a log whose key is kept elsewhere. Nothing else is changed."""
    from transfer.key_change import new_key as make_key
    from transfer.log_key import own_verifier

    site = open_site(context, workspace)
    made = make_key(site, out, current=own_verifier(site).name, year=year)
    if json:
        print_json({"file": str(made.path), "origin": made.signer.name, "vkey": made.signer.vkey})
        return
    say(f"Made the private key {made.path}; nobody but you may read it.")
    say(f"  for            {made.signer.name}")
    say(f"  its public key {made.signer.vkey}")
    say(f"The log takes it with: transfer audit rotate --as NAME --next-key {made.path}")


def _say_what_is_left(site: Site, given: KeyPlace) -> None:
    former = site.log_key
    if not former.elsewhere:
        say(f'Next: name the key in {site.workspace.settings_file}, under [log]: key = "{given.named}"')
        say("The former private key was overwritten. Copies of it, as in backups, sign nothing that fits any more.")
    elif former.named == given.named:
        say("Next: start the gateway.")
    else:
        say(f"Next: put the key where the gateway looks, {former.named}, or change `key` under [log] in")
        say(f"{site.workspace.settings_file} to where it is, {given.named}; then destroy the former key.")


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

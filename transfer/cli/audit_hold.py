"""`transfer audit hold`: while a legal hold stands, nothing is pruned, erased or let go."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.audit_rotate import OperatorOption, who
from transfer.cli.names import called, names_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import print_json, say
from transfer.errors import Misuse, NotSo

if TYPE_CHECKING:
    from transfer.audit.holds import Hold
    from transfer.wiring import Site


def register(group: typer.Typer) -> None:
    """Adds the group."""
    holding = typer.Typer(help="Legal holds: nothing is pruned, erased or let go while one stands.")
    holding.command("set")(set_hold)
    holding.command("release")(release)
    holding.command("list")(list_holds)
    group.add_typer(holding, name="hold")


def set_hold(
    context: typer.Context,
    name: OperatorOption = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, such as the case and its number.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Set a legal hold. The gateway may run, and goes on working."""
    from transfer.model.events import Event, EventName

    if not reason.strip():
        raise Misuse("A hold needs a reason, for whoever has to release it.", advice="Give it with --reason.")
    site = open_site(context, workspace)
    by, hold = who(site, name, "A hold"), f"h-{secrets.token_hex(4)}"
    with site.db.write() as tx:
        site.log.append(
            tx, Event(name=EventName.HOLD_SET, by=by, facts={"hold": hold}, private={"reason": reason.strip()})
        )
    _answer(site, json=json, said=f"The hold {hold} stands: nothing is pruned, erased or let go.")


def release(
    context: typer.Context,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="Which, as `hold list` calls it.")],
    name: OperatorOption = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it ends.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Release a legal hold. What is due goes at the next occasion."""
    from transfer.audit.holds import holds
    from transfer.model.events import Event, EventName

    site = open_site(context, workspace)
    by = who(site, name, "The end of a hold")
    with site.db.write() as tx:
        if hold not in {one.hold for one in holds(tx)}:
            raise NotSo(f"No hold {hold[:40]!a} stands.", advice="`transfer audit hold list`.")
        private = {"reason": reason.strip()} if reason.strip() else {}
        site.log.append(tx, Event(name=EventName.HOLD_RELEASED, by=by, facts={"hold": hold}, private=private))
    _answer(site, json=json, said=f"The hold {hold} is released.")


def list_holds(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the legal holds that stand, oldest first."""
    _answer(open_site(context, workspace), json=json, said="")


def _answer(site: Site, *, json: bool, said: str) -> None:
    from transfer.audit.holds import holds

    with site.db.read() as tx:
        standing = holds(tx)
    if json:
        print_json({"holds": [_facts(hold) for hold in standing]})
        return
    if said:
        say(said)
        return
    names = names_of(site)
    for hold in standing:
        why = hold.reason or "its reason stands in a sealed shard of the log, or was erased"
        say(f"{hold.hold}  since {hold.at}  by {called(hold.by, names)}: {why}")
    if not standing:
        say("No hold stands.")


def _facts(hold: Hold) -> dict[str, Any]:
    return {"hold": hold.hold, "at": hold.at, "by": hold.by, "reason": hold.reason}

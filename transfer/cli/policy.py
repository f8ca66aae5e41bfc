"""`transfer policy`: the policy in force, rule by rule with clauses; whether one loads; what one rule or item means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, print_json, say

if TYPE_CHECKING:
    from transfer.policy.rules import Policy

_ITEM = re.compile(r"i-[0-9a-z]{8}")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The policy: what may pass, what waits, what is refused, and why.", no_args_is_help=True)
    group.command("check")(check)
    group.command("show")(show)
    group.command("explain")(explain)
    app.add_typer(group, name="policy")


def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Else the workspace's policy.toml.")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a policy loads, and if not, which line is wrong. Changes nothing."""
    from transfer.policy.rulebook import load_policy
    from transfer.policy.show import summarise, uncovered_codes

    if file is not None:
        policy, in_force = load_policy(file), None
    else:
        policy, in_force = _of_workspace(context, workspace)
    if json:
        print_json(
            {
                "name": policy.name,
                "title": policy.title,
                "sha256": policy.sha256,
                "derived_from": list(policy.derived_from),
                "rules": len(policy.rules),
                "uncovered": [code.value for code in uncovered_codes(policy)],
                "in_force": in_force,
            }
        )
        return
    say(summarise(policy).rstrip())
    if in_force is False:
        say("It is not in force yet: the gateway adopts it when it starts.")


def show(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Show everything the policy does."""
    from transfer.policy.show import policy_facts, show_policy

    policy, in_force = _of_workspace(context, workspace)
    if json:
        print_json({**policy_facts(policy), "in_force": in_force})
        return
    say(show_policy(policy).rstrip())
    if not in_force:
        hint("This is policy.toml as it stands now; the gateway adopts it when it starts.")


def explain(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="RULE|FINDING|ITEM", help="Such as place-goes, marking, i-7k3m9q2x.")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Explain one rule, one finding, or why an item stands where it does."""
    from transfer.policy.show import explain_item, explain_rule

    site = open_site(context, workspace)
    if _ITEM.fullmatch(what):
        from transfer.model.identifiers import parse_item_id

        with site.db.read() as tx:
            row = site.register.row(tx, parse_item_id(what))
        text = explain_item(site.policy, row)
    else:
        text = explain_rule(site.policy, what)
    if json:
        print_json({"about": what, "explanation": text})
        return
    say(text.rstrip())


def _of_workspace(context: typer.Context, workspace: Path | None) -> tuple[Policy, bool]:
    """The policy of the workspace, and whether it is the one that the gateway judges by."""
    from transfer.store.adoption import POLICY, adopted

    site = open_site(context, workspace)
    with site.db.read() as tx:
        return site.policy, adopted(tx, POLICY) == site.policy.sha256

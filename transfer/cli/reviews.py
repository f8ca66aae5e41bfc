"""`transfer review`: an approver who has looked at what holds an item signs that it is no obstacle."""

from __future__ import annotations

from typing import Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, print_json, say
from transfer.cli.signing import DraftOption, Means, SignatureOption, SignerKeyOption, SignerOption, signed_note


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("review")(review)


def review(
    context: typer.Context,
    items: Annotated[list[str] | None, typer.Argument(metavar="ITEM...")] = None,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What you saw; auditors read it.")] = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that what holds items for review is no obstacle. Approval still has to follow."""
    from transfer.approvals.drafts import draft_review
    from transfer.approvals.reviews import accept_review
    from transfer.model.identifiers import parse_item_id

    site = open_site(context, workspace)
    site.require_policy_in_force()
    which = list(dict.fromkeys(parse_item_id(each) for each in items or []))
    means = Means(name=name, key=key, draft=draft, signature=signature)
    note = signed_note(
        site,
        means,
        lambda tx, person: draft_review(tx, which, by=person, reason=reason, desk=site.desk, policy=site.policy),
    )
    if note is None:
        return
    with site.db.write() as tx:
        done = accept_review(tx, note, desk=site.desk, policy=site.policy)
    if json:
        print_json({"reviewed": list(done.items), "codes": [code.value for code in done.codes]})
        return
    for item in done.items:
        say(f"{item} is reviewed: {', '.join(code.value for code in done.codes)} is no obstacle.")
    hint("The gateway judges it again at once, or as soon as it runs; then it waits for approval as everything does.")

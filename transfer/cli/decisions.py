"""The decisions besides approval: refuse, withdraw, pause and resume. Each is a signed statement, recorded at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import print_json, say
from transfer.cli.signing import DraftOption, Means, SignatureOption, SignerKeyOption, SignerOption, signed_note

if TYPE_CHECKING:
    from transfer.model.identifiers import ItemId

ItemsArgument = Annotated[list[str] | None, typer.Argument(metavar="ITEM...")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; staff and auditors read it.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in (("refuse", refuse), ("withdraw", withdraw), ("pause", pause), ("resume", resume)):
        app.command(name)(command)


def refuse(
    context: typer.Context,
    items: ItemsArgument = None,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: ReasonOption = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Refuse items that wait for approval; staff read the reason."""
    from transfer.approvals.decisions import refuse as hand_in
    from transfer.approvals.drafts import draft_refusal

    site = open_site(context, workspace)
    site.require_policy_in_force()
    which = _items(items)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    note = signed_note(
        site, means, lambda tx, person: draft_refusal(tx, which, by=person, reason=reason, desk=site.desk)
    )
    if note is None:
        return
    with site.db.write() as tx:
        done = hand_in(tx, note, desk=site.desk, policy=site.policy).done
    if json:
        print_json({"refused": list(done)})
        return
    for item in done:
        say(f"{item} is refused.")


def withdraw(
    context: typer.Context,
    items: ItemsArgument = None,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: ReasonOption = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Take items back, released or not; the log says whether a released one was still there."""
    from transfer.approvals.decisions import withdraw as hand_in
    from transfer.approvals.drafts import draft_withdrawal

    site = open_site(context, workspace)
    which = _items(items)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    note = signed_note(
        site, means, lambda tx, person: draft_withdrawal(tx, which, by=person, reason=reason, desk=site.desk)
    )
    if note is None:
        return
    with site.db.write() as tx:
        decided = hand_in(tx, note, desk=site.desk)
    if json:
        print_json({"withdrawn": list(decided.done), "pending": list(decided.pending)})
        return
    for item in decided.done:
        say(f"{item} is withdrawn; it had not been released.")
    for item in decided.pending:
        say(f"{item} is to be taken back: the gateway does it at once, or as soon as it runs.")
        say(f"  `transfer show {item}` says whether it was still there.")


def pause(
    context: typer.Context,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: ReasonOption = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Stop releasing at once, in an incident. Taking back goes on."""
    means = Means(name=name, key=key, draft=draft, signature=signature)
    _set_pause(context, workspace, means, reason, paused=True, json=json)


def resume(
    context: typer.Context,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: ReasonOption = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Let releasing go on after a pause."""
    means = Means(name=name, key=key, draft=draft, signature=signature)
    _set_pause(context, workspace, means, reason, paused=False, json=json)


def _set_pause(
    context: typer.Context, workspace: Path | None, means: Means, reason: str, *, paused: bool, json: bool
) -> None:
    from transfer.approvals.drafts import draft_pause
    from transfer.approvals.pausing import set_pause
    from transfer.errors import Misuse

    site = open_site(context, workspace)
    note = signed_note(
        site, means, lambda tx, person: draft_pause(tx, paused=paused, by=person, reason=reason, desk=site.desk)
    )
    if note is None:
        return
    with site.db.write() as tx:
        if set_pause(tx, note, desk=site.desk).paused is not paused:
            raise Misuse(
                f"This statement {'resumes' if paused else 'pauses'} releasing.",
                advice="Hand it in with `transfer resume`." if paused else "Hand it in with `transfer pause`.",
            )
    if json:
        print_json({"paused": paused})
    elif paused:
        say("Releasing is paused. It goes on after `transfer resume`.")
    else:
        say("Releasing goes on.")


def _items(given: list[str] | None) -> list[ItemId]:
    from transfer.model.identifiers import parse_item_id

    return list(dict.fromkeys(parse_item_id(each) for each in given or []))

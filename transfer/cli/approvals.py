"""Approving, at once or in three steps so that the private key never comes near the gateway: `statement`, `sign`
(anywhere), `approve --signature`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption, KeyOption, NameOption, WorkspaceOption, open_site
from transfer.cli.output import print_json, say
from transfer.cli.signing import load_key, person_named, read_statement
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.model.identifiers import ItemId, PersonId
    from transfer.wiring import Site

ItemsArgument = Annotated[list[str], typer.Argument(metavar="ITEM...")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for name, command in (("approve", approve), ("statement", statement), ("sign", sign)):
        app.command(name)(command)


def approve(
    context: typer.Context,
    items: Annotated[list[str] | None, typer.Argument(metavar="ITEM...")] = None,
    post: Annotated[
        str, typer.Option(metavar="CAMPAIGN/POST", help="All files that were dropped together as one post.")
    ] = "",
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are.")] = "",
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Your own signing key.")] = None,
    public: Annotated[bool, typer.Option("--public", help="You declare them PUBLIC (G6).")] = False,
    risk: Annotated[str, typer.Option(metavar="low|medium|high", help="The risk to integrity (G7).")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note for the record.")] = "",
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Hand in a statement that was signed elsewhere.")
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that items are PUBLIC and may be released, or hand such a statement in."""
    from transfer.approvals.approve import accept

    site = open_site(context, workspace)
    site.require_policy_in_force()
    notes = (
        [read_statement(signature)]
        if signature
        else _signed_approvals(site, [*(items or []), *_of_post(site, post)], name, key, public, risk, note)
    )
    with site.db.write() as tx:  # all of them or none
        accepted = [accept(tx, signed, desk=site.desk, policy=site.policy) for signed in notes]
    approved = [item for done in accepted for item in done.approved]
    waiting = {item: lacking for done in accepted for item, lacking in done.waiting}
    if json:
        print_json({"approved": approved, "waiting": waiting})
        return
    for item in approved:
        say(f"{item} is approved; the gateway releases it now, or as soon as it runs.")
    for item, lacking in waiting.items():
        say(f"{item}: your approval is recorded; {lacking} more {'is' if lacking == 1 else 'are'} needed.")


def statement(
    context: typer.Context,
    items: ItemsArgument,
    name: NameOption,
    public: Annotated[bool, typer.Option("--public", help="You declare them PUBLIC (G6).")] = False,
    risk: Annotated[str, typer.Option(metavar="low|medium|high", help="The risk to integrity (G7).")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note for the record.")] = "",
    workspace: WorkspaceOption = None,
) -> None:
    """Print the approval statement for these items, to be signed elsewhere with `transfer sign`."""
    from transfer.approvals.drafts import draft_approval
    from transfer.approvals.statement import Risk

    site = open_site(context, workspace)
    site.require_policy_in_force()
    _require_declared(public, risk)
    which, person = _items(items), person_named(site, name)
    with site.db.write() as tx:
        text = draft_approval(tx, which, by=person, risk=Risk(risk), note=note, desk=site.desk, policy=site.policy)
    typer.echo(text, nl=False)


def sign(
    file: Annotated[Path, typer.Argument(metavar="STATEMENT", help="What `transfer statement` or --draft printed.")],
    key: KeyOption,
) -> None:
    """Sign a statement; prints the signed one. Needs no workspace: it can run on the approver's own machine."""
    from transfer.approvals.signing import sign_statement

    typer.echo(sign_statement(read_statement(file), load_key(key).seed), nl=False)


def _signed_approvals(
    site: Site, items: list[str], name: str, key: Path | None, public: bool, risk: str, note: str
) -> list[str]:
    from transfer.approvals.signing import sign_statement

    if not (items and name and key):
        raise Misuse(
            "An approval needs items, --as NAME and --key FILE; or --signature FILE.",
            advice="`transfer status --state held` lists what waits for approval.",
        )
    _require_declared(public, risk)
    signing_key = load_key(key)
    return [
        sign_statement(text, signing_key.seed) for text in _drafts(site, items, person_named(site, name), risk, note)
    ]


def _drafts(site: Site, items: list[str], person: PersonId, risk: str, note: str) -> list[str]:
    """One statement for each 64 items of one campaign."""
    from transfer.approvals.drafts import draft_approval
    from transfer.approvals.statement import MAX_ITEMS, Risk

    by_campaign: dict[str | None, list[ItemId]] = {}
    with site.db.read() as reading:
        for item in _items(items):
            by_campaign.setdefault(site.register.row(reading, item).campaign, []).append(item)
    batches = [
        same[start : start + MAX_ITEMS] for same in by_campaign.values() for start in range(0, len(same), MAX_ITEMS)
    ]
    with site.db.write() as tx:
        return [
            draft_approval(tx, batch, by=person, risk=Risk(risk), note=note, desk=site.desk, policy=site.policy)
            for batch in batches
        ]


def _of_post(site: Site, post: str) -> list[ItemId]:
    """The items of one post that wait for approval. Raises NotSo while another of its files is not as far."""
    from transfer.errors import NotSo
    from transfer.model.findings import WaitingFor
    from transfer.model.identifiers import parse_campaign_id
    from transfer.model.names import safe_name
    from transfer.model.states import State

    if not post:
        return []
    campaign, _, name = post.strip("/").partition("/")
    with site.db.read() as tx:
        rows = site.register.same_post(tx, parse_campaign_id(campaign), safe_name(name))
    left = [row for row in rows if row.state not in {State.RELEASED, State.WITHDRAWN, State.EXPIRED}]
    for row in left:
        if row.state is not State.HELD or row.waiting_for is not WaitingFor.APPROVAL:
            raise NotSo(
                f"{row.name} of this post is {row.state.value}, so the post is not complete.",
                advice=f"See `transfer show {row.item}`; single files can be approved by their identifiers.",
            )
    if not left:
        raise NotSo(f"No file of the post {post[:80]!a} waits for approval.", advice="`transfer status --state held`.")
    return [row.item for row in left]


def _require_declared(public: bool, risk: str) -> None:
    if not public:
        raise Misuse(
            "Only what is PUBLIC may go to the device, and you have not said that it is.",
            advice="Look at it with `transfer preview`, then say --public.",
            clauses=("G6",),
        )
    if risk not in {"low", "medium", "high"}:
        raise Misuse(
            "State how high the risk to integrity is: could it be copied or manipulated to do harm?",
            advice="Say --risk low, medium or high.",
            clauses=("G7",),
        )


def _items(given: list[str]) -> list[ItemId]:
    from transfer.model.identifiers import parse_item_id

    return list(dict.fromkeys(parse_item_id(each) for each in given))

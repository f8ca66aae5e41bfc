"""`transfer campaign`: what may be sent for. Proposed by anybody, approved and closed by a signature (G1, G11)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.names import called, names_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, paragraph, print_json, say
from transfer.cli.signing import (
    DraftOption,
    Means,
    SignatureOption,
    SignerKeyOption,
    SignerOption,
    person_named,
    signed_note,
)
from transfer.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from transfer.approvals.campaigns import ListedCampaign
    from transfer.approvals.statement import Risk
    from transfer.model.identifiers import CampaignId
    from transfer.wiring import Site

CampaignArgument = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its name, which is also its folder's.")]

_STANDING = {
    "approved": "approved, and open now",
    "unknown": "unknown",
    "not-approved": "not approved: an approver signs it with `transfer campaign approve`",
    "not-current": "approved, but not for today",
}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Campaigns: purpose, dates and risk, signed by an approver.", no_args_is_help=True)
    group.command("propose")(propose)
    group.command("approve")(approve)
    group.command("close")(close)
    group.command("list")(list_campaigns)
    app.add_typer(group, name="campaign")


def propose(
    context: typer.Context,
    campaign: CampaignArgument,
    account: Annotated[str, typer.Option(metavar="@NAME", help="The official account it is for (G11).")],
    begins: Annotated[str, typer.Option("--from", metavar="DATE", help="Its first day, such as 2026-11-22 (UTC).")],
    ends: Annotated[str, typer.Option("--until", metavar="DATE", help="Its last day.")],
    risk: Annotated[str, typer.Option(metavar="low|medium|high", help="The risk to integrity (G7).")],
    purpose: Annotated[str, typer.Option(metavar="TEXT", help="What it is to achieve.")],
    justification: Annotated[str, typer.Option(metavar="TEXT", help="Why it has to be this way (G1).")],
    assessment: Annotated[str, typer.Option(metavar="TEXT", help="How high the risk is, and why (G7).")],
    name: SignerOption,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Propose a campaign. Nothing can be sent for it before an approver has signed it."""
    from transfer.approvals import campaigns
    from transfer.approvals.campaigns import Proposal
    from transfer.model.identifiers import parse_campaign_id

    site = open_site(context, workspace)
    proposal = Proposal(
        campaign=parse_campaign_id(campaign),
        account=account,
        starts=_day(begins, "--from"),
        ends=_day(ends, "--until"),
        risk=_risk(risk),
        purpose=purpose,
        justification=justification,
        assessment=assessment,
    )
    person = person_named(site, name)
    with site.db.write() as tx:
        campaigns.propose(tx, proposal, by=person, desk=site.desk)
    if json:
        print_json({"campaign": _facts_of(site, proposal.campaign)})
        return
    say(f"{campaign} is proposed. Next, an approver signs it:")
    say(f"  transfer campaign approve {campaign} --as NAME --key FILE")


def approve(
    context: typer.Context,
    campaign: CampaignArgument,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Sign a campaign as it was last proposed; its folder in staging is made, if it is not there."""
    from transfer.approvals import campaigns
    from transfer.approvals.drafts import draft_campaign
    from transfer.model.identifiers import parse_campaign_id

    site = open_site(context, workspace)
    which = parse_campaign_id(campaign)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    note = signed_note(site, means, lambda tx, person: draft_campaign(tx, which, by=person, desk=site.desk))
    if note is None:
        return
    with site.db.write() as tx:
        _require_same(campaigns.approve(tx, note, desk=site.desk).campaign, which)
    folders = _make_folders(site, which)
    if json:
        print_json({"campaign": _facts_of(site, which)})
        return
    _say_campaign(_facts_of(site, which))
    say()
    for folder in folders:
        say(f"Drop its files into {folder}")


def close(
    context: typer.Context,
    campaign: CampaignArgument,
    name: SignerOption = "",
    key: SignerKeyOption = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    draft: DraftOption = False,
    signature: SignatureOption = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """End a campaign: nothing more is sent for it. What was released stays."""
    from transfer.approvals import campaigns
    from transfer.approvals.drafts import draft_closing
    from transfer.model.identifiers import parse_campaign_id

    site = open_site(context, workspace)
    which = parse_campaign_id(campaign)
    means = Means(name=name, key=key, draft=draft, signature=signature)
    note = signed_note(
        site, means, lambda tx, person: draft_closing(tx, which, by=person, reason=reason, desk=site.desk)
    )
    if note is None:
        return
    with site.db.write() as tx:
        _require_same(campaigns.close(tx, note, desk=site.desk).campaign, which)
    if json:
        print_json({"campaign": _facts_of(site, which)})
        return
    say(f"{campaign} is closed. What was released stays; `transfer withdraw` takes it back.")


def list_campaigns(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the campaigns with what was proposed and how they stand."""
    listed = _all(open_site(context, workspace))
    if json:
        print_json({"campaigns": listed})
        return
    if not listed:
        say("No campaign was proposed yet: `transfer campaign propose`.")
    for number, facts in enumerate(listed):
        if number:
            say()
        _say_campaign(facts)


def _all(site: Site) -> list[dict[str, Any]]:
    from transfer.approvals import campaigns

    names = names_of(site)
    with site.db.read() as tx:
        return [_facts(each, names) for each in campaigns.listing(tx, desk=site.desk)]


def _facts_of(site: Site, campaign: CampaignId) -> dict[str, Any]:
    return next(facts for facts in _all(site) if facts["campaign"] == campaign)


def _facts(listed: ListedCampaign, names: Mapping[str, str]) -> dict[str, Any]:
    """One campaign as `--json` prints it (docs/formats/campaigns.schema.json)."""
    from transfer.model.clock import render_time

    row = listed.row
    return {
        "campaign": row.campaign,
        "account": row.account,
        "from": row.starts,
        "until": row.ends,
        "risk": row.risk,
        "standing": listed.standing.value,
        "proposed_by": row.proposed_by,
        "proposed_by_name": names.get(row.proposed_by),
        "proposed_at": render_time(row.proposed_at),
        "approved_by": listed.approved_by,
        "approved_by_name": names.get(listed.approved_by) if listed.approved_by else None,
        **{word: listed.words.get(word) for word in ("purpose", "justification", "assessment")},
    }


def _say_campaign(facts: Mapping[str, Any]) -> None:
    say(f"{facts['campaign']}  {_STANDING[facts['standing']]}")
    names = {facts[f"{done}_by"]: facts[f"{done}_by_name"] for done in ("proposed", "approved")}
    known = {person: name for person, name in names.items() if person and name}
    approved = f", approved by {called(facts['approved_by'], known)}" if facts["approved_by"] else ""
    lines = [
        ("account", facts["account"]),
        ("days", f"{facts['from']} to {facts['until']}, both included, UTC"),
        ("purpose", facts["purpose"]),
        ("justification", facts["justification"]),
        ("risk", f"{facts['risk']}: {facts['assessment'] or '(erased)'}"),
        ("people", f"proposed by {called(facts['proposed_by'], known)}{approved}"),
    ]
    for label, text in lines:
        say(paragraph(text or "(erased)", first=f"  {label:<15}", indent=17))


def _make_folders(site: Site, campaign: CampaignId) -> list[Path]:
    """The campaign's folder in each staging folder; a staging folder that takes none (another's, synced) is said."""
    made = []
    for source in site.settings.folder_sources:
        folder = source.folder / campaign
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            hint(f"The folder {folder} could not be made ({error.strerror}); make it, so that staff can drop there.")
        else:
            made.append(folder)
    return made


def _require_same(stated: CampaignId, meant: CampaignId) -> None:
    """Raises Misuse inside the transaction, which then changes nothing."""
    if stated != meant:
        raise Misuse(f"This statement is about the campaign {stated}, not {meant}.", advice="Name that one.")


def _day(given: str, option: str) -> date:
    from datetime import date

    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise Misuse(f"{option} {given[:40]!a} is no day.", advice="Write it like 2026-11-22.") from error


def _risk(given: str) -> Risk:
    from transfer.approvals.statement import Risk

    try:
        return Risk(given)
    except ValueError as error:
        raise Misuse(
            f"--risk {given[:40]!a} is no level.", advice="Say --risk low, medium or high.", clauses=("G7",)
        ) from error

"""`transfer check`: what would happen to files if they were dropped, and why, without staging or recording anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import paragraph, print_json, readable_size, say
from transfer.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transfer.model.identifiers import CampaignId
    from transfer.policy.rules import CampaignStanding
    from transfer.rehearsal import Rehearsed
    from transfer.store.database import ReadTx
    from transfer.wiring import Site

_SOME_CAMPAIGN = "an-approved-campaign"
_IGNORED = "Nothing: it is what a sync client, browser or editor leaves behind, and is never taken up."


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("check")(check)


def check(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    campaign: Annotated[
        str, typer.Option(metavar="CAMPAIGN", help="As if dropped for this one; else for one that is approved.")
    ] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Say what would happen to files, and why. Exit code 1 if any would be refused. Needs no running gateway."""
    from transfer.model.identifiers import CampaignId, parse_campaign_id

    site = open_site(context, workspace)
    for file in files:
        if not os.path.lexists(file) or file.is_dir():
            said = f"{file} is a folder." if file.is_dir() else f"There is no file at {file}."
            raise Misuse(said, advice="Name the files that are to be looked at.")
    wanted = parse_campaign_id(campaign) if campaign else None
    refused = 0
    told: list[dict[str, Any]] = []
    for file, answer in _answers(site, files, wanted, CampaignId(_SOME_CAMPAIGN)):
        facts = _facts(file, answer)
        refused += facts["outcome"] == "refused"
        told.append(facts)
        if not json:
            _say(facts, answer)
    if json:
        print_json({"files": told, "refused": refused})
    raise typer.Exit(1 if refused else 0)


def _answers(
    site: Site, files: list[Path], campaign: CampaignId | None, otherwise: CampaignId
) -> Iterator[tuple[Path, Rehearsed]]:
    import secrets

    from transfer.approvals.campaigns import standing
    from transfer.policy.rules import CampaignStanding
    from transfer.rehearsal import rehearsal
    from transfer.wiring import build_pools, build_scanners

    def stands(tx: ReadTx, which: CampaignId | None) -> CampaignStanding:
        del tx, which  # of the rehearsal's register, which knows no campaigns
        if campaign is None:
            return CampaignStanding.APPROVED
        with site.db.read() as real:
            return standing(real, campaign, desk=site.desk)

    media, residue = build_pools(site.settings, reading=site.policy.read_pictures)
    with (
        media,
        residue,
        build_scanners(site) as scanner,
        rehearsal(
            campaign=campaign or otherwise,
            policy=site.policy,
            media=media,
            residue=residue,
            scanner=scanner,
            standing=stands,
            past=(site.db, site.register),
            clock=site.clock,
            entropy=secrets.token_bytes,
        ) as line,
    ):
        for file in files:
            yield file, line.of(file)


def _facts(file: Path, answer: Rehearsed) -> dict[str, Any]:
    """One file as `--json` prints it (docs/formats/check.schema.json)."""
    from transfer.cli.items import reason_facts

    given = os.fsencode(file).decode("utf-8", "replace")
    row = answer.row
    if row is None:
        return {"file": given, "outcome": "ignored"}
    return {
        "file": given,
        "outcome": row.state.value,
        "name": row.name.text,
        "waiting_for": row.waiting_for.value if row.waiting_for else None,
        "media_type": row.media_type,
        "bytes": row.size,
        "sha256": row.sha256,
        "rebuilt_sha256": row.rebuilt_sha256,
        "rebuilt_bytes": row.rebuilt_size,
        "removed": list(answer.removed),
        "reasons": [reason_facts(reason) for reason in row.reasons],
    }


def _say(facts: dict[str, Any], answer: Rehearsed) -> None:
    row = answer.row
    if row is None:
        say(f"{facts['file']}: ignored")
        say(paragraph(_IGNORED, indent=2))
        return
    outcome = f"held, waiting for {row.waiting_for}" if row.waiting_for else row.state.value
    say(f"{facts['file']}: would be {outcome}")
    kind = f"{row.media_type}, " if row.media_type else ""
    made = f"; rebuilt {readable_size(row.rebuilt_size)}" if row.rebuilt_size is not None else ""
    removed = f", without {', '.join(answer.removed)}" if answer.removed else ""
    say(paragraph(f"{kind}{readable_size(row.size)}{made}{removed}", indent=2))
    for reason in row.reasons:
        advice = f" {reason.advice}" if reason.advice and reason.severity.value == "refuse" else ""
        cited = f" [{reason.rule}; {', '.join(reason.clauses)}]"
        say(paragraph(f"{reason.message}{cited}{advice}", first="  - ", indent=4))

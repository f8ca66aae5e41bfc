"""`transfer status` and `transfer show`: the items and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import print_json, readable_size, say, table
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.model.findings import Reason
    from transfer.model.states import State
    from transfer.store.register import ItemRow
    from transfer.wiring import Site

_MOST = 1_000_000


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("status")(status)
    app.command("show")(show)


def status(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    state: Annotated[str, typer.Option(metavar="STATE", help="Only items in this state.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="Only what arrived since, such as 2026-11-22.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 1000,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    json: JsonOption = False,
) -> None:
    """List the items, newest first."""
    site = open_site(context, workspace)
    most = _MOST if everything else limit
    with site.db.read() as tx:
        rows = site.register.rows(tx, state=_state(state), since=_moment(since), limit=most + 1)
    more, rows = len(rows) > most, rows[:most]
    if json:
        print_json({"items": [item_facts(row) for row in rows], "more": more})
        return
    listed = ((row.item, row.state.value, _waits(row), _where(row), readable_size(row.size), _why(row)) for row in rows)
    table(("item", "state", "waits for", "file", "size", "why"), listed, empty=_nothing(site))
    if more:
        say(f"There are more than these {most}; --all lists all.")


def show(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ITEM")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show one item's whole life, with its entries in the transfer log."""
    from transfer.audit.show import life
    from transfer.model.identifiers import parse_item_id
    from transfer.policy.show import explain_item

    site = open_site(context, workspace)
    which = parse_item_id(item)
    with site.db.read() as tx:
        row = site.register.row(tx, which)
        shown = life(tx, which)
    if json:
        print_json({"item": item_facts(row), "entries": [entry_facts(entry) for entry in shown]})
        return
    say(explain_item(site.policy, row))
    say("In the transfer log:")
    for entry in shown:
        say(f"  {entry.index:>6}  {entry.leaf['at']}  {entry.leaf['event']}")


def item_facts(row: ItemRow) -> dict[str, Any]:
    """One item as `status --json` prints it (docs/formats/status.schema.json)."""
    return {
        "item": row.item,
        "name": row.name.text,
        "campaign": row.campaign,
        "post": row.post.text if row.post else None,
        "state": row.state.value,
        "waiting_for": row.waiting_for.value if row.waiting_for else None,
        "media_type": row.media_type,
        "bytes": row.size,
        "sha256": row.sha256,
        "rebuilt_sha256": row.rebuilt_sha256,
        "released_as": row.released_as,
        "reasons": [reason_facts(reason) for reason in row.reasons],
        "arrived_at": _time(row.arrived_at),
        "decided_at": _time(row.decided_at),
    }


def reason_facts(reason: Reason) -> dict[str, Any]:
    """One reason; its clauses as one string, such as `G5, G6`."""
    return {
        "rule": reason.rule,
        "clause": ", ".join(reason.clauses),
        "severity": reason.severity.value,
        "message": reason.message,
    }


def _time(moment: datetime | None) -> str | None:
    from transfer.model.clock import render_time

    return None if moment is None else render_time(moment)


def _state(given: str) -> State | None:
    from transfer.model.states import State

    if not given:
        return None
    try:
        return State(given)
    except ValueError as error:
        known = ", ".join(each.value for each in State)
        raise Misuse(f"There is no state {given[:30]!a}.", advice=f"One of: {known}.") from error


def _moment(given: str) -> datetime | None:
    from datetime import UTC

    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise Misuse(
            f"{given[:40]!a} is no time.", advice="Write it like 2026-11-22 or 2026-11-22T10:30:00Z."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _waits(row: ItemRow) -> str:
    return row.waiting_for.value if row.waiting_for else ""


def _where(row: ItemRow) -> str:
    return "/".join(str(part) for part in (row.campaign, row.post, row.name) if part)


def _why(row: ItemRow) -> str:
    from transfer.model.findings import Severity
    from transfer.model.states import State

    if row.state is State.RELEASED:
        return f"as {row.released_as}"
    wanted = Severity.REFUSE if row.state is State.REFUSED else Severity.HOLD
    return " ".join(reason.message for reason in row.reasons if reason.severity is wanted)


def _nothing(site: Site) -> str:
    return f"Nothing has been dropped yet into {site.settings.sources[0].folder}."

"""`transfer status` and `transfer show`: the items and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.names import called, names_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site, shard_rows
from transfer.cli.output import paragraph, print_json, say
from transfer.errors import Misuse
from transfer.model.clock import render_time

if TYPE_CHECKING:
    from transfer.model.drive import Wait
    from transfer.model.findings import Reason
    from transfer.model.identifiers import SourceId
    from transfer.model.states import State
    from transfer.store.records import Record
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
    from transfer.cli.listing import say_items

    site = open_site(context, workspace)
    most = _MOST if everything else limit
    with site.db.read() as tx:
        rows = site.register.rows(tx, state=_state(state), since=_moment(since), limit=most + 1)
    more, rows = len(rows) > most, rows[:most]
    if json:
        print_json({"items": [item_facts(row) for row in rows], "more": more, "waits": _waits_facts(site)})
        return
    if rows:
        say_items(rows, names_of(site))
    else:
        say(_nothing(site, narrowed=bool(state or since)))
    if more:
        say(f"There are more than these {most}; --all lists all.")
    for line in _circumstances(site):
        say(paragraph(line))


def show(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ITEM")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show one item's whole life, with its entries in the transfer log."""
    from transfer.audit.shard_search import life_in
    from transfer.model.identifiers import parse_item_id

    site = open_site(context, workspace)
    which = parse_item_id(item)
    with site.db.read() as tx:
        row, record = site.register.row(tx, which), site.register.load(tx, which)
        post = site.register.same_post(tx, row.campaign, row.post) if row.campaign and row.post else []
    shown = life_in(shard_rows(site), which)
    if json:
        rebuilt = rebuilt_facts(record)
        print_json({"item": item_facts(row), "rebuilt": rebuilt, "entries": [entry.as_dict() for entry in shown]})
        return
    from transfer.cli.timeline import say_life

    say_life(row, shown, names_of(site), with_it=[other for other in post if other.item != which])


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


def rebuilt_facts(record: Record) -> dict[str, Any] | None:
    """What was taken out of a file and what is left of it; None if there is no clean copy."""
    from transfer.model.states import Held, Rebuilt

    rebuilt = record.rebuilt if isinstance(record, Held) else record
    if not isinstance(rebuilt, Rebuilt):
        return None
    return {"removed": list(rebuilt.rebuild.removed), "left": list(rebuilt.left)}


def reason_facts(reason: Reason) -> dict[str, Any]:
    """One reason; its clauses as one string, such as `G5, G6`."""
    return {
        "rule": reason.rule,
        "clause": ", ".join(reason.clauses),
        "severity": reason.severity.value,
        "message": reason.message,
    }


def _time(moment: datetime | None) -> str | None:
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


def _nothing(site: Site, *, narrowed: bool) -> str:
    if narrowed:
        return "No item is like that."
    where = next((str(source.folder) for source in site.settings.folder_sources), "the folder in OneDrive")
    return f"Nothing has been dropped yet into {where}."


def _waits(site: Site) -> Mapping[SourceId, Wait]:
    """What OneDrive makes the running gateway wait for; nothing where none runs."""
    from transfer.store.lock import who_holds
    from transfer.store.onedrive_staging import waits

    if who_holds(site.workspace.lock) is None:
        return {}
    with site.db.read() as tx:
        return waits(tx)


def _waits_facts(site: Site) -> list[dict[str, Any]]:
    return [{"who": who, "why": wait.why, "until": _time(wait.until)} for who, wait in _waits(site).items()]


def _circumstances(site: Site) -> Iterator[str]:
    """What keeps items from going on, whatever their states say."""
    from transfer.approvals.pausing import pause_in_force
    from transfer.cli.listing import said_time
    from transfer.log_key import OVERDUE_ADVICE, is_overdue, kept_verifier, overdue_sentence
    from transfer.sandbox.profiles import kernel_support
    from transfer.settings import ValveMode
    from transfer.store.lock import who_holds
    from transfer.store.verified import verified_last

    if who_holds(site.workspace.lock) is None:
        yield "No gateway is running here, so nothing moves: `transfer run`."
    with site.db.read() as tx:
        pause = pause_in_force(tx, desk=site.desk)
    if pause is not None:
        since = said_time(render_time(pause.at))
        yield f"Releasing is paused by {called(pause.by, names_of(site))} since {since}: `transfer resume`."
    with site.db.read() as tx:
        last = verified_last(tx)
    for source, wait in _waits(site).items():
        until = f" Until {said_time(render_time(wait.until))}." if wait.until else ""
        who = str(source) if " " in source else f"source «{source}»"  # the device's side has names that no source has
        yield f"The {who} waits: {wait.why}{until}"
    if last is not None:
        yield f"The log's {last.entries:,} entries were last verified in full {said_time(render_time(last.at))}."
    kept = kept_verifier(site.workspace)
    if kept is not None and is_overdue(site, kept):
        yield f"{overdue_sentence(kept)} {OVERDUE_ADVICE}"
    if site.settings.valve.mode is ValveMode.PREFER and not kernel_support().complete:
        yield "The kernel does not enforce here that nothing comes back (valve.mode is «prefer»)."

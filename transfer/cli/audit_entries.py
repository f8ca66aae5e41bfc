"""`transfer audit show` and `transfer audit prove`: entries of the log, as a table, as JSON, as a receipt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.names import called, names_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, paragraph, print_json, say
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.audit.show import Query, ShownEntry
    from transfer.wiring import Site


_EVENT = 19  # characters of the longest event's name


def register(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("show")(show)
    group.command("prove")(prove)


def show(
    context: typer.Context,
    log: Annotated[
        Path | None, typer.Argument(metavar="[LOG]", help="A published log's folder; else the workspace's own log.")
    ] = None,
    item: Annotated[str, typer.Option(metavar="ITEM", help="Only entries of this item.")] = "",
    sha256: Annotated[
        str, typer.Option(metavar="HEX", help="The lives of items with this file, as it came or rebuilt.")
    ] = "",
    event: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Only this kind, such as file.released, or all of `file`.")
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Only since then, such as 2026-11-22.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Look into the log, newest entry first."""
    query = _query(item, sha256, _events(event), since, limit + 1)
    names: dict[str, str] = {}
    if log is not None:
        from transfer.auditing import read_folder

        found = read_folder(log, query)
        hint(f"Read from {log} as it lies there; `transfer audit verify` tells whether it is genuine.")
    else:
        site = open_site(context, workspace)
        names, found = names_of(site), _find(site, query)
    more, found = len(found) > limit, found[:limit]
    if json:
        print_json({"entries": [entry.as_dict() for entry in found], "more": more})
        return
    if not found:
        say("No entry fits.")
        return
    say(f"{'entry':>6}  {'time (UTC)':<19}  {'event':<{_EVENT}}  {'item':<10}  what")
    for entry in found:
        say(_line(entry, names))
    if more:
        say(f"There are more than these {limit}; --limit N shows more.")


def prove(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="[ITEM]", help="The item whose release or refusal to prove.")] = "",
    sha256: Annotated[str, typer.Option(metavar="HEX", help="The file's SHA-256, in place of an item.")] = "",
    entry: Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="This entry, in place of an item.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, not to the terminal.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a receipt (.tlog-proof): that an entry is in the log, checked with nothing but the log's verifier key."""
    from transfer.audit.proving import prove as prove_entry
    from transfer.audit.proving import telling_entry
    from transfer.audit.receipts import render_receipt
    from transfer.model.identifiers import parse_item_id, parse_sha256

    if sum((bool(item), bool(sha256), entry is not None)) != 1:
        raise Misuse("A receipt is for one thing.", advice="Name an item, or --sha256 HEX, or --entry NUMBER.")
    site = open_site(context, workspace)
    with site.db.read() as tx:
        if entry is None:
            key = {"item": parse_item_id(item)} if item else {"sha256": parse_sha256(sha256)}
            entry = telling_entry(tx, **key)
        text = render_receipt(prove_entry(tx, entry))
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x") as file:
            file.write(text)
    except OSError as error:
        raise Misuse(f"{out} cannot be written ({error.strerror}).", advice="Name a new file.") from error
    say(f"Wrote the receipt for entry {entry} to {out}.")
    say(f"Anybody checks it with: transfer audit verify {out} --vkey FILE")


def _query(item: str, sha256: str, events: tuple[str, ...], since: str, limit: int) -> Query:
    from transfer.audit.show import Query
    from transfer.model.identifiers import parse_item_id, parse_sha256

    return Query(
        item=parse_item_id(item) if item else None,
        sha256=parse_sha256(sha256) if sha256 else None,
        events=events,
        since=_since(since),
        limit=limit,
    )


def _find(site: Site, query: Query) -> list[ShownEntry]:
    from transfer.audit.show import lives_of_file
    from transfer.audit.show import show as find
    from transfer.auditing import fits

    with site.db.read() as tx:
        if query.sha256 is None:
            return find(tx, query)
        found = lives_of_file(tx, query.sha256)
    return [entry for entry in reversed(found) if fits(entry.leaf, query)][: query.limit]


def _events(given: Iterable[str] | None) -> tuple[str, ...]:
    from transfer.model.events import EventName
    from transfer.model.spelling import nearest

    known = [name.value for name in EventName]
    wanted: list[str] = []
    for one in given or ():
        group = [name for name in known if name == one or name.startswith(f"{one}.")]
        if not group:
            near = nearest(one, known)
            raise Misuse(
                f"There is no event {one[:40]!a}.",
                advice=f"Did you mean {near}?" if near else "docs/formats/log.md lists them.",
            )
        wanted += group
    return tuple(wanted)


def _since(given: str) -> str | None:
    from transfer.model.clock import render_time

    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        advice = "Write it like 2026-11-22 or 2026-11-22T10:30:00Z."
        raise Misuse(f"{given[:40]!a} is no time.", advice=advice) from error
    return render_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _line(entry: ShownEntry, names: dict[str, str]) -> str:
    """One row; what does not fit goes on under its own column."""
    leaf = entry.leaf
    who = called(leaf.by, names)
    parts = [entry.private.get("name", ""), f"{leaf.sha256[:8]}…" if leaf.sha256 else ""]
    parts += [f"by {who if len(who) <= 20 else who[:10] + '…'}"] if who else []
    when = leaf.at[:19].replace("T", " ")
    begin = f"{leaf.index:>6}  {when}  {leaf.event:<{_EVENT}}  {leaf.item or '':<10}  "
    return (
        paragraph(" ".join(part for part in parts if part), indent=len(begin), first=begin).rstrip() or begin.rstrip()
    )

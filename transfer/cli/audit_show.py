"""`transfer audit show` and `transfer audit reindex`: looking into the log, and mending what it is searched by."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.audit_query import Asked, query_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site, shard_rows, workspace_path
from transfer.cli.output import hint, print_json, say
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.audit.shard_search import Found
    from transfer.audit.show import ShownEntry

LogArgument = Annotated[
    Path | None, typer.Argument(metavar="[LOG]", help="A published log's folder; else the workspace's own log.")
]
ItemOption = Annotated[
    str, typer.Option("--item", metavar="ITEM", help="Everything about this item: by itself, its life.")
]
HashOption = Annotated[
    str, typer.Option("--sha256", metavar="HEX", help="The file with this hash, or its first 8 digits or more.")
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="TEXT", help="Files with this in their name (not in a published log).")
]
PersonOption = Annotated[
    str, typer.Option("--person", metavar="WHO", help="Entries by and about a person: name or pseudonym.")
]
CampaignOption = Annotated[str, typer.Option("--campaign", metavar="NAME", help="Everything that belongs to it.")]
EventOption = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="EVENT", help="This kind, such as file.released, or all of `file`; repeatable."),
]
ClauseOption = Annotated[
    str, typer.Option("--clause", metavar="CLAUSE", help="Entries with a reason that cites it, such as G5.")
]
SinceOption = Annotated[str, typer.Option("--since", metavar="TIME", help="From then on, such as 2026-11-22.")]
UntilOption = Annotated[str, typer.Option("--until", metavar="TIME", help="Up to then, a day to its end.")]
ShardOption = Annotated[
    str, typer.Option("--shard", metavar="LABEL", help="Only in this shard of the log, such as 2026; else in all.")
]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV for a spreadsheet and nothing else.")]


def register(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("show")(show)
    group.command("reindex")(reindex)


def show(
    context: typer.Context,
    log: LogArgument = None,
    item: ItemOption = "",
    sha256: HashOption = "",
    name: NameOption = "",
    person: PersonOption = "",
    campaign: CampaignOption = "",
    event: EventOption = None,
    clause: ClauseOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    shard: ShardOption = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="In the order in which things happened.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Look into the log: entries that fit everything given, newest first; one item's life as a timeline."""
    if json and as_csv:
        raise Misuse("--json and --csv are two different outputs.", advice="Give one of them.")
    asked = Asked(
        item=item, sha256=sha256, name=name, person=person, campaign=campaign, event=tuple(event or ()), clause=clause,
        since=since, until=until, oldest_first=oldest_first, limit=limit,
    )  # fmt: skip
    looked, names = _found(context, workspace, log, asked, shard)
    for label in looked.pruned:
        hint(f"The entries of the sealed shard {label} were pruned; none of them can be shown.")
    if as_csv:
        from transfer.cli.audit_csv import print_csv

        print_csv(islice(looked.entries, limit), names)
        if next(looked.entries, None) is not None:
            hint(_more(limit))
        return
    found = list(looked.entries)
    more, found = len(found) > limit, found[:limit]
    if json:
        print_json({"entries": [entry.as_dict() for entry in found], "more": more})
    elif asked.is_one_life and found:
        _tell_life(item, found, names, whole=not more, several=looked.several)
    else:
        _tell(found, names, several=looked.several)
    if more and not json:
        say(_more(limit))


def reindex(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Make again, from the entries, the index by which they are found. The gateway must not run."""
    from transfer.store.journal_index import rebuild
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock, root_of
    from transfer.workspace import Workspace

    with hold_workspace(Workspace(root_of(workspace_path(context, workspace))).lock, clock=SystemClock()):
        site = open_site(context, workspace)
        with site.db.write() as tx:
            done = rebuild(tx)
    if json:
        print_json({"entries": done.entries, "differing": done.differing, "rebuilt": done.rebuilt})
    elif done.rebuilt:
        say(f"Of {done.entries} entries, {done.differing} were not indexed as they are. The index was made again.")
        say("Find out who changed it. Whether the entries are genuine: `transfer audit verify`.")
    else:
        say(f"The index says what the {done.entries} entries say; nothing was changed.")


def _found(
    context: typer.Context, workspace: Path | None, log: Path | None, asked: Asked, shard: str
) -> tuple[Found, Mapping[str, str]]:
    """The entries, one more than the limit if there are more, and the names that are still kept."""
    from transfer.audit.shard_search import search_folder, search_rows

    if log is not None:
        found = search_folder(log, query_of(asked, site=None), shard=shard)
        hint(f"Read from {log} as it lies there; `transfer audit verify` tells whether it is genuine.")
        return found, {}
    from transfer.cli.names import names_of

    site = open_site(context, workspace)
    return search_rows(shard_rows(site), query_of(asked, site=site), shard=shard), names_of(site)


def _tell(found: list[ShownEntry], names: Mapping[str, str], *, several: bool) -> None:
    from transfer.cli.audit_table import say_table

    if found:
        say_table(found, names, shards=several)
    else:
        say("No entry fits.")


def _tell_life(
    item: str, found: list[ShownEntry], names: Mapping[str, str], *, whole: bool, several: bool
) -> None:  # fmt: skip
    from transfer.audit.show import check_chain
    from transfer.cli.audit_table import say_timeline

    entries = found[::-1]
    check_chain(item, entries)
    say_timeline(item, entries, names, whole=whole, shards=several)


def _more(limit: int) -> str:
    return f"There are more than these {limit}; --limit N shows more."

"""Options that many commands share, and the workspace they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from transfer.audit.shard_rows import ShardRows
    from transfer.wiring import Site

ROOT_WORKSPACE = "workspace"
OPENED_SITE = "site"

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="PATH",
        help="The workspace; else $TRANSFER_WORKSPACE, else the nearest folder upwards with a transfer.toml.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
NameOption = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are, as enrolled with `people add`.")]
KeyOption = Annotated[Path, typer.Option("--key", metavar="FILE", help="Your own signing key.")]


def workspace_path(context: typer.Context, given: Path | None) -> Path | None:
    """The workspace named after the command, or before it."""
    return given if given is not None else (context.obj or {}).get(ROOT_WORKSPACE)


def open_site(context: typer.Context, given: Path | None) -> Site:
    """The workspace's settings, policy and records. Raises Misuse if there is none."""
    from transfer.wiring import find_site

    site = find_site(workspace_path(context, given))
    if context.obj is not None:
        context.obj[OPENED_SITE] = site  # an error that names a pseudonym can then name the person
    return site


def shard_rows(site: Site) -> ShardRows:
    """The rows of all shards of the workspace's log. Raises Tampered, Unavailable."""
    from transfer.audit.shard_rows import ShardRows

    return ShardRows(site.db, site.workspace.log, origin=site.settings.gateway.origin)

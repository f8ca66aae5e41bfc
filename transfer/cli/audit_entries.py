"""`transfer audit prove`: an entry of the log as a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.options import WorkspaceOption, open_site
from transfer.cli.output import say
from transfer.errors import Misuse


def register(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("prove")(prove)


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

"""`transfer audit prove`: an entry of the log as a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import WorkspaceOption, open_site, shard_rows
from transfer.cli.output import hint, say
from transfer.errors import Misuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from transfer.audit.proving_shards import Proven


def register(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("prove")(prove)


def prove(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="[ITEM]", help="The item whose release or refusal to prove.")] = "",
    sha256: Annotated[str, typer.Option(metavar="HEX", help="The file's SHA-256, in place of an item.")] = "",
    entry: Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="This entry, in place of an item.")] = None,
    shard: Annotated[
        str,
        typer.Option(metavar="LABEL", help="In this shard of the log, such as 2026; a number: else the running one."),
    ] = "",
    log: Annotated[
        Path | None, typer.Option(metavar="DIR", help="From this published log, in place of a workspace.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there, not to the terminal.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a receipt (.tlog-proof): that an entry is in the log, checked with nothing but its shard's verifier key."""
    from transfer.audit.proving_shards import Sought, prove_folder, prove_rows
    from transfer.audit.receipts import render_receipt
    from transfer.log_key import own_verifier
    from transfer.model.identifiers import parse_item_id, parse_sha256

    if sum((bool(item), bool(sha256), entry is not None)) != 1:
        raise Misuse("A receipt is for one thing.", advice="Name an item, or --sha256 HEX, or --entry NUMBER.")
    sought = Sought(
        item=parse_item_id(item) if item else None, sha256=parse_sha256(sha256) if sha256 else None, index=entry
    )
    if log is not None:
        proven = prove_folder(log, sought, shard=shard)
    else:
        site = open_site(context, workspace)
        proven = prove_rows(shard_rows(site), sought, own=own_verifier(site), shard=shard)
    text = render_receipt(proven.receipt)
    if out is None:
        typer.echo(text, nl=False)
        _tell(proven, Path("RECEIPT"), hint)
        return
    try:
        with out.open("x") as file:
            file.write(text)
    except OSError as error:
        raise Misuse(f"{out} cannot be written ({error.strerror}).", advice="Name a new file.") from error
    say(f"Wrote the receipt for entry {proven.receipt.index}{_of(proven)} to {out}.")
    _tell(proven, out, say)


def _of(proven: Proven) -> str:
    return f" of the shard {proven.shard}" if proven.several else ""


def _tell(proven: Proven, out: Path, tell: Callable[[str], None]) -> None:
    whose = f"the key of the shard {proven.shard}" if proven.several else "the log's key"
    tell(f"Anybody checks it with: transfer audit verify {out} --vkey FILE")
    tell(f"where FILE holds {whose}, given to them by another way: {proven.key.vkey}")

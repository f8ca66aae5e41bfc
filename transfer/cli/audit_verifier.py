"""`transfer audit verifier`: the page that checks receipts without a network, as a file to keep."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.options import JsonOption
from transfer.cli.output import print_json, say
from transfer.errors import Misuse

_PAGE = "verify.html"


def register(group: typer.Typer) -> None:
    """Adds the command."""
    group.command("verifier")(verifier)


def verifier(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write it there.")] = Path(_PAGE),
    json: JsonOption = False,
) -> None:
    """Write the page that checks receipts in a browser, offline: one file to keep, and to hand on."""
    from hashlib import sha256

    page = resources.files("transfer.audit").joinpath("static", _PAGE).read_bytes()
    digest = sha256(page).hexdigest()
    try:
        with out.open("xb") as file:
            file.write(page)
    except FileExistsError as error:
        if not out.is_file() or out.read_bytes() != page:
            raise Misuse(f"There is something else at {out}.", advice="Name a new file with --out.") from error
    except OSError as error:
        raise Misuse(f"{out} cannot be written ({error.strerror}).", advice="Name another file with --out.") from error
    if json:
        print_json({"file": str(out), "bytes": len(page), "sha256": digest})
        return
    say(f"Wrote {out}. Open it in a browser; it needs no network.")
    say(f"SHA-256 {digest}")
    say("Compare that with docs/auditing.md of this version, or have it told to you by somebody you trust.")

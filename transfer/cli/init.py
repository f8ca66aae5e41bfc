"""`transfer init`: makes a workspace."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import JsonOption
from transfer.cli.output import print_json, say
from transfer.errors import Misuse

if TYPE_CHECKING:
    from transfer.founding import Founding
    from transfer.workspace import Workspace

LogKeyOption = Annotated[
    Path | None,
    typer.Option("--log-key", metavar="FILE", help="A new file outside of DIR for the log's key; else DIR/keys."),
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty or new folder.")],
    demo: Annotated[
        bool, typer.Option("--demo", help="With two people, a device, an approved campaign and sample files.")
    ] = False,
    approver: Annotated[
        str, typer.Option(metavar="NAME", help="The first approver: the head of department or a delegate.")
    ] = "",
    submitter: Annotated[str, typer.Option(metavar="NAME", help="Whose staging folder it is.")] = "",
    device: Annotated[str, typer.Option(metavar="ID", help="The device that takes from the release folder.")] = "",
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write the approver's private key; else APPROVER.key beside DIR."),
    ] = None,
    origin: Annotated[
        str, typer.Option(metavar="NAME", help="The log's name, such as gateway.example.org/audit/2026.")
    ] = "",
    log_key: LogKeyOption = None,
    clamd: Annotated[str, typer.Option(metavar="SOCKET", help="The socket of clamd, the malware scanner.")] = "",
    json: JsonOption = False,
) -> None:
    """Make a workspace: folders, keys, policy, settings, and a log with its first entries."""
    from transfer.founding import Founding, found
    from transfer.model.identifiers import parse_device_id

    if demo:
        approver, submitter, device = approver or "helen", submitter or "sam", device or "ipad"
        key = key or folder / "demo" / f"{_plain(approver)}.key"
    if not (approver and submitter and device):
        raise Misuse(
            "A workspace needs a first approver, a submitter and a device.",
            advice='For example: transfer init DIR --approver "Helen Brook" --submitter "Sam Field" --device ipad. '
            "For a first look: transfer init DIR --demo.",
            clauses=("G1", "G2"),
        )
    if re.search(r"[\s+]", origin):
        raise Misuse(
            f"The log's name {origin[:80]!a} has a space or a plus sign in it.",
            advice="Choose --origin such as gateway.example.org/audit/2026; it cannot be changed later.",
        )
    founding = Founding(
        root=folder,
        origin=origin or f"{_host()}/audit/{datetime.now(UTC).year}",
        approver=approver,
        approver_key=key or folder.absolute().parent / f"{_plain(approver)}.key",
        submitter=submitter,
        device=parse_device_id(device),
        policy="first-run" if demo else "university",
        clamd_socket=clamd or None,
        demo=demo,
        log_key=None if log_key is None else log_key.absolute(),
    )
    site = found(founding)
    if demo:
        from transfer.demo_samples import write_samples  # loads the picture and film libraries

        write_samples(site.workspace.demo / "samples")
    _tell(site.workspace, founding, folder, json=json)


def _tell(place: Workspace, founding: Founding, folder: Path, *, json: bool) -> None:
    samples = place.demo / "samples"
    if json:
        paths = {
            "workspace": place.root,
            "verifier_key": place.log / "log.vkey",
            "approver_key": founding.approver_key.absolute(),
        }
        paths |= {"samples": samples} if founding.demo else {}
        print_json(
            {"samples": None, **{name: os.fsencode(path).decode(errors="replace") for name, path in paths.items()}}
        )
        return
    say(f"Made the workspace {place.root}.")
    say(f"  the log's verifier key, for auditors   {place.log / 'log.vkey'}")
    say(f"  the first approver's private key       {founding.approver_key}")
    if founding.log_key is not None:
        say(f"  the log's private key                  {founding.log_key}")
    if founding.demo:
        say(f"  sample files to drop                   {samples}: {', '.join(sorted(os.listdir(samples)))}")
    else:
        say("Give the private key to the approver and remove it from this machine; nobody else may have it.")
    say(f"Next: transfer run -w {folder}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "approver"


def _host() -> str:
    import socket

    return re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower()).strip(".-") or "gateway"

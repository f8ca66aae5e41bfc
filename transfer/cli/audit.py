"""`transfer audit`: verify the transfer log, from the public folder alone or with the workspace, look into it, prove an
entry, and go on after a restore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli import (
    audit_entries,
    audit_export,
    audit_hold,
    audit_republish,
    audit_rotate,
    audit_show,
    audit_verifier,
)
from transfer.cli.audit_report import facts, tell
from transfer.cli.options import JsonOption, WorkspaceOption, open_site, workspace_path
from transfer.cli.output import hint, print_json, say, table
from transfer.errors import Misuse, Tampered, TransferError

if TYPE_CHECKING:
    from transfer.audit.notes import Ed25519Verifier
    from transfer.auditing import Audit
    from transfer.wiring import Site

VkeyOption = Annotated[
    list[str] | None,
    typer.Option("--vkey", metavar="FILE|TEXT", help="The log's verifier key, as you got it from elsewhere."),
]
_MAX_FILE = 1 << 20


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="Verify the transfer log, look into it, prove an entry.", no_args_is_help=True)
    group.command("verify")(verify)
    audit_show.register(group)
    audit_republish.register(group)
    audit_entries.register(group)
    audit_verifier.register(group)
    audit_export.register(group)
    group.command("adopt")(adopt)
    audit_rotate.register(group)
    audit_hold.register(group)
    app.add_typer(group, name="audit")


def verify(
    context: typer.Context,
    log: Annotated[
        Path | None,
        typer.Argument(
            metavar="[LOG]", help="A published log's folder, a pack, or a receipt; else the workspace's own."
        ),
    ] = None,
    vkey: VkeyOption = None,
    older: Annotated[
        Path | None,
        typer.Option(
            "--older", "--since", metavar="FILE", help="A checkpoint you kept: it must be the beginning of this log."
        ),
    ] = None,
    origin: Annotated[str, typer.Option(metavar="NAME", help="The name that the log must have.")] = "",
    first_approver: Annotated[
        str, typer.Option(metavar="FILE|TEXT", help="The first approver's key, as you got it from elsewhere.")
    ] = "",
    own_approvals: Annotated[
        bool, typer.Option("--own-approvals", help="The policy lets people approve their own files.")
    ] = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Check every entry, tile, signature and approval of a log. Exit code 4: somebody changed something."""
    if log is not None and audit_export.is_pack(log):
        first = _text(first_approver) if first_approver else ""
        keys, four_eyes = _verifiers(vkey), not own_approvals
        audit_export.verify_pack(log, keys, older, origin=origin, first=first, four_eyes=four_eyes, json=json)
        return
    kept = _read(older) if older is not None else None
    site: Site | None = None
    try:
        if log is None:
            site = open_site(context, workspace)
            audit = _verify_site(site, vkey, kept)
        elif log.is_file():
            _verify_receipt(log, _verifiers(vkey), json=json)
            return
        else:
            audit = _verify_folder(log, _verifiers(vkey), kept, origin, first_approver, four_eyes=not own_approvals)
    except TransferError as error:
        if site is not None and isinstance(error, Tampered) and not vkey and kept is None:
            _enter_failure(site, error)
        if json and error.exit_code in {1, 4}:
            print_json(facts(None) | {"problem": error.sentence, "advice": error.advice})
        raise
    if json:
        print_json(facts(audit))
        return
    tell(audit)


def adopt(
    context: typer.Context,
    log: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The newest published log, if it is not the one in the workspace."),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Let a restored workspace go on: takes over what its log was published to say since the backup."""
    from transfer.log_key import load_signer
    from transfer.restoring import go_on
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock, open_site, root_of
    from transfer.workspace import Workspace

    place = Workspace(root_of(workspace_path(context, workspace)))
    with hold_workspace(place.lock, clock=SystemClock()):
        site = open_site(place, going_on=True)
        done = go_on(site, signer=load_signer(site), log_dir=log or place.log)
    if json:
        print_json(
            {
                "taken_over": done.taken_over,
                "entries": done.entries,
                "changed": list(done.retraced.changed),
                "erased": [person for person, _, _ in done.retraced.erased],
                "unknown": [{"item": item, "event": event} for item, event in done.retraced.unknown],
            }
        )
        return
    if done.taken_over:
        say(f"Took over {done.taken_over} entries that the log was published with and the database did not have.")
    say(f"The workspace goes on; its log has {done.entries} entries, and the restore is one of them.")
    if done.retraced.changed:
        say(f"Put right by what was decided since: {', '.join(done.retraced.changed)}.")
    if done.retraced.erased:
        say(f"Erased again, as the log says: {', '.join(person for person, _, _ in done.retraced.erased)}.")
    if done.retraced.unknown:
        say("Items that the log tells of and that are lost here; have their files dropped again if they are wanted.")
        say("What of them lies on the device's side is not known here: the guard moves it aside.")
        table(("item", "last known of it"), done.retraced.unknown, empty="")


def _verify_site(site: Site, vkey: list[str] | None, older: bytes | None) -> Audit:
    from transfer.auditing import audit_site
    from transfer.log_key import own_verifier

    own = [own_verifier(site)] if not vkey else []
    return audit_site(site, own or _verifiers(vkey), older=older)


def _enter_failure(site: Site, error: Tampered) -> None:
    """A verification of the whole workspace that failed is an entry, where the log can take one."""
    from transfer.log_key import own_verifier
    from transfer.selfcheck import record_failure

    try:
        why = record_failure(site, [own_verifier(site)], error, found_by="command")
    except TransferError as unreadable:
        why = unreadable.sentence
    hint(f"Not entered in the log: {why}" if why else "That this verification failed is entered in the log.")


def _verify_folder(
    log: Path,
    verifiers: list[Ed25519Verifier],
    older: bytes | None,
    origin: str,
    first_approver: str,
    *,
    four_eyes: bool,
) -> Audit:
    from transfer.approvals.authority import parse_root
    from transfer.auditing import audit_folder

    root = parse_root(_text(first_approver)) if first_approver else None
    return audit_folder(log, verifiers, origin=origin or None, older=older, root=root, four_eyes=four_eyes)


def _verify_receipt(path: Path, verifiers: list[Ed25519Verifier], *, json: bool) -> None:
    from transfer.audit.entries import parse_leaf
    from transfer.audit.receipts import open_receipt, parse_receipt

    receipt = parse_receipt(_read(path))
    entry, checkpoint = open_receipt(receipt, verifiers)
    leaf = parse_leaf(entry)
    if leaf.index != receipt.index:
        raise Tampered(f"The receipt proves entry {receipt.index}, and the entry says of itself: {leaf.index}.")
    if json:
        facts = {"verified": True, "origin": checkpoint.origin, "size": checkpoint.size, "entry": dict(leaf.body)}
        print_json(facts)
        return
    say(f"Verified: entry {leaf.index} is in the log {checkpoint.origin}, signed at {checkpoint.size} entries.")
    say(entry.decode())


def _verifiers(given: list[str] | None) -> list[Ed25519Verifier]:
    from transfer.audit.notes import parse_vkey

    if not given:
        raise Misuse(
            "Verifying a log needs its verifier key.",
            advice="Give --vkey FILE with the key as you got it from the gateway's operator. The log.vkey beside the "
            "log is only a convenience: whoever could change the log could change it too.",
        )
    return [parse_vkey(_text(one)) for one in given]


def _text(given: str) -> str:
    """A key as it was typed, or the first line of the file that holds it."""
    if "+" in given and not Path(given).is_file():
        return given
    return _read(Path(given)).decode("utf-8", "replace").removesuffix("\n")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise Misuse(f"{path} cannot be read ({error.strerror}).", advice="Name a file that is there.") from error
    if len(content) > _MAX_FILE:
        raise Misuse(f"{path} is too large to be what it should be.", advice="Name another file.")
    return content

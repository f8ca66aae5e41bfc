"""`transfer audit export`: an evidence pack for a stranger, or the log's entries as lines for other programs; and what
`transfer audit verify` says about a pack."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import counted, hint, print_json, say
from transfer.errors import Misuse, TransferError

if TYPE_CHECKING:
    from transfer.approvals.authority import Root
    from transfer.audit.export_select import Selection
    from transfer.audit.notes import Ed25519Verifier
    from transfer.exporting import Exported, PackAudit
    from transfer.wiring import Site

_ALL, _NONE = "all", "none"


def register(group: typer.Typer) -> None:
    """Adds the command."""
    group.command("export")(export)


def export(
    context: typer.Context,
    item: Annotated[str, typer.Option(metavar="ITEM", help="What concerns this item.")] = "",
    campaign: Annotated[str, typer.Option(metavar="NAME", help="What concerns this campaign.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="What happened since then, such as 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="What happened before then.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    disclose: Annotated[
        str,
        typer.Option(metavar="NAMES|all|none", help="Names and texts to open in a pack: name,note,reason or all."),
    ] = _NONE,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="The entries as they are, one a line, in place of a pack.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The new file; lines can do without.")] = None,
    shard: Annotated[
        str, typer.Option(metavar="LABEL", help="Of this sealed shard, such as 2026; else of the running one.")
    ] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Make an evidence pack (ZIP) that anybody checks in five minutes, or print entries as lines (--jsonl)."""
    selection = _selection(item, campaign, since, until, everything=everything)
    names = _disclosed(disclose)
    if jsonl and names:
        raise Misuse("Lines open nothing.", advice="Leave --disclose out, or make a pack.")
    if out is None and (json or not jsonl):
        raise Misuse("Where should it be written?", advice="Name a new file: --out FILE.")
    site = open_site(context, workspace)
    done = _lines(site, selection, out, shard) if jsonl else _pack(site, selection, Path(str(out)), names, shard)
    if json:
        print_json(_facts(done, "jsonl" if jsonl else "pack", out))
        return
    tell = say if out is not None else hint
    if jsonl:
        tell(f"Wrote {done.entries:,} of {_whose(done)} {done.size:,} signed entries" + (f" to {out}." if out else "."))
    else:
        _tell(done, out)
    if done.unsigned:
        tell(f"Left out, not signed yet: {counted(done.unsigned, 'newer entry')}; a running gateway signs in a second.")


def is_pack(path: Path) -> bool:
    """Whether a path that is to be verified is meant as a pack."""
    from transfer.audit.pack_read import is_pack as looks_like_one

    return looks_like_one(path)


def verify_pack(
    path: Path,
    verifiers: list[Ed25519Verifier],
    older: Path | None,
    *,
    origin: str,
    first: str,
    four_eyes: bool,
    json: bool,
) -> None:
    """Checks a pack, says what was checked. `first` is the first approver's key, if given. Raises as `audit_pack`."""
    from transfer.approvals.authority import parse_root
    from transfer.audit.pack_readme import about
    from transfer.exporting import audit_pack

    if older is not None:
        raise Misuse(
            "A pack is a part of a log; only a whole log continues an older checkpoint.",
            advice="Leave --older out, or verify the folder `log/`.",
        )
    root = parse_root(first) if first else None
    try:
        audit = audit_pack(path, verifiers, origin=origin or None, root=root, four_eyes=four_eyes)
    except TransferError as error:
        if json and error.exit_code in {1, 4}:
            print_json(_pack_facts(None) | {"problem": error.sentence, "advice": error.advice})
        raise
    if json:
        print_json(_pack_facts(audit))
        return
    report = audit.report
    say(f"Verified: a part of the log {report.origin}, {report.entries:,} of its {report.size:,} entries.")
    before = report.previous
    if before is not None:
        say(f"  shard before {before.origin}, sealed with {before.size:,} entries; its key {before.vkey}")
    say(f"  asked for   {report.asked:,} entries: {about(report.selection)}")
    say(f"  governing   {report.governing:,} entries that approvals rest on")
    say(f"  time        {report.first_at} to {report.last_at}")
    say(f"  proofs      {report.entries:,}, each to the root signed by {', '.join(report.signatures_checked)}")
    releases, statements = counted(audit.releases, "release"), counted(report.statements, "statement")
    say(f"  approvals   {releases}, each covered by signatures; {statements}")
    say(f"  disclosures {report.disclosures} of {report.commitments} names and texts are opened")
    say(f"  policies    {report.policies} of {report.policies + report.policies_missing} texts are here")
    say(f"  begins with the first approver {_vkey(audit.first) or '(nobody is enrolled)'}")
    say("  What was left out of a pack, only the whole log shows.")
    if not first:
        say("  Compare the first approver's key with the one you were given, or give it with --first-approver.")


def _pack(site: Site, selection: Selection, out: Path, names: frozenset[str], shard: str) -> Exported:
    from transfer.exporting import export_pack
    from transfer.log_key import own_verifier

    return export_pack(site, selection, out, key=own_verifier(site), disclose=names, shard=shard)


def _selection(item: str, campaign: str, since: str, until: str, *, everything: bool) -> Selection:
    from transfer.audit.export_select import Selection
    from transfer.model.identifiers import parse_campaign_id, parse_item_id

    if sum((bool(item), bool(campaign), bool(since or until), everything)) != 1:
        raise Misuse(
            "An export is about one thing.",
            advice="Name an item (--item), a campaign (--campaign), a period (--since, --until), or --all.",
        )
    return Selection(
        item=parse_item_id(item) if item else None,
        campaign=parse_campaign_id(campaign) if campaign else None,
        since=_moment(since),
        until=_moment(until),
    )


def _disclosed(given: str) -> frozenset[str]:
    from transfer.audit.export import DISCLOSABLE, EVERYTHING
    from transfer.model.spelling import nearest

    if given in {_ALL, _NONE}:
        return EVERYTHING if given == _ALL else frozenset()
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in DISCLOSABLE:
            near = nearest(name, DISCLOSABLE)
            raise Misuse(
                f"No entry commits to anything called {name[:40]!a}.",
                advice=f"Did you mean {near}?" if near else f"There are: {', '.join(DISCLOSABLE)}; or all, or none.",
            )
    return frozenset(names)


def _moment(given: str) -> str | None:
    from transfer.model.clock import render_time

    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        advice = "Write it like 2026-11-22 or 2026-11-22T10:30:00Z."
        raise Misuse(f"{given[:40]!a} is no time.", advice=advice) from error
    return render_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _lines(site: Site, selection: Selection, out: Path | None, shard: str) -> Exported:
    from transfer.exporting import export_lines

    if out is None:
        sys.stdout.flush()
        return export_lines(site, selection, sys.stdout.buffer.write, shard=shard)
    try:
        with out.open("xb") as file:
            return export_lines(site, selection, file.write, shard=shard)
    except OSError as error:
        raise Misuse(f"{out} cannot be written ({error.strerror}).", advice="Name a new file.") from error


def _tell(done: Exported, out: Path | None) -> None:
    from transfer.exporting import verifier_sha256

    say(f"Wrote {out}: {done.entries:,} of {_whose(done)} {done.size:,} signed entries.")
    say(f"  asked for   {done.asked:,}; {done.governing:,} more that approvals rest on")
    say(f"  disclosed   {done.disclosures} names and texts")
    for digest in done.policies_missing:
        say(f"  not kept    the text of the policy {digest}")
    say(f"  sha256      {done.sha256}, in entry {done.entry} of the log")
    say(f"  verify.py   {verifier_sha256()} (sha256)")
    if done.others:
        say(f"A pack is of one shard; --shard makes those of others: {', '.join(done.others)}.")
    say("Its README.txt says how to check it. Hand over the two keys by another way than the pack.")


def _whose(done: Exported) -> str:
    return f"the shard {done.shard}'s" if done.others else "the log's"


def _facts(done: Exported, form: str, out: Path | None) -> dict[str, Any]:
    """What `--json` prints (docs/formats/audit-export.schema.json)."""
    return {
        "format": form,
        "out": str(out),
        "shard": done.shard,
        "entries": done.entries,
        "asked": done.asked,
        "governing": done.governing,
        "size": done.size,
        "unsigned": done.unsigned,
        "disclosures": done.disclosures,
        "policies_missing": list(done.policies_missing),
        "bytes": done.bytes,
        "sha256": done.sha256,
        "entry": done.entry,
    }


def _pack_facts(audit: PackAudit | None) -> dict[str, Any]:
    """What `transfer audit verify PACK --json` prints (docs/formats/audit-pack.schema.json)."""
    from base64 import b64encode

    found: dict[str, Any] = {"verified": audit is not None, "problem": None, "advice": None, "pack": None}
    if audit is not None:
        report, before = audit.report, audit.report.previous
        found["pack"] = {
            "origin": report.origin,
            "previous": {"origin": before.origin, "entries": before.size, "vkey": before.vkey} if before else None,
            "entries": report.entries,
            "size": report.size,
            "root": b64encode(report.root).decode(),
            "signatures": list(report.signatures_checked),
            "selection": dict(report.selection),
            "asked": report.asked,
            "governing": report.governing,
            "statements": report.statements,
            "releases": audit.releases,
            "first_approver": _vkey(audit.first),
            "disclosures": report.disclosures,
            "commitments": report.commitments,
            "policies": report.policies,
            "policies_missing": report.policies_missing,
            "first_at": report.first_at,
            "last_at": report.last_at,
        }
    return found


def _vkey(first: Root | None) -> str | None:
    from transfer.approvals.authority import render_root

    return None if first is None else render_root(first).removesuffix("\n")

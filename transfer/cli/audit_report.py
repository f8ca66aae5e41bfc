"""What `transfer audit verify` answers: for people, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transfer.cli.output import counted, say

if TYPE_CHECKING:
    from transfer.approvals.authority import Root
    from transfer.audit.verify import VerifyReport
    from transfer.auditing import Audit
    from transfer.shards import ShardReport


def facts(audit: Audit | None) -> dict[str, Any]:
    """What `--json` prints (docs/formats/audit-verify.schema.json)."""
    covered = audit.covered if audit else None
    return {
        "verified": audit is not None,
        "problem": None,
        "advice": None,
        "folder": _report(audit.folder) if audit else None,
        "database": _report(audit.database) if audit and audit.database else None,
        "sealed": [_sealed(one) for one in audit.sealed] if audit else [],
        "approvals": {
            "statements": covered.statements,
            "releases": covered.releases,
            "first_approver": _vkey(covered.first),
        }
        if covered
        else None,
    }


def _sealed(sealed: ShardReport) -> dict[str, Any]:
    pruned = None if sealed.pruned_by is None else {"origin": sealed.pruned_by[0], "entry": sealed.pruned_by[1]}
    told = _report(sealed.report) | {"vkey": sealed.vkey, "pruned_by": pruned}
    return told | {"first_at": sealed.report.first_at or None, "last_at": sealed.report.last_at or None}


def _report(report: VerifyReport) -> dict[str, Any]:
    from base64 import b64encode

    return {
        "origin": report.origin,
        "entries": report.size,
        "root": b64encode(report.root).decode(),
        "tiles": report.tiles_checked,
        "signatures": list(report.signatures_checked),
        "signatures_unknown": report.signatures_unknown,
        "unpublished": report.unpublished,
        "unfinished": report.unfinished,
        "older": report.pinned,
        "first_at": report.first_at,
        "last_at": report.last_at,
    }


def _vkey(first: Root | None) -> str | None:
    from transfer.approvals.authority import render_root

    return None if first is None else render_root(first).removesuffix("\n")


def tell(audit: Audit) -> None:
    """What people read."""
    folder, covered = audit.folder, audit.covered
    say(f"Verified: the log {folder.origin}, from {folder.first_at} to {folder.last_at}.")
    for sealed in audit.sealed:
        say(f"  sealed      {_of_sealed(sealed)}")
    say(f"  published   {_counts(folder)}")
    if audit.database is not None:
        say(f"  database    {_counts(audit.database)}")
    releases, statements = counted(covered.releases, "release"), counted(covered.statements, "statement")
    say(f"  approvals   {releases}, each covered by signatures; {statements}")
    say(f"  begins with the first approver {_vkey(covered.first) or '(nobody is enrolled yet)'}")
    unsigned = audit.database.unpublished if audit.database is not None else folder.unpublished
    if unsigned:
        say(f"  Not signed yet, as after a crash or while a gateway runs: {counted(unsigned, 'newer entry')}.")
    if folder.unfinished:
        say(f"  Half written, as after a crash: {counted(folder.unfinished, 'file')}; the next start tidies up.")
    if folder.pinned is not None:
        say(f"  The checkpoint you kept, of {folder.pinned} entries, is its beginning.")
    if audit.database is None and covered.first is not None:
        say("  Compare the first approver's key with the one you were given, or give it with --first-approver.")


def _of_sealed(sealed: ShardReport) -> str:
    report = sealed.report
    if sealed.pruned_by is None:
        return f"{report.origin}: {_counts(report)}"
    origin, entry = sealed.pruned_by
    return (
        f"{report.origin}: {report.size:,} entries pruned by entry {entry} of {origin}; hashes and signature verified"
    )


def _counts(report: VerifyReport) -> str:
    signed_by = ", ".join(report.signatures_checked)
    return (
        f"{report.entries_checked:,} entries, {report.tiles_checked:,} tiles, "
        f"{len(report.signatures_checked)} signature{'s' if len(report.signatures_checked) > 1 else ''} ({signed_by})"
    )

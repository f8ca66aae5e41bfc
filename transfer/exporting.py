"""Exports of the transfer log: lines for other programs, and evidence packs that strangers check without us.

What enters: an opened workspace and what is asked for, or a pack and the keys that an auditor brings. What leaves: a
file where none was before, or what was verified. A pack is checked with the very program it carries before anybody gets
it, and that it was made is an entry before it lies where it was asked for. Lines hold no more than the public log
does, so making them is no entry.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transfer.approvals.authority import Root
from transfer.approvals.trail import Trail
from transfer.audit import pack
from transfer.audit.export import entry_lines, evidence
from transfer.audit.export_select import Chosen, Selection, choose, signed_size
from transfer.audit.notes import Ed25519Verifier, Verifier
from transfer.audit.pack_read import read_pack
from transfer.audit.pack_readme import render_readme
from transfer.audit.pack_shard import named_before
from transfer.audit.pack_verify import PackReport, verify_pack
from transfer.audit.pack_zip import render_zip
from transfer.audit.shard_rows import ShardRows
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.events import Event, EventName, Json
from transfer.policy.canonical import hashed_text
from transfer.store import journal
from transfer.store.adoption import kept_policy_text
from transfer.store.database import ReadTx
from transfer.store.new_file import NAME_ANOTHER, written
from transfer.wiring import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: `entries` of a log of `size` signed ones; `unsigned` newer ones could not be proven yet.

    `entry` is the number of the running shard's entry about a pack; None for lines. `shard` is the label of the one
    that was exported, `others` those of the other ones that could be.
    """

    shard: str
    others: tuple[str, ...]
    entries: int
    asked: int
    governing: int
    size: int
    unsigned: int
    disclosures: int
    policies_missing: tuple[str, ...]
    bytes: int
    sha256: str
    entry: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackAudit:
    """A pack that was verified: `releases` in it were each covered by signatures that lead back to `first`."""

    report: PackReport
    releases: int
    first: Root | None


def export_lines(
    site: Site, selection: Selection, write: Callable[[bytes], object], *, shard: str = ""
) -> Exported:  # fmt: skip
    """The signed entries of one shard that are asked for, a line each, oldest first. Raises NotSo if none is signed."""
    digest, entries, size_of = hashlib.sha256(), 0, 0
    rows, label = _shard(site, shard)
    with rows.read(label) as tx:
        size, all_of = signed_size(tx), journal.head(tx).size
        for line in entry_lines(tx, selection, size):
            write(line)
            digest.update(line)
            entries, size_of = entries + 1, size_of + len(line)
    return Exported(
        shard=label,
        others=_others(rows, label),
        entries=entries,
        asked=entries,
        governing=0,
        size=size,
        unsigned=all_of - size,
        disclosures=0,
        policies_missing=(),
        bytes=size_of,
        sha256=digest.hexdigest(),
        entry=None,
    )


def export_pack(
    site: Site,
    selection: Selection,
    out: Path,
    *,
    key: Ed25519Verifier,
    disclose: Collection[str] = (),
    shard: str = "",
) -> Exported:
    """Writes an evidence pack of one shard's signed entries to a new file. `key` is the running one's, `shard` a label.

    Raises Misuse if there is a file already, NotSo if no signed entry fits, Tampered if it does not verify.
    """
    if os.path.lexists(out):
        raise Misuse(f"There is something at {out} already.", advice=NAME_ANOTHER)

    def policy_text(digest: str) -> str | None:
        return hashed_text(site.policy) if digest == site.policy.sha256 else kept_policy_text(ours, digest)

    rows, label = _shard(site, shard)
    key = key if label == rows.running else rows.key(label)
    with rows.read(label) as tx, site.db.read() as ours:
        chosen = _chosen(tx, selection, rows, label)
        files, missing = evidence(tx, chosen, disclose=disclose, policy_text=policy_text)
        unsigned = journal.head(tx).size - chosen.size
    files |= _static_files() | {pack.VKEY: f"{key.vkey}\n".encode()}
    _describe(site, files, pack.Manifest(
        origin=key.name,
        size=chosen.size,
        selection=selection.as_dict(),
        asked=chosen.asked,
        governing=chosen.governing,
        files={},
        policies_missing=missing,
    ), key)  # fmt: skip
    entries, disclosures = len(chosen.asked) + len(chosen.governing), files[pack.DISCLOSURES].count(b"\n")
    facts: dict[str, Json] = {"kind": selection.kind, "entries": entries, "disclosures": disclosures}
    facts |= {name: value for name, value in selection.as_dict().items() if name in {"item", "campaign"}}
    facts |= {"shard": label} if label != rows.running else {}  # which takes no entry any more: the running one has it
    with written(out, render_zip(files)) as (digest, size_of):
        facts |= {"size": chosen.size, "bytes": size_of, "sha256": digest}
        with site.db.write() as tx:
            entry = site.log.append(tx, Event(name=EventName.EXPORT_MADE, facts=facts))
    return Exported(
        shard=label,
        others=_others(rows, label),
        entries=entries,
        disclosures=disclosures,
        asked=len(chosen.asked),
        governing=len(chosen.governing),
        size=chosen.size,
        unsigned=unsigned,
        policies_missing=missing,
        bytes=size_of,
        sha256=digest,
        entry=entry.index,
    )


def audit_pack(
    path: Path,
    verifiers: Sequence[Verifier],
    *,
    origin: str | None = None,
    root: Root | None = None,
    four_eyes: bool = True,
) -> PackAudit:
    """A pack by itself, ZIP or folder. `root` is the first approver if the auditor knows them from elsewhere.

    Raises Tampered; NotSo if there is nothing to verify.
    """
    trail = Trail(root=root, four_eyes=four_eyes, whole=False)
    releases = 0

    def check(leaves: Iterator[tuple[int, dict[str, Any]]]) -> list[str]:
        nonlocal releases
        for index, leaf in leaves:
            trail.feed(index, leaf)
            releases += leaf.get("event") == EventName.FILE_RELEASED.value
        return trail.problems

    report = verify_pack(read_pack(path), verifiers, origin=origin, statement_check=check)
    return PackAudit(report=report, releases=releases, first=trail.first)


def verifier_sha256() -> str:
    """What `sha256sum verify.py` prints for the copy that comes with this program."""
    return hashlib.sha256(_static_files()[pack.VERIFIER]).hexdigest()


def _static_files() -> dict[str, bytes]:
    """The verifiers that go into a pack: the program, and the page if this copy of ours has it."""
    folder = importlib.resources.files("transfer.audit") / "static"
    names = [name for name in (pack.VERIFIER, pack.VERIFIER_PAGE) if (folder / name).is_file()]
    if pack.VERIFIER not in names:
        raise Misuse("verify.py is missing from this copy of the program.", advice="Reinstall it.")
    return {name: (folder / name).read_bytes() for name in names}


def _describe(site: Site, files: dict[str, bytes], manifest: pack.Manifest, key: Ed25519Verifier) -> None:
    """Adds README and manifest; the README holds what the verifier prints over this very pack. Raises Tampered."""
    expected: Sequence[str] = ()
    for _ in range(2):  # what the verifier prints does not depend on the README, so the second one is right
        files[pack.README] = render_readme(
            origin=manifest.origin,
            size=manifest.size,
            entries=len(manifest.asked) + len(manifest.governing),
            selection=manifest.selection,
            verifier_sha256=hashlib.sha256(files[pack.VERIFIER]).hexdigest(),
            expected=expected,
            missing=manifest.policies_missing,
            page=pack.VERIFIER_PAGE in files,
            own_approvals=not site.policy.approval.four_eyes,
            previous=named_before(files[pack.ENTRIES]),
        )
        came = pack.handy_digests(files)
        files[pack.MANIFEST] = pack.render_manifest(replace(manifest, files=came))
        expected = expected or _verifier_says(site, files, key)


def _shard(site: Site, label: str) -> tuple[ShardRows, str]:
    """All shards, and the label of the one to export: the running one if none is named. Raises NotSo."""
    rows = ShardRows(site.db, site.workspace.log, origin=site.settings.gateway.origin)
    return rows, rows.chosen(label or rows.running)[0]


def _others(rows: ShardRows, label: str) -> tuple[str, ...]:
    return tuple(one for one in rows.labels if one != label)


def _chosen(tx: ReadTx, selection: Selection, rows: ShardRows, label: str) -> Chosen:
    try:
        return choose(tx, selection)
    except NotSo as error:
        others = ", ".join(_others(rows, label))
        if not others:
            raise
        raise NotSo(
            error.sentence,
            advice=f"This looked into the shard {label} only; --shard names another: {others}. `transfer audit show` "
            "looks through all.",
        ) from error


def _verifier_says(site: Site, files: Mapping[str, bytes], key: Ed25519Verifier) -> list[str]:
    """The lines that verify.py prints over these files. Raises Tampered if it refuses them."""
    with importlib.resources.as_file(importlib.resources.files("transfer.audit") / "static" / pack.VERIFIER) as path:
        spec = importlib.util.spec_from_file_location("verify_pack_by_itself", path)
        if spec is None or spec.loader is None:
            raise Misuse("verify.py of this copy of the program cannot be read.", advice="Reinstall it.")
        verifier: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(verifier)
    first = (site.desk.root.person, bytes.fromhex(site.desk.root.public_key)) if site.desk.root else None
    try:
        lines: list[str] = verifier.check(
            files, (key.name, key.public_key), first, own_approvals=not site.policy.approval.four_eyes
        )
    except verifier.Refused as refused:
        raise Tampered(
            f"No pack was made, because it would not verify. {refused}",
            advice="Run `transfer audit verify`; hand over the folder `log/` as it is.",
        ) from refused
    return lines

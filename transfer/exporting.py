"""Exports of the transfer log: lines for other programs, and evidence packs that strangers check without us.

What enters: an opened workspace and what is asked for, or a pack and the keys that an auditor brings. What leaves: a
file where none was before, or what was verified. A pack is checked with the very program it carries before anybody gets
it, and that it was made is an entry before it lies where it was asked for. Lines hold no more than the public log
does, so making them is no entry.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.resources
import importlib.util
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transfer.approvals.authority import Root
from transfer.approvals.trail import Trail
from transfer.audit import pack
from transfer.audit.export import entry_lines, evidence
from transfer.audit.export_select import Selection, choose, signed_size
from transfer.audit.notes import Ed25519Verifier, Verifier
from transfer.audit.pack_read import read_pack
from transfer.audit.pack_readme import render_readme
from transfer.audit.pack_verify import PackReport, verify_pack
from transfer.audit.pack_zip import render_zip
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.events import Event, EventName, Json
from transfer.policy.canonical import hashed_text
from transfer.store import journal
from transfer.store.adoption import kept_policy_text
from transfer.store.database import ReadTx
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors, write_all
from transfer.wiring import Site

_NAME_ANOTHER = "Name a file that is not there yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: `entries` of a log of `size` signed ones; `unsigned` newer ones could not be proven yet.

    `entry` is the number of the log's entry about a pack; None for lines.
    """

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


def export_lines(site: Site, selection: Selection, write: Callable[[bytes], object]) -> Exported:
    """The signed entries that are asked for, a line each, oldest first. Raises NotSo if nothing is signed."""
    digest, entries, size_of = hashlib.sha256(), 0, 0
    with site.db.read() as tx:
        size, all_of = signed_size(tx), journal.head(tx).size
        for line in entry_lines(tx, selection, size):
            write(line)
            digest.update(line)
            entries, size_of = entries + 1, size_of + len(line)
    return Exported(
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
    site: Site, selection: Selection, out: Path, *, key: Ed25519Verifier, disclose: Collection[str] = ()
) -> Exported:
    """Writes an evidence pack of the signed entries to a new file. `key` is the log's.

    Raises Misuse if there is a file already, NotSo if no signed entry fits or the log has sealed shards, Tampered if it
    does not verify.
    """
    if os.path.lexists(out):
        raise Misuse(f"There is something at {out} already.", advice=_NAME_ANOTHER)

    def policy_text(digest: str) -> str | None:
        return hashed_text(site.policy) if digest == site.policy.sha256 else kept_policy_text(tx, digest)

    with site.db.read() as tx:
        _refuse_later_shard(tx)
        chosen = choose(tx, selection)
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
    with _written(out, render_zip(files)) as (digest, size_of):
        facts |= {"size": chosen.size, "bytes": size_of, "sha256": digest}
        with site.db.write() as tx:
            entry = site.log.append(tx, Event(name=EventName.EXPORT_MADE, facts=facts))
    return Exported(
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
        )
        came = pack.handy_digests(files)
        files[pack.MANIFEST] = pack.render_manifest(replace(manifest, files=came))
        expected = expected or _verifier_says(site, files, key)


def _refuse_later_shard(tx: ReadTx) -> None:
    """A pack is a part of one shard, and its verifier knows only of approvals that were given in that one."""
    if any(row.event == EventName.SHARD_OPENED.value for row in journal.index_rows(tx, 0, 1)):
        raise NotSo(
            "Packs are made of a log's first shard only so far, and this log has been sealed since.",
            advice="Hand over the folder `log/` as it is: `transfer audit verify` checks all of it, and receipts prove "
            "single entries. `--jsonl` still writes the entries.",
        )


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


@contextlib.contextmanager
def _written(out: Path, parts: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """Writes the file beside its place; after the block, in which it is recorded, it gets its name.

    After a crash before that there is a half written or an unrecorded file under a temporary name, or an entry about a
    pack that nobody got; never a pack without an entry.
    """
    if not out.parent.is_dir():
        raise Misuse(f"There is no folder {out.parent}.", advice="Make it first, or name another place.")
    temporary = out.with_name(f"{TEMPORARY_PREFIX}{out.name}")
    digest, size_of = hashlib.sha256(), 0
    with world_errors(f"writing {out.name}"):
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                for part in parts:
                    write_all(descriptor, part)
                    digest.update(part)
                    size_of += len(part)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield digest.hexdigest(), size_of
            _give_name(temporary, out)
            sync_folder(out.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, out: Path) -> None:
    try:
        os.link(temporary, out)
    except FileExistsError as error:
        raise Misuse(f"There is something at {out} already.", advice=_NAME_ANOTHER) from error
    except OSError:  # a file system without links, as on a memory stick
        if os.path.lexists(out):
            raise
        os.rename(temporary, out)

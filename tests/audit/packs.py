"""Evidence packs for tests: made of a real log, then changed as somebody with the file in hand would, and judged by
both verifiers: the file that lies in the pack, as a process of its own without any package, and ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.approvals.office import Office
from transfer import exporting
from transfer.approvals.authority import parse_root, render_root
from transfer.audit import pack
from transfer.audit.canonical import render_canonical
from transfer.audit.export import EVERYTHING, evidence
from transfer.audit.export_select import Selection, choose
from transfer.audit.notes import Ed25519Signer, parse_vkey
from transfer.audit.pack_zip import render_zip
from transfer.audit.signing import sign_newest
from transfer.errors import TransferError
from transfer.policy.canonical import hashed_text

VERIFIER = Path(exporting.__file__).parent / "audit" / "static" / "verify.py"
SIGNER = Ed25519Signer("gateway.example/audit/2026", bytes(range(32)))

Files = dict[str, bytes]


@dataclass(frozen=True)
class Verdict:
    """What both said: ours, and verify.py."""

    ours: int
    sentence: str
    theirs: int
    said: str


def pack_of(office: Office, selection: Selection | None = None, *, signer: Ed25519Signer = SIGNER) -> Files:
    """A pack as `transfer audit export` makes it, but for its README, whatever the log holds."""
    sign_newest(office.db, signer, signer.name)
    texts = {office.policy.sha256: hashed_text(office.policy)}
    chosen_of = selection or Selection()
    with office.db.read() as tx:
        chosen = choose(tx, chosen_of)
        files, missing = evidence(tx, chosen, disclose=EVERYTHING, policy_text=texts.get)
    files |= {
        pack.VKEY: f"{signer.verifier.vkey}\n".encode(),
        pack.VERIFIER: VERIFIER.read_bytes(),
        pack.README: b"Made for a test.\n",
    }
    manifest = pack.Manifest(
        origin=signer.name,
        size=chosen.size,
        selection=chosen_of.as_dict(),
        asked=chosen.asked,
        governing=chosen.governing,
        files=pack.handy_digests(files),
        policies_missing=missing,
    )
    return files | {pack.MANIFEST: pack.render_manifest(manifest)}


def described(files: Files, **changes: Any) -> Files:
    """The same files with a manifest that fits them again, as a careful forger would leave it."""
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    manifest = replace(manifest, files=pack.handy_digests(files), **changes)
    return files | {pack.MANIFEST: pack.render_manifest(manifest)}


def zipped(files: Mapping[str, bytes]) -> bytes:
    return b"".join(render_zip(files))


def entries_of(files: Files) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[pack.ENTRIES].splitlines()]


def with_entries(files: Files, entries: Iterable[dict[str, Any]]) -> Files:
    return files | {pack.ENTRIES: b"".join(render_canonical(entry) + b"\n" for entry in entries)}


def run_verifier(path: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """verify.py as a stranger runs it: no packages, no environment."""
    command = [sys.executable, "-I", "-S", str(VERIFIER), str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={})


def judge(path: Path, vkey: str, first: str, *, own_approvals: bool = False) -> Verdict:
    """What both verifiers say about what lies there, asked with the same two keys."""
    flags = ["--own-approvals"] if own_approvals else []
    done = run_verifier(path, "--vkey", vkey, "--first-approver", first, *flags)
    assert "Traceback" not in done.stderr, done.stderr
    assert ("Verified" in done.stdout) == (done.returncode == 0)
    try:
        keys = [parse_vkey(vkey)]
        exporting.audit_pack(path, keys, root=parse_root(first), four_eyes=not own_approvals)
        ours, sentence = 0, ""
    except TransferError as error:
        ours, sentence = error.exit_code, error.sentence
    return Verdict(ours, sentence, done.returncode, done.stderr.strip())


def judge_files(files: Mapping[str, bytes], office: Office, folder: Path, **given: Any) -> Verdict:
    """The same about a pack of an office's log."""
    path = folder / "pack.zip"
    path.write_bytes(zipped(files))
    return judge(path, SIGNER.verifier.vkey, render_root(office.desk.root).strip(), **given)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

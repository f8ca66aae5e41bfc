"""Evidence packs: what is in one, and what its `pack.json` says. Pure.

    README.txt  verify.py  verify.html     how to check it; a convenience, no evidence
    pack.json                              which entries were asked for, and which are there as approvals rest on them
    checkpoint  log.vkey                   the signed checkpoint that all proofs lead to; the log's key, a convenience
    entries.jsonl                          the entries, byte for byte as they are hashed, one a line
    proofs/<number>.tlog-proof             one receipt for each
    disclosures.jsonl                      what was opened of what the entries commit to
    statements/<sha256>.note               the signed statements that stand in the entries
    policy/<sha256>.txt                    the policies that the entries name; a file's SHA-256 is its name

What enters: files of ours, or untrusted ones. What leaves: names and bytes, or a manifest with its types, or Tampered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from transfer.audit.canonical import parse_canonical, render_canonical
from transfer.audit.pack_zip import MAX_ZIP_BYTES
from transfer.errors import Tampered

FORMAT = "oneway-transfer/pack/v1"
MAX_ENTRIES = 20_000
MAX_FILE_BYTES = 4 * 1024 * 1024  # of any file but the two of lines

README = "README.txt"
CHECKPOINT = "checkpoint"
DISCLOSURES = "disclosures.jsonl"
ENTRIES = "entries.jsonl"
VKEY = "log.vkey"
MANIFEST = "pack.json"
VERIFIER = "verify.py"
VERIFIER_PAGE = "verify.html"

REQUIRED = (README, CHECKPOINT, DISCLOSURES, ENTRIES, VKEY, MANIFEST, VERIFIER)
HANDY = (README, VERIFIER_PAGE, VERIFIER)  # what came with the pack; its digests stand in the manifest
FOLDERS = ("policy", "proofs", "statements")
KINDS = ("item", "campaign", "period", "all")
_SELECTED = {"kind", "item", "campaign", "since", "until"}

_NAME = re.compile(
    r"README\.txt|checkpoint|disclosures\.jsonl|entries\.jsonl|log\.vkey|pack\.json|verify\.html|verify\.py"
    r"|policy/[0-9a-f]{64}\.txt|proofs/(?:[0-9]{8}|[1-9][0-9]{8,15})\.tlog-proof|statements/[0-9a-f]{64}\.note"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`selection` is what was asked for: `kind` and item, campaign or since and until. The rest are numbers of entries.

    `files` are the digests of what came with the pack; `policies_missing` those whose text was not kept.
    """

    origin: str
    size: int
    selection: Mapping[str, str]
    asked: tuple[int, ...]
    governing: tuple[int, ...]
    files: Mapping[str, str]
    policies_missing: tuple[str, ...]


def proof_name(index: int) -> str:
    """The receipt's file for an entry."""
    return f"proofs/{index:08}.tlog-proof"


def policy_name(digest: str) -> str:
    """The file of a policy's text."""
    return f"policy/{digest}.txt"


def statement_name(digest: str) -> str:
    """The file of a signed statement."""
    return f"statements/{digest}.note"


def check_name(name: str, size: int) -> None:
    """Whether a pack may have a file of this name and size. Raises Tampered."""
    if _NAME.fullmatch(name) is None:
        raise Tampered(f"{name[:200]!a} has no place in a pack.", advice="Find out who put it there.")
    if size > (MAX_ZIP_BYTES if name in {ENTRIES, DISCLOSURES} else MAX_FILE_BYTES):
        raise Tampered(f"{name} is too large for a pack.")


def render_manifest(manifest: Manifest) -> bytes:
    """The content of `pack.json`: canonical JSON and a line feed."""
    body = {
        "asked": manifest.asked,
        "files": manifest.files,
        "format": FORMAT,
        "governing": manifest.governing,
        "log": {"origin": manifest.origin, "size": manifest.size},
        "policies_missing": manifest.policies_missing,
        "selection": manifest.selection,
    }
    return render_canonical(body) + b"\n"


def parse_manifest(untrusted: bytes) -> Manifest:
    """The inverse of `render_manifest`. Raises Tampered for any other spelling."""
    if untrusted.endswith(b"\n"):
        body = parse_canonical(untrusted[:-1])
        try:
            manifest = Manifest(
                origin=_text(body["log"]["origin"]),
                size=_count(body["log"]["size"]),
                selection={key: _text(value) for key, value in body["selection"].items()},
                asked=tuple(_count(index) for index in body["asked"]),
                governing=tuple(_count(index) for index in body["governing"]),
                files={name: _text(digest) for name, digest in body["files"].items()},
                policies_missing=tuple(_text(digest) for digest in body["policies_missing"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Tampered(f"{MANIFEST} lacks something that a pack says of itself.") from error
        if (
            manifest.selection.get("kind") in KINDS
            and set(manifest.selection) <= _SELECTED
            and render_manifest(manifest) == untrusted
        ):
            return manifest
    raise Tampered(f"{MANIFEST} is not written as a pack says what it is.")


def handy_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file that came with the pack."""
    return {name: sha256(files[name]).hexdigest() for name in HANDY if name in files}


def split_lines(content: bytes, name: str) -> list[bytes]:
    """The lines of a file of lines. Raises Tampered if it is cut."""
    lines = content.split(b"\n")
    if lines.pop():
        raise Tampered(f"{name} is cut short.")
    return lines


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a count is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is expected")  # noqa: TRY004 - one error for every malformed field
    return value

"""Leaves: an event as the bytes that the log keeps, and the openings of what it only commits to. Pure.

    {"_sd":["…"],"at":"2026-01-01T00:00:00.000Z","by":"u_…","event":"file.released","facts":{…},
     "file":{"bytes":123,"sha256":"…"},"i":41,"item":"i-…","policy":{"sha256":"…"},"prev":{"i":37},"v":1}

Canonical JSON. `i` is the entry's own index, `prev.i` the previous entry of the same item, `at` never decreases (the
clock having gone back shows as `"clock":"back"`). Names and free text are salted commitments in `_sd`, in the form of
RFC 9901: a disclosure is base64url(JSON [salt, name, value]), its digest base64url(SHA-256(disclosure)). Unknown keys
are allowed and never interpreted.

What enters: events of ours, or untrusted leaves. What leaves: bytes, or the parsed leaf. The truth is the stored bytes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeGuard

from transfer.audit.canonical import decode_json, parse_canonical, render_canonical
from transfer.audit.merkle import leaf_hash
from transfer.errors import Misuse, Tampered
from transfer.model.clock import parse_time
from transfer.model.events import Event

VERSION = 1
MAX_LEAF_BYTES = 16_384
MAX_DISCLOSURE_BYTES = 65_536
_SALT_BYTES = 16

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_HEX64 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What opens one commitment: `text` is what is kept, and can be erased."""

    name: str
    value: str
    text: str

    @property
    def digest(self) -> str:
        """What stands in the leaf."""
        return disclosure_digest(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLeaf:
    """A new leaf: its bytes, its hash, what they say and the openings of its commitments."""

    data: bytes
    hash: bytes
    body: Mapping[str, Any]
    disclosures: tuple[Disclosure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A parsed leaf. `body` is all of it; the other fields are those whose meaning is fixed."""

    index: int
    at: str
    event: str
    item: str | None
    by: str | None
    sha256: str | None
    previous: int | None
    commitments: tuple[str, ...]
    body: Mapping[str, Any]


def build_leaf(
    event: Event, *, index: int, at: str, previous: int | None, clock_back: bool, entropy: Callable[[int], bytes]
) -> BuiltLeaf:
    """The leaf of an event. `entropy` gives 16 bytes of salt for each private value.

    Raises Misuse if the event holds what a leaf cannot, or is larger than 16 KiB.
    """
    body: dict[str, Any] = {"at": at, "event": event.name.value, "i": index, "v": VERSION}
    disclosures = tuple(_disclose(name, value, entropy) for name, value in event.private.items())
    if disclosures:
        body["_sd"] = sorted(disclosure.digest for disclosure in disclosures)
    if clock_back:
        body["clock"] = "back"
    if event.by is not None:
        body["by"] = event.by
    if event.facts:
        body["facts"] = event.facts
    if event.file is not None:
        body["file"] = {"bytes": event.file.size, "sha256": event.file.sha256}
    if event.item is not None:
        body["item"] = event.item
    if event.policy is not None:
        body["policy"] = {"sha256": event.policy}
    if previous is not None:
        body["prev"] = {"i": previous}
    data = render_canonical(body)
    if len(data) > MAX_LEAF_BYTES:
        raise Misuse(f"The event {event.name} makes an entry of {len(data)} bytes; the limit is {MAX_LEAF_BYTES}.")
    return BuiltLeaf(data=data, hash=leaf_hash(data), body=body, disclosures=disclosures)


def parse_leaf(untrusted: bytes) -> Leaf:
    """A leaf in its canonical spelling, its fixed fields checked. Raises Tampered."""
    body = parse_canonical(untrusted)
    if not isinstance(body, dict) or body.get("v") != VERSION or type(body["v"]) is not int:
        raise Tampered(f"This entry is not of version {VERSION}.")
    index, at, event = body.get("i"), body.get("at"), body.get("event")
    if not _is_count(index) or not _is_time(at) or not isinstance(event, str):
        raise Tampered("This entry lacks its index, its time or its event.")
    previous = _member(body, "prev", "i")
    if "prev" in body and not (_is_count(previous) and previous < index):
        raise Tampered(f"Entry {index} does not name a previous entry as it should.")
    digest = _member(body, "file", "sha256")
    if "file" in body and not (isinstance(digest, str) and _HEX64.fullmatch(digest)):
        raise Tampered(f"Entry {index} does not name its file as it should.")
    commitments = body.get("_sd", [])
    if not isinstance(commitments, list) or not all(isinstance(c, str) and _DIGEST.fullmatch(c) for c in commitments):
        raise Tampered(f"Entry {index} has commitments of another form.")
    if not all(isinstance(body.get(key, ""), str) for key in ("item", "by")):
        raise Tampered(f"Entry {index} has an item or a person of another form.")
    return Leaf(
        index=index, at=str(at), event=event, item=body.get("item"), by=body.get("by"), sha256=digest,
        previous=previous, commitments=tuple(commitments), body=body,
    )  # fmt: skip


def decode_leaf(untrusted: bytes) -> dict[str, Any]:
    """The leaf as a dictionary, quickly: well-formed JSON, the spelling not compared. Raises Tampered."""
    body = decode_json(untrusted)
    if not isinstance(body, dict):
        raise Tampered("This entry is not a JSON object.")
    return body


def disclosure_digest(text: str) -> str:
    """base64url(SHA-256(ASCII(disclosure))) without padding. Raises Tampered for text that is not ASCII."""
    if not text.isascii():
        raise Tampered("This is not a disclosure.")
    return _base64url(sha256(text.encode("ascii")).digest())


def parse_disclosure(untrusted: str) -> Disclosure:
    """A disclosure of a salt, a name and a text. Raises Tampered."""
    if len(untrusted) <= 2 * MAX_DISCLOSURE_BYTES and _BASE64URL.fullmatch(untrusted):
        try:
            decoded = base64.urlsafe_b64decode(untrusted + "=" * (-len(untrusted) % 4))
        except ValueError:
            decoded = b""
        parts = parse_canonical(decoded)
        well_formed = isinstance(parts, list) and len(parts) == 3 and all(isinstance(part, str) for part in parts)
        if well_formed and _base64url(decoded) == untrusted:
            return Disclosure(name=parts[1], value=parts[2], text=untrusted)
    raise Tampered("This is not a disclosure.")


def _disclose(name: str, value: str, entropy: Callable[[int], bytes]) -> Disclosure:
    salt = entropy(_SALT_BYTES)
    if len(salt) != _SALT_BYTES:
        raise Misuse("A commitment takes exactly 16 bytes of salt.")
    parts = render_canonical([_base64url(salt), name, value])
    if len(parts) > MAX_DISCLOSURE_BYTES:
        raise Misuse(f"The text «{name}» is longer than {MAX_DISCLOSURE_BYTES} bytes.", advice="Make it shorter.")
    return Disclosure(name=name, value=value, text=_base64url(parts))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _member(body: Mapping[str, Any], key: str, inner: str) -> Any:
    value = body.get(key)
    return value.get(inner) if isinstance(value, dict) else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_time(value: object) -> bool:
    try:
        parse_time(value if isinstance(value, str) and value.isascii() else "")
    except ValueError:
        return False
    return True

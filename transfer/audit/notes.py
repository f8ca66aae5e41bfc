"""Signed notes (C2SP signed-note v1.0.0): a text and the signatures under it. Pure.

    <text, UTF-8, no control characters but line feeds, ends with one>
    <empty line>
    — <key name> <base64(4-byte key id || signature)>           one or more

What enters: a text of ours with signers, or an untrusted note with the verifier keys that the reader trusts. What
leaves: a note, or the text with the signatures that were verified. Signatures by unknown keys are ignored; one by a
known key that does not verify condemns the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from transfer.errors import Misuse, Tampered

MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100

ED25519 = 0x01
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(\S+)")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `blob` is what follows the key id; its meaning depends on the key's type."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        """The line with its line feed."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.blob).decode()}\n"


class Verifier(Protocol):
    """A public key with its name. `key_id` has 4 bytes."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes: ...

    def verify(self, text: str, blob: bytes) -> bool:
        """Whether `blob` is this key's signature over the text, which ends with a line feed."""
        ...


class Signer(Protocol):
    """A private key with its name."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> bytes: ...

    def sign(self, text: str) -> bytes:
        """The signature's blob over the text."""
        ...


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text with the signatures that were verified, at least one, in the order of the note."""

    text: str
    verified: tuple[Signature, ...]
    unknown: int  # signatures by keys that the reader did not bring


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    """An Ed25519 key of signature type 0x01."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, line feed, type, public key)."""
        return key_id(self.name, ED25519, self.public_key)

    @property
    def vkey(self) -> str:
        """`name+id+base64`, the form in which verifier keys are handed around."""
        return render_vkey(self.name, ED25519, self.public_key)

    def verify(self, text: str, blob: bytes) -> bool:
        """Whether the 64 bytes are the signature over the text."""
        return verify_ed25519(self.public_key, blob, text.encode())


@dataclass(frozen=True, slots=True, repr=False)
class Ed25519Signer:
    """An Ed25519 key of signature type 0x01. `seed` has 32 secret bytes; never shown."""

    name: str
    seed: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise Misuse(f"{self.name[:80]!a} cannot be a key's name:", advice="use no spaces and no plus signs.")
        if len(self.seed) != 32:
            raise Misuse("A signing key's seed has exactly 32 bytes.")

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.name!r})"

    @property
    def verifier(self) -> Ed25519Verifier:
        """The public half."""
        return Ed25519Verifier(
            self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        )

    @property
    def key_id(self) -> bytes:
        """The verifier's key id."""
        return self.verifier.key_id

    @property
    def vkey(self) -> str:
        """The public half in the form in which it is handed around."""
        return self.verifier.vkey

    def sign(self, text: str) -> bytes:
        """64 bytes; the same for the same text."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())


def is_key_name(name: str) -> bool:
    """Non-empty, no Unicode space, no control character, no plus sign, nothing that UTF-8 cannot hold."""
    return bool(name) and "+" not in name and not any(c.isspace() for c in name) and not _NOT_IN_NAMES.search(name)


def key_id(name: str, kind: int, public_key: bytes) -> bytes:
    """SHA-256(name || 0x0A || type || public key), its first four bytes."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


def render_vkey(name: str, kind: int, public_key: bytes) -> str:
    """A verifier key as text."""
    return f"{name}+{key_id(name, kind, public_key).hex()}+{base64.b64encode(bytes([kind]) + public_key).decode()}"


def split_vkey(untrusted: str) -> tuple[str, int, bytes]:
    """Name, signature type and public key of a verifier key whose id fits them. Raises Misuse."""
    match = _VKEY.fullmatch(untrusted)
    if match is not None and is_key_name(match[1]):
        decoded = strict_base64(match[3])
        if decoded and render_vkey(match[1], decoded[0], decoded[1:]) == untrusted:
            return match[1], decoded[0], decoded[1:]
    raise Misuse(
        f"{untrusted[:120]!a} is not a verifier key:",
        advice="it looks like name+1a2b3c4d+base64, as log.vkey holds it.",
    )


def parse_vkey(untrusted: str) -> Ed25519Verifier:
    """A verifier key of type Ed25519. Raises Misuse."""
    name, kind, public_key = split_vkey(untrusted)
    if kind != ED25519 or len(public_key) != 32:
        raise Misuse(f"The verifier key of {name} is not an Ed25519 key for notes.", advice="Bring one of type 01.")
    return Ed25519Verifier(name, public_key)


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is good."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_note(text: str, signers: Sequence[Signer]) -> str:
    """The note. Raises Misuse for a text that no note can hold, or without a signer."""
    if not signers:
        raise Misuse("A note needs at least one signer.")
    if not text.endswith("\n") or _CONTROL.search(text) or "\n\n" in text:
        raise Misuse("A note's text has no empty line and no control characters, and ends with a line feed.")
    return text + "\n" + "".join(Signature(s.name, s.key_id, s.sign(text)).line for s in signers)


def parse_note(untrusted: bytes | str, *, max_bytes: int = MAX_NOTE_BYTES) -> tuple[str, tuple[Signature, ...]]:
    """The text and all its signatures, none of them verified. Raises Tampered."""
    note = _decoded(untrusted, max_bytes)
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Tampered("This is not a signed note: there are no signatures under the text.")
    text += "\n"
    signatures = tuple(_parse_line(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MAX_SIGNATURES:
        raise Tampered(f"This note has more than {MAX_SIGNATURES} signatures.")
    if len({(signature.name, signature.key_id) for signature in signatures}) != len(signatures):
        raise Tampered("This note has two signatures by one key.")
    return text, signatures


def open_note(untrusted: bytes | str, verifiers: Sequence[Verifier], *, max_bytes: int = MAX_NOTE_BYTES) -> OpenedNote:
    """The note's text and who is known to have signed it.

    Raises Tampered if the note is malformed, if a known key's signature is wrong or if no known key signed; Misuse
    without verifiers, because a note that nobody checks proves nothing.
    """
    if not verifiers:
        raise Misuse("There is no verifier key to check the signatures with.", advice="Bring the log's verifier key.")
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    text, signatures = parse_note(untrusted, max_bytes=max_bytes)
    verified: list[Signature] = []
    for signature in signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if not verifier.verify(text, signature.blob):
            raise Tampered(f"The signature by {signature.name} ({signature.key_id.hex()}) is not good.")
        verified.append(signature)
    if not verified:
        signed_by = ", ".join(f"{signature.name} ({signature.key_id.hex()})" for signature in signatures)
        raise Tampered(f"None of the known keys has signed this note; it is signed by {signed_by[:300]}.")
    return OpenedNote(text, tuple(verified), len(signatures) - len(verified))


def strict_base64(untrusted: str) -> bytes | None:
    """Standard, padded base64 in its one spelling, or None."""
    try:
        decoded = base64.b64decode(untrusted.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == untrusted else None


def _decoded(untrusted: bytes | str, max_bytes: int) -> str:
    if len(untrusted) > max_bytes:
        raise Tampered(f"This note has more than {max_bytes} bytes.")
    try:
        note = untrusted.decode("utf-8") if isinstance(untrusted, bytes) else untrusted.encode().decode()
    except UnicodeError as error:
        raise Tampered("This note is not UTF-8.") from error
    if _CONTROL.search(note):
        raise Tampered("This note has control characters.")
    return note


def _parse_line(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) == 3 and parts[0] == "—" and is_key_name(parts[1]):
        decoded = strict_base64(parts[2])
        if decoded is not None and len(decoded) > 4:
            return Signature(parts[1], decoded[:4], decoded[4:])
    raise Tampered(f"{line[:80]!a} is not a signature line of a note.")

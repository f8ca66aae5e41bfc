"""Cosignatures (C2SP tlog-cosignature): a witness's word that it saw a checkpoint, with the time it saw it. Pure.

Type 0x04 is Ed25519 over the whole checkpoint text, type 0x06 ML-DSA-44 over origin, size and root. The blob is the
time in seconds since the epoch as eight bytes, big-endian, followed by the signature. Witnesses are trusted for
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from transfer.audit.checkpoint import parse_checkpoint
from transfer.audit.notes import Ed25519Signer, key_id, split_vkey, verify_ed25519
from transfer.errors import Misuse, Tampered

ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06


@dataclass(frozen=True, slots=True)
class CosignatureVerifier:
    """A witness's public key; `kind` is 0x04 or 0x06."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """As for every key of a note."""
        return key_id(self.name, self.kind, self.public_key)

    def verify(self, text: str, blob: bytes) -> bool:
        """Whether this witness cosigned the checkpoint at the time that the blob says."""
        seconds, signature = int.from_bytes(blob[:8], "big"), blob[8:]
        if self.kind == ED25519_COSIGNATURE:
            return len(blob) == 72 and verify_ed25519(self.public_key, signature, cosigned_message(text, seconds))
        return len(blob) == 2428 and self._verify_mldsa(text, seconds, signature)

    def _verify_mldsa(self, text: str, seconds: int, signature: bytes) -> bool:
        try:
            message = cosigned_subtree(text, seconds, self.name)
            MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError, Tampered):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class CosignatureSigner:
    """Signs checkpoints as an Ed25519 witness, type 0x04, at the stated time."""

    key: Ed25519Signer
    seconds: int

    @property
    def name(self) -> str:
        """The witness's name."""
        return self.key.name

    @property
    def key_id(self) -> bytes:
        """Differs from the id of the same key as a note's signer, because the type does."""
        return key_id(self.name, ED25519_COSIGNATURE, self.key.verifier.public_key)

    def sign(self, text: str) -> bytes:
        """Time and signature."""
        message = cosigned_message(text, self.seconds).decode()
        return self.seconds.to_bytes(8, "big") + self.key.sign(message)


def parse_witness_vkey(untrusted: str) -> CosignatureVerifier:
    """A witness's verifier key. Raises Misuse."""
    name, kind, public_key = split_vkey(untrusted)
    lengths = {ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
    if lengths.get(kind) != len(public_key):
        raise Misuse(f"The verifier key of {name} is not a witness's key.", advice="Bring one of type 04 or 06.")
    return CosignatureVerifier(name, kind, public_key)


def cosigned_message(text: str, seconds: int) -> bytes:
    """What an Ed25519 witness signs."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosigned_subtree(text: str, seconds: int, witness: str) -> bytes:
    """What an ML-DSA-44 witness signs. Raises Tampered if the text is not a checkpoint, ValueError for long names."""
    checkpoint = parse_checkpoint(text)
    name, origin = witness.encode(), checkpoint.origin.encode()
    if len(name) > 255 or len(origin) > 255:
        raise ValueError("a name has at most 255 bytes here")
    parts = [b"subtree/v1\n\0", bytes([len(name)]), name, seconds.to_bytes(8, "big"), bytes([len(origin)]), origin]
    parts += [(0).to_bytes(8, "big"), checkpoint.size.to_bytes(8, "big"), checkpoint.root]
    return b"".join(parts)

"""A person's own signing key: an Ed25519 private key in a PKCS #8 PEM file that nobody else can read.

What enters: a path that its owner names. What leaves: the key in memory, for as long as one signature takes. The
gateway keeps no such key; it knows only public keys, each vouched for by a signature (`authority`). The files are
those of `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout`, so a key may be made without this program.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from transfer.errors import Misuse
from transfer.store.durable import sync_folder, world_errors, write_all

_MAX_BYTES = 4096
_HOW = "An Ed25519 key is made with `openssl genpkey -algorithm ed25519`."


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key: 32 bytes that are never shown, logged or stored by the gateway."""

    seed: bytes = field(repr=False)

    @property
    def public_key(self) -> str:
        """64 hex digits, as statements and the directory have it."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw().hex()


def make_key(path: Path, *, entropy: Callable[[int], bytes]) -> SigningKey:
    """A new key in a new file of mode 0600. Raises Misuse if the file exists, Unavailable if the disk will not."""
    seed = entropy(32)
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with world_errors(f"writing the key file {path}"):
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise Misuse(
                f"There is a file already at {path}; a key is never written over another.",
                advice="Choose another name.",
            ) from error
        try:
            os.fchmod(descriptor, 0o600)
            write_all(descriptor, pem)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    return SigningKey(seed)


def load_signing_key(path: Path) -> SigningKey:
    """The key in a file. Raises Misuse if there is none, if others can read it, or if it is not one of ours."""
    with world_errors(f"reading the key file {path}"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise Misuse(f"There is no key file at {path}.", advice=_HOW) from error
        except PermissionError as error:
            raise Misuse(
                f"The key file {path} may not be read by this user.", advice="Sign as the person who owns the key."
            ) from error
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise Misuse(f"{path} is not a file, so it holds no key.", advice=_HOW)
            if facts.st_mode & 0o077:
                raise Misuse(
                    f"The key file {path} can be read or written by others (mode {stat.S_IMODE(facts.st_mode):04o}).",
                    advice=f"Run `chmod 600 {path}`; if others may have read it, have a new key enrolled.",
                )
            content = os.read(descriptor, _MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    return SigningKey(_seed(content, path))


def _seed(content: bytes, path: Path) -> bytes:
    if b"ENCRYPTED" in content:
        raise Misuse(
            f"The key in {path} is protected by a passphrase, which this program does not ask for.",
            advice="Take the passphrase off in a private place: `openssl pkey -in OLD -out NEW` and `chmod 600 NEW`.",
        )
    try:
        key = serialization.load_pem_private_key(content, password=None) if len(content) <= _MAX_BYTES else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misuse(f"{path} holds no private key in PEM form.", advice=_HOW) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Misuse(f"The key in {path} is not an Ed25519 key.", advice=_HOW)
    return key.private_bytes_raw()


def render_public_key(public_key: str) -> str:
    """The public key as a PEM file, to be handed to whoever enrols its owner."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def parse_public_key(untrusted: bytes) -> str:
    """The 64 hex digits of the one public key in a PEM file. Raises Misuse, also for a private key."""
    if b"PRIVATE" in untrusted:
        raise Misuse(
            "That file holds a private key, which its owner shows to nobody.",
            advice="Hand in the public one: `openssl pkey -in KEY -pubout`.",
        )
    try:
        key = serialization.load_pem_public_key(untrusted) if len(untrusted) <= _MAX_BYTES else None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misuse("That file holds no public key in PEM form.", advice=_HOW) from error
    if not isinstance(key, Ed25519PublicKey):
        raise Misuse("That public key is not an Ed25519 key.", advice=_HOW)
    public_key = key.public_bytes_raw().hex()
    if render_public_key(public_key).split() != untrusted.decode("ascii", "replace").split():
        raise Misuse("That file holds more than one public key.", advice="Hand in a file with nothing else in it.")
    return public_key

"""Key files: one Ed25519 signing key each, in the text form that Go's `sumdb/note` uses too.

    PRIVATE+KEY+<name>+<key id, 8 hex digits>+<base64(0x01 || seed)>

What enters: paths that the operator or a signer names. What leaves: a signer. A key file is trusted only if nobody
else can read it: a key that others may have copied proves nothing any more, so it is refused. Nobody else is whoever
is neither root nor the user who reads it now; a credential that systemd hands over is root's (`access_list`).
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from transfer.audit.access_list import ATTRIBUTE, lets_others_in
from transfer.audit.notes import ED25519, Ed25519Signer, strict_base64
from transfer.errors import Misuse
from transfer.store.durable import open_folder, sync_folder, world_errors, write_all

_PREFIX = "PRIVATE+KEY+"
_MAX_BYTES = 4096
_READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_key(path: Path, *, name: str, entropy: Callable[[int], bytes]) -> Ed25519Signer:
    """A new key with 32 bytes of entropy, durable in a new file of mode 0600.

    Raises Misuse if the file exists or the name cannot be a key's name, Unavailable if the disk will not take it.
    """
    signer = Ed25519Signer(name, entropy(32))
    content = (render_key(signer) + "\n").encode()
    with world_errors(f"writing the key {path.name}"), open_folder(path.parent) as folder:
        try:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
        except FileExistsError as error:
            raise Misuse(
                f"There is a key file already: {path}.", advice="Choose another name for the new key."
            ) from error
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    with world_errors(f"writing the key {path.name}"):
        sync_folder(path.parent)
    return signer


def load_key(path: Path) -> Ed25519Signer:
    """The key in a file. Raises Misuse if it is missing, readable by others or not a key file."""
    content = _read_private(path)
    try:
        return parse_key(content.decode("ascii").removesuffix("\n"))
    except (UnicodeDecodeError, Misuse) as error:
        raise Misuse(f"{path} is not a signing key's file.", advice="Name the file that holds the key.") from error


def render_key(signer: Ed25519Signer) -> str:
    """The secret text of a key."""
    return f"{_PREFIX}{signer.name}+{signer.key_id.hex()}+{_encoded(signer.seed)}"


def parse_key(untrusted: str) -> Ed25519Signer:
    """The inverse of `render_key`. Raises Misuse, without repeating the text."""
    parts = untrusted.removeprefix(_PREFIX).split("+", 2)
    if untrusted.startswith(_PREFIX) and len(parts) == 3:
        decoded = strict_base64(parts[2])
        if decoded is not None and len(decoded) == 33 and decoded[0] == ED25519:
            signer = Ed25519Signer(parts[0], decoded[1:])
            if render_key(signer) == untrusted:
                return signer
    raise Misuse("This is not a signing key.")


def _read_private(path: Path) -> bytes:
    try:
        # O_NONBLOCK: a FIFO in the key's place must not make us wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise Misuse(f"There is no key file {path}.", advice="Name the file that holds the key.") from error
        raise Misuse(
            f"The key file {path} cannot be read ({os.strerror(error.errno or 0)}).",
            advice="Run this as the key's owner, or check its mode.",
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Misuse(f"{path} is not a regular file.", advice="Name the file that holds the key.")
        if status.st_mode & _READABLE_BY_OTHERS and _lets_others_in(descriptor, status.st_mode):
            raise Misuse(
                f"The key file {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}).",
                advice=f"Consider whether somebody has copied it; then: chmod 600 {path}",
            )
        if os.geteuid() != 0 and status.st_uid not in {0, os.geteuid()}:
            raise Misuse(
                f"The key file {path} belongs to another user (number {status.st_uid}), who can read it.",
                advice=f"Run this as that user, or: chown {os.geteuid()} {path}",
            )
        with world_errors(f"reading the key {path.name}"):
            return os.read(descriptor, _MAX_BYTES)
    finally:
        os.close(descriptor)


def _lets_others_in(descriptor: int, mode: int) -> bool:
    """The group's bits are the mask of an access list where there is one; the others' are what they say."""
    if mode & stat.S_IRWXO:
        return True
    try:
        return lets_others_in(os.getxattr(descriptor, ATTRIBUTE), os.geteuid())
    except OSError:  # there is no list
        return True


def _encoded(seed: bytes) -> str:
    return base64.b64encode(bytes([ED25519]) + seed).decode()

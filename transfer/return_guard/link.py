"""The socket between gateway and guard: Unix, sequenced packets, and only between two users who are known.

What enters: the path of the socket, and whose connections are taken beside our own. What leaves: connected sockets
whose other end was asked who it is. A packet is never longer than `MAX_MESSAGE`; a longer one ends the connection.

Alone, the socket is 0600. A guest (the guard under a user of its own) reaches it by its group: it is 0660 then, of the
group that the guest's account has. An unprivileged gateway cannot give files to a group it is not in; a folder with
the set-group-ID bit does that for it, so such a folder is what `docs/operating.md` tells to make.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from transfer.errors import Misuse, Unavailable
from transfer.return_guard.messages import MAX_MESSAGE
from transfer.store.durable import world_errors

_REFUSED_SECONDS = 60.0
_log = structlog.get_logger()
_CREDENTIALS = struct.Struct("=iII")  # process, user, group


@dataclass(frozen=True, slots=True)
class Account:
    """A local user: name, number, and the number of the group that is its own."""

    name: str
    uid: int
    gid: int


def find_account(name: str) -> Account:
    """Raises Misuse if there is no such user."""
    try:
        found = pwd.getpwnam(name)
    except KeyError as error:
        raise Misuse(
            f"There is no user {name} on this machine, whom the settings name as the guard's.",
            advice=f"Make it: adduser --system --group --no-create-home {name}; or correct [guard] in transfer.toml.",
        ) from error
    return Account(name, found.pw_uid, found.pw_gid)


def listen(path: Path, *, guest: Account | None = None) -> socket.socket:
    """A listening socket at this path, in place of one that a former life left. Raises Unavailable, and Misuse for a
    folder in which another user could put a socket of their own, or that does not let the guest in."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with world_errors(f"opening the guard's socket {path}"), _address(path) as (folder, address):
            _require_own(folder, path.parent)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path.name, dir_fd=folder)
            os.fchmod(listener.fileno(), 0o600)  # before the name exists: at no instant may others connect
            listener.bind(address)
            if guest is not None and guest.uid != os.geteuid():
                _let_in(guest, folder, path)
            listener.listen(4)
    except BaseException:
        listener.close()
        raise
    return listener


class Door:
    """The gateway's end. A stranger is turned away, which is said, but not more often than once a minute."""

    def __init__(self, path: Path, *, guest: Account | None, monotonic: Callable[[], float]) -> None:
        self._listener = listen(path, guest=guest)
        self._guest = guest
        self._monotonic = monotonic
        self._next_word = 0.0

    def fileno(self) -> int:
        """For poll."""
        return self._listener.fileno()

    def welcome(self) -> socket.socket | None:
        """The next one who may come in, if it is one."""
        try:
            return accept(self._listener, guest=self._guest)
        except Unavailable as stranger:
            if self._monotonic() >= self._next_word:
                _log.warning("refused", why=stranger.sentence)
                self._next_word = self._monotonic() + _REFUSED_SECONDS
        except OSError:
            pass  # gone again
        return None

    def close(self) -> None:
        """Nobody comes in any more."""
        self._listener.close()


def accept(listener: socket.socket, *, guest: Account | None = None) -> socket.socket:
    """The next connection by our own user or the guest. Raises Unavailable for anybody else's, OSError if there is
    none."""
    connection, _address = listener.accept()
    return _checked(connection, guest.uid if guest else None)


def connect(path: Path, *, host: int | None = None) -> socket.socket:
    """A connection to the gateway of our own user, or of the user with the number `host`; it does not block. Raises
    Unavailable."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with world_errors(f"connecting to the gateway at {path}"), _address(path) as (_folder, address):
            connection.setblocking(False)  # a gateway that does not accept must not keep the guard from its rounds
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return _checked(connection, host)


def receive(connection: socket.socket) -> bytes | None:
    """One packet, or None at the end. Raises ValueError if it is too long, OSError."""
    packet = connection.recv(MAX_MESSAGE + 1)
    if len(packet) > MAX_MESSAGE:
        raise ValueError("a packet longer than any message")
    return packet or None


def _checked(connection: socket.socket, other: int | None) -> socket.socket:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _group = _CREDENTIALS.unpack(raw)
    if user not in {os.geteuid(), other}:
        connection.close()
        raise Unavailable(
            f"Process {process} of user {user} is at the other end of the guard's socket, and was refused.",
            advice="Gateway and guard run as one user, or the guard as the one that [guard] in transfer.toml names.",
        )
    return connection


def _require_own(folder: int, path: Path) -> None:
    """Whoever can write to the folder could put a socket of their own in the place of ours."""
    found = os.fstat(folder)
    if found.st_uid not in {os.geteuid(), 0} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Misuse(
            f"Others than the gateway's user can write to {path}, where the guard's socket is to be.",
            advice=f"Give it to the gateway's user alone: chmod go-w {path}",
        )


def _let_in(guest: Account, folder: int, path: Path) -> None:
    if os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_gid != guest.gid:
        try:
            os.chown(path.name, -1, guest.gid, dir_fd=folder, follow_symlinks=False)
        except PermissionError as error:
            raise Misuse(
                f"The socket {path} cannot be given to the group of the guard's user {guest.name}.",
                advice=f"The folder gives it on once it has that group and the set-group-ID bit: "
                f"chgrp {guest.gid} {path.parent}; chmod 2750 {path.parent}",
            ) from error
    os.chmod(path.name, 0o660, dir_fd=folder)


@contextlib.contextmanager
def _address(path: Path) -> Iterator[tuple[int, str]]:
    """The folder, and a spelling of the path that fits into a socket address, however deep the workspace lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder, f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

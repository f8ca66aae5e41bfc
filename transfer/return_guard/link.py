"""The socket between gateway and guard: Unix, sequenced packets, mode 0600, and only between processes of one user.

What enters: the path of the socket. What leaves: connected sockets whose other end was asked who it is. A packet is
never longer than `MAX_MESSAGE`; a longer one ends the connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from transfer.errors import Unavailable
from transfer.return_guard.messages import MAX_MESSAGE
from transfer.store.durable import world_errors

_CREDENTIALS = struct.Struct("=iII")  # process, user, group


def listen(path: Path) -> socket.socket:
    """A listening socket at this path, in place of one that a former life left. Raises Unavailable."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with world_errors("opening the guard's socket"), _address(path) as address:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.fchmod(listener.fileno(), 0o600)  # before the name exists: at no instant may others connect
            listener.bind(address)
            listener.listen(4)
    except BaseException:
        listener.close()
        raise
    return listener


def accept(listener: socket.socket) -> socket.socket:
    """The next connection by our own user. Raises Unavailable for anybody else's, OSError if there is none."""
    connection, _address = listener.accept()
    return _checked(connection)


def connect(path: Path) -> socket.socket:
    """A connection to the gateway of our own user. Raises Unavailable."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with world_errors("connecting to the gateway"), _address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return _checked(connection)


def receive(connection: socket.socket) -> bytes | None:
    """One packet, or None at the end. Raises ValueError if it is too long, OSError."""
    packet = connection.recv(MAX_MESSAGE + 1)
    if len(packet) > MAX_MESSAGE:
        raise ValueError("a packet longer than any message")
    return packet or None


def _checked(connection: socket.socket) -> socket.socket:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _group = _CREDENTIALS.unpack(raw)
    if user != os.geteuid():
        connection.close()
        raise Unavailable(
            f"Process {process} of user {user} is at the other end of the guard's socket.",
            advice="Gateway and guard run as one user.",
        )
    return connection


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A spelling of the path that fits into a socket address, however deep the workspace lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

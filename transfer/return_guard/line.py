"""The guard's end of its talk with the gateway: a connection that is made again and again, and never waited for.

What enters: messages to be sent, the path of the gateway's socket. What leaves: packets, as far as they go without
waiting. A `Bell` wakes the one thread that talks.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

import structlog

from transfer.errors import Unavailable
from transfer.return_guard.link import connect
from transfer.return_guard.messages import FromGuard
from transfer.return_guard.packets import render_message

_FIRST_RETRY = 0.05
_LAST_RETRY = 1.0
_OUTBOX = 256
_PATIENCE_SECONDS = 10.0
_log = structlog.get_logger()


class Bell:
    """A pipe that wakes a loop; rung any number of times, it wakes once."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """For any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"w")

    def clear(self) -> None:
        """The loop is awake."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reader, 4096):
                pass


class Line:
    """The connection to the gateway: made again and again, never waited for."""

    def __init__(self, path: Path, host: int | None, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._host = host
        self._monotonic = monotonic
        self._outbox: deque[bytes] = deque()
        self._retry = _FIRST_RETRY
        self._due = 0.0
        self._alone_since = monotonic()
        self._said = ""
        self.connection: socket.socket | None = None

    def reach(self) -> bool:
        """Tries to connect if it is time; whether a new connection was made."""
        if self.connection is not None or self._monotonic() < self._due:
            return False
        try:
            self.connection = connect(self._path, host=self._host)
        except Unavailable as error:
            self._say(error.sentence)
            self._due = self._monotonic() + self._retry
            self._retry = min(self._retry * 2, _LAST_RETRY)
            return False
        self._retry = _FIRST_RETRY
        self._said = ""
        return True

    def _say(self, why: str) -> None:
        """Once for each reason, and only if it lasts: a gateway that starts or restarts is nothing to tell of."""
        if why != self._said and self._monotonic() - self._alone_since > _PATIENCE_SECONDS:
            _log.warning("waiting for the gateway", why=why)
            self._said = why

    def close(self) -> None:
        """Ends the connection, if there is one, and forgets what was not sent yet."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
            self._alone_since = self._monotonic()
        self._outbox.clear()

    def send(self, message: FromGuard) -> bool:
        """Queues and sends what goes without waiting; false if there is no gateway, or one that does not listen."""
        if len(self._outbox) >= _OUTBOX:
            self.close()
        if self.connection is None:
            return False
        self._outbox.append(render_message(message))
        self.flush()
        return True

    def flush(self) -> None:
        """Sends what goes without waiting."""
        while self.connection is not None and self._outbox:
            try:
                self.connection.send(self._outbox[0])
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            self._outbox.popleft()

    @property
    def backlog(self) -> int:
        """Packets that could not be sent yet."""
        return len(self._outbox)

"""One child as the gateway holds it: its socket and its process descriptor. Never waits past a deadline.

What enters: bytes from a process that an untrusted file may have taken over. What leaves: those bytes, within a bound,
or `Silent` with how it failed. A child that stops reading, floods or lies can delay nobody but the one who asks it, and
that one for no longer than the deadline.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from enum import Enum, auto

from transfer.sandbox.strict import MAX_MESSAGE, Malformed

_CUT_SHORT = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)
_DYING = 0.25  # seconds that a child whose socket has closed gets to end by itself, so that its status is its own


class Silence(Enum):
    """Why there is no answer."""

    TIMEOUT = auto()
    ENDED = auto()  # by itself, or killed by somebody else; the zygote knows how
    STUCK = auto()  # it does not read, or has closed its socket and lives on


class Silent(Exception):
    """The child did not answer; it has been killed or is dead."""

    def __init__(self, how: Silence) -> None:
        super().__init__(how.name)
        self.how = how


class Worker:
    """A live, confined child. Used by one thread at a time."""

    def __init__(self, *, pid: int, link: socket.socket, pidfd: int, generation: int) -> None:
        self.pid = pid
        self.generation = generation  # of the zygote that forked it
        self.files = 0
        self.busy_seconds = 0.0
        self._link = link
        self._pidfd = pidfd
        self._link.setblocking(False)

    def ask(self, message: bytes, descriptors: list[int], *, seconds: float) -> bytes:
        """Sends one message with its descriptors and waits for one answer, at most so long.

        Raises Silent (the child is dead then) or Malformed (it is alive, and must be killed).
        """
        started = time.monotonic()
        try:
            self._send(message, descriptors)
            return self._receive(started + seconds)
        finally:
            self.busy_seconds += time.monotonic() - started

    def tell(self, message: bytes) -> bool:
        """Sends a message that has no answer; whether it was taken."""
        try:
            self._link.send(message)
        except OSError:
            return False
        return True

    def is_quiet(self) -> bool:
        """Alive, and with nothing to say: no answer to no question, no end of file."""
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        return not poll.poll(0)

    def kill(self) -> None:
        """Ends it at once. Safe from another thread while `ask` waits, and safe to repeat."""
        with contextlib.suppress(OSError):  # it is dead already, or closed
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # never another that has its number by now

    def gone(self, *, within: float = 5.0) -> bool:
        """Waits until the process has ended and its descriptors are closed."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(within * 1000))

    def close(self) -> None:
        """Kills it and gives the descriptors back. Once."""
        self.kill()
        self._link.close()
        os.close(self._pidfd)

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._link, [message], descriptors)
        except BlockingIOError as error:
            self.kill()
            raise Silent(Silence.STUCK) from error
        except OSError as error:
            raise Silent(self._how_it_closed()) from error

    def _receive(self, deadline: float) -> bytes:
        poll = select.poll()
        poll.register(self._link, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self.kill()
                raise Silent(Silence.TIMEOUT)
            if not poll.poll(left * 1000):
                continue
            try:
                answer, _, flags, _ = self._link.recvmsg(MAX_MESSAGE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Silent(self._how_it_closed()) from error
            if not answer:
                raise Silent(self._how_it_closed())
            if flags & _CUT_SHORT:
                raise Malformed("an answer is too long, or came with a descriptor")
            return answer

    def _how_it_closed(self) -> Silence:
        if self.gone(within=_DYING):
            return Silence.ENDED
        self.kill()
        return Silence.STUCK

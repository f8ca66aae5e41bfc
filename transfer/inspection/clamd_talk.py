"""Talking to clamd: the connection of clamav-client, bounded in time and size. The only door to that library.

What enters: content to be scanned, in blocks; what clamd answers, which is not trusted to be quick, short or sensible.
What leaves: its words, or `Silent` with the reason why there are none.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from clamav_client.clamd import ClamdError, ClamdNetworkSocket, ClamdUnixSocket

MAX_ANSWER = 4_096  # bytes; clamd's answers have some dozens
BLOCK = 131_072  # bytes sent at once; must stay below clamd's StreamMaxLength


class Silent(Exception):
    """clamd gave no answer that can be used. `last_words` is what it said before it hung up, if anything."""

    def __init__(self, reason: str, last_words: str = "") -> None:
        super().__init__(reason)
        self.last_words = last_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where clamd listens: the path of a Unix socket, or a host and port."""

    path: Path | None = None
    host: str = "127.0.0.1"
    port: int = 3310

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else f"{self.host}:{self.port}"


class _Bounded:
    """What clamav-client leaves open: a connection that never comes, an answer that never ends, one drop at a time."""

    clamd_socket: socket.socket
    timeout: float | None
    seconds_left: Callable[[], float]
    last_words = ""

    def hurry(self) -> None:
        """The next wait may take what is left of the time for all of it. Raises TimeoutError when nothing is."""
        left = self.seconds_left()
        if left <= 0:
            raise TimeoutError("clamd takes too long")
        self.timeout = left
        if hasattr(self, "clamd_socket"):
            self.clamd_socket.settimeout(left)

    def _recv_response(self) -> str:
        """One line, at most MAX_ANSWER bytes."""
        answer = b""
        while b"\n" not in answer and len(answer) < MAX_ANSWER:
            self.hurry()
            part = self.clamd_socket.recv(MAX_ANSWER - len(answer))
            if not part:
                break
            answer += part
        self.last_words = answer.split(b"\n")[0].decode("utf-8", "replace").strip("\0 \r")
        return self.last_words

    def _close_socket(self) -> None:
        """Hear what clamd still says where it hung up while we were sending, such as that the stream is too long."""
        if not self.last_words:
            with suppress(OSError):
                self.clamd_socket.settimeout(0.2)
                self.last_words = self.clamd_socket.recv(MAX_ANSWER).decode("utf-8", "replace")
        self.clamd_socket.close()


class _Blocks:
    """Gives clamav-client content in larger blocks than it asks for, exactly `size` bytes of it in all."""

    def __init__(self, content: BinaryIO, size: int, talk: _Bounded) -> None:
        self._content = content
        self._talk = talk
        self.left = size

    def read(self, _few: int = -1) -> bytes:
        self._talk.hurry()
        block = self._content.read(min(BLOCK, self.left))
        self.left -= len(block)
        return block


class _UnixTalk(_Bounded, ClamdUnixSocket):
    def _init_socket(self) -> None:
        self.clamd_socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.clamd_socket.settimeout(self.timeout)
        self.clamd_socket.connect(self.unix_socket)


class _NetworkTalk(_Bounded, ClamdNetworkSocket):
    def _init_socket(self) -> None:
        self.clamd_socket = socket.create_connection((self.host, self.port), self.timeout)


def version(address: Address, *, timeout: float, monotonic: Callable[[], float] = time.monotonic) -> str:
    """What clamd answers to VERSION within `timeout` seconds. Raises Silent."""
    talk = _talk(address, timeout, monotonic)
    with _said(talk):
        return str(talk.version())
    raise Silent("no answer")


def instream(
    address: Address,
    content: BinaryIO,
    size: int,
    *,
    timeout: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> tuple[str, str]:
    """Send exactly `size` bytes: clamd's status (`OK`, `FOUND`, `ERROR`) and what it found or why not.

    All of it may take `timeout` seconds. Raises Silent, also where the content has fewer bytes.
    """
    talk = _talk(address, timeout, monotonic)
    blocks = _Blocks(content, size, talk)
    with _said(talk):
        answers = talk.instream(cast("BinaryIO", blocks))  # it only ever calls read
        if blocks.left:
            raise Silent("the content is shorter than it should be")
        (status, words), *more = answers.values()
        if not more:
            return str(status), str(words or "")
    raise Silent("no answer")


def _talk(address: Address, timeout: float, monotonic: Callable[[], float]) -> _UnixTalk | _NetworkTalk:
    if address.path is not None:
        talk: _UnixTalk | _NetworkTalk = _UnixTalk(str(address.path))
    else:
        talk = _NetworkTalk(address.host, address.port)
    talk.timeout = timeout
    deadline = monotonic() + timeout
    talk.seconds_left = lambda: deadline - monotonic()
    return talk


@contextmanager
def _said(talk: _Bounded) -> Iterator[None]:
    """Whatever goes wrong while talking is silence."""
    try:
        yield
    except (ClamdError, OSError, ValueError, struct.error) as error:
        reason = str(error) or type(error).__name__
        raise Silent(reason, talk.last_words) from error

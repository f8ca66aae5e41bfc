"""The gateway's side of the zygote: starts it, starts it again when it has died, and orders children from it.

What enters: a command and limits. What leaves: workers. Used under the pool's lock by one thread at a time; every wait
has an end. The zygote is ours and trusted, but it can be killed at any instant like every process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections import deque
from dataclasses import asdict
from pathlib import Path

import transfer
from transfer.errors import Misuse, Unavailable
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.worker import Worker
from transfer.sandbox.zygote import CANNOT, CHILD, ENDED, MAX_CONTROL, READY, WRONG

ENTRY = (sys.executable, "-P", "-m", "transfer.child")  # -P: nothing is imported from the current folder
_WARMING = 60.0  # seconds
_ANSWERING = 10.0
_PASSED_ON = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONHOME", "SSL_CERT_FILE")
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}


class _Gone(Exception):
    """The zygote has ended or does not answer."""


class Nursery:
    """One zygote at a time and the children ordered from it. `generation` counts zygotes.

    `material` is a descriptor that every zygote is handed to read from, before it has children; the caller's to close.
    """

    def __init__(
        self, *, command: tuple[str, ...], role: str, limits: ChildLimits, prefer: bool, material: int | None = None
    ) -> None:
        self.generation = 0
        self._command = (*command, role, json.dumps(asdict(limits)), "prefer" if prefer else "require")
        self._material = () if material is None else (material,)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = False
        self._ordered = 0
        self._born: deque[Worker] = deque()

    @property
    def waiting(self) -> int:
        """Children ordered and not taken yet."""
        return self._ordered + len(self._born)

    def start(self) -> None:
        """Starts a zygote, without waiting for it to be warm. Raises Unavailable."""
        self.stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    (*self._command, *map(str, (*self._material, theirs.fileno()))),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # a child's words never reach the operator's terminal
                    pass_fds=(*self._material, theirs.fileno()),
                    start_new_session=True,  # the terminal's interrupt is not for the children
                    cwd="/",
                    env=_environment(),
                )
            except OSError as error:
                ours.close()
                raise Unavailable(
                    f"The sandbox could not be started ({os.strerror(error.errno or 0)}).",
                    advice="Check memory and the number of processes; it is tried again.",
                ) from error
        self._control = ours
        self.generation += 1

    def order(self) -> None:
        """Asks for one child ahead of need; a zygote that cannot hear it is found out by `take`."""
        if self._control is not None and self._ready:
            with contextlib.suppress(OSError):
                self._control.send(CHILD, socket.MSG_DONTWAIT)
                self._ordered += 1

    def take(self) -> Worker:
        """A new child, from a new zygote if need be. Raises Unavailable, and Misuse if its material is wrong."""
        for _attempt in range(3):
            try:
                return self._take_once()
            except _Gone:
                self.start()
        raise Unavailable(
            "The sandbox ends as soon as it is started.", advice="`transfer doctor` tries it; it is tried again."
        )

    def how_ended(self, worker: Worker) -> int | None:
        """The exit code of a child that has ended, or minus its signal's number; None if its zygote is dead too."""
        if worker.generation != self.generation or self._control is None:
            return None
        try:
            self._control.send(b"%s %d" % (ENDED, worker.pid), socket.MSG_DONTWAIT)
            while True:
                words = self._next_message()
                if words[:2] == [ENDED, b"%d" % worker.pid]:
                    return None if words[2] == b"unknown" else int(words[2])
        except (OSError, _Gone):
            return None

    def stop(self) -> None:
        """Ends the zygote, and with it all its children."""
        for worker in self._born:
            worker.close()
        self._born.clear()
        self._ordered = 0
        self._ready = False
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _take_once(self) -> Worker:
        if self._control is None:
            raise _Gone
        while not self._ready:
            self._next_message(within=_WARMING)
        if not self.waiting:
            self.order()
            if not self._ordered:
                raise _Gone
        while not self._born:
            self._next_message()
        return self._born.popleft()

    def _next_message(self, *, within: float = _ANSWERING) -> list[bytes]:
        """One message of the zygote, its words; a new child is put with the others. Raises _Gone, Unavailable."""
        if self._control is None or not _readable(self._control, within):
            raise _Gone
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, MAX_CONTROL, 2, socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            raise _Gone from error
        words = message.split(b" ")
        if words[0] == CHILD and len(descriptors) == 2:
            link, pidfd = descriptors
            self._ordered -= 1
            self._born.append(
                Worker(pid=int(words[1]), link=socket.socket(fileno=link), pidfd=pidfd, generation=self.generation)
            )
        elif words[0] == READY:
            self._ready = True
        elif words[0] == WRONG:
            self.stop()
            raise Misuse(message[len(WRONG) + 1 :].decode("ascii", "replace"), advice="Put it right and start again.")
        elif words[0] == CANNOT:
            self.stop()
            raise Unavailable(
                f"The sandbox cannot start: {message[len(CANNOT) + 1 :].decode('ascii', 'replace')}",
                advice="`transfer doctor` says what is missing.",
            )
        elif not message:
            raise _Gone
        return words


def _readable(control: socket.socket, within: float) -> bool:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    return bool(poll.poll(within * 1000))


def _environment() -> dict[str, str]:
    """Little: the children need no user's settings, and few threads keep their memory small."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = Path(transfer.__file__).resolve().parent.parent
    if root.name not in _LIBRARY_FOLDERS:  # run from a source tree: the same one for the children
        passed["PYTHONPATH"] = str(root)
    return {
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    } | passed

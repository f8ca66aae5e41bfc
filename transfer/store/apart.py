"""What must not happen at once, though a gateway may run meanwhile: a backup, a switch of the log, a pruning of it.

One file, `state/run/records.lock`, is held by whoever does one of them. Whoever comes second waits, says so, and
refuses when it has waited long enough. What enters: the file. What leaves: nothing; the lock goes with the process that
held it. It is an `flock`: it belongs to one opening of the file, so threads of one process keep each other out too.
Nothing that is started meanwhile inherits it (O_CLOEXEC; this process never forks without a new program).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from transfer.errors import Unavailable
from transfer.store.durable import world_errors, write_all

PATIENCE = 600.0
_STEP = 0.2
_MAX_BYTES = 4096
_DOING = "taking the lock on the records"


class Doing(StrEnum):
    """As a sentence says it."""

    BACKUP = "A backup is being made"
    SWITCH = "The log is being switched to its next shard"
    PRUNE = "Old shards of the log are being pruned"


def untold(_sentence: str) -> None:
    """Tells nobody."""


@contextlib.contextmanager
def alone(path: Path, doing: Doing, *, patience: float = 0.0, tell: Callable[[str], None] = untold) -> Iterator[None]:
    """Nobody else does anything of this kind for the length of the block.

    Waits `patience` seconds for whoever does, and calls `tell` once with a sentence. Raises Unavailable after that.
    """
    with world_errors(_DOING):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        until, told = time.monotonic() + patience, False
        while not _taken(descriptor):
            sentence = _who(descriptor)
            if time.monotonic() >= until:
                raise Unavailable(f"{sentence}.", advice="Try again when that is over; nothing was changed.")
            if not told:
                tell(f"{sentence}; waiting until that is over.")
                told = True
            time.sleep(_STEP)
        with world_errors(_DOING):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            write_all(descriptor, json.dumps({"pid": os.getpid(), "doing": doing.name}).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)  # so that nobody reads it as what the next one does
    finally:
        os.close(descriptor)  # which gives the lock back


def is_busy(path: Path) -> bool:
    """Whether somebody holds it now, this process included. Raises Unavailable."""
    with world_errors(_DOING):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _taken(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _taken(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    with world_errors(_DOING):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _who(descriptor: int) -> str:
    """What is done and by which process; between taking the lock and writing that, it is unknown."""
    try:
        told = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
        return f"{Doing[told['doing']]} (process {int(told['pid'])})"
    except (OSError, ValueError, TypeError, KeyError):
        return "Another process works on the records"

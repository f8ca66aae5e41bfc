"""One gateway a workspace: a lock on one file, which goes away with the process that holds it.

`lockf` locks belong to a process and are not inherited, so children that outlive a killed gateway hold nothing (an
`flock` would live on in them). The price: a process that holds the lock must not open the file a second time, since
closing any descriptor of it gives the lock back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from transfer.errors import Unavailable
from transfer.model.clock import Clock, parse_time, render_time
from transfer.store.durable import world_errors, write_all

_MAX_BYTES = 4096
_FLOCK = "hhqqi"  # struct flock: l_type, l_whence, l_start, l_len, l_pid
_DOING = "taking the workspace's lock"
_OURS: set[Path] = set()  # what this process holds


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a workspace: a process number, and since when if that could be read."""

    pid: int
    since: datetime | None


@contextlib.contextmanager
def hold_workspace(path: Path, *, clock: Clock) -> Iterator[None]:
    """Holds the lock file `path` for the length of the block; once in a process.

    Raises Unavailable, with the process number and the start time of the holder, if another process has it.
    """
    with world_errors(_DOING):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        with world_errors(_DOING):
            os.ftruncate(descriptor, 0)
            write_all(descriptor, json.dumps({"pid": os.getpid(), "since": render_time(clock.now())}).encode())
        _OURS.add(path.absolute())
        yield
    finally:
        _OURS.discard(path.absolute())
        os.close(descriptor)  # which gives the lock back; the file stays, for removing it would let two hold it


def holds(path: Path) -> bool:
    """Whether this very process holds it; it must not be asked with `who_holds`, which would give it back."""
    return path.absolute() in _OURS


def who_holds(path: Path) -> Holder | None:
    """The process that holds the lock now, if any. Not to be asked by that process itself. Raises Unavailable."""
    with world_errors("looking at the workspace's lock"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return _holder(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    with world_errors(_DOING):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
            holder = _holder(descriptor)
            who = f"process {holder.pid}" if holder else "another process"
            since = f", running since {render_time(holder.since)}" if holder and holder.since else ""
            raise Unavailable(
                f"Another gateway holds this workspace: {who}{since}.",
                advice="Stop that one first, or use another workspace.",
            ) from error


def _holder(descriptor: int) -> Holder | None:
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    if kind == fcntl.F_UNLCK:
        return None
    try:
        told = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
        # Between taking the lock and writing the file a new holder's number stands beside its predecessor's time.
        since = parse_time(told["since"]) if told["pid"] == pid else None
    except (ValueError, TypeError, KeyError):
        since = None
    return Holder(pid, since)

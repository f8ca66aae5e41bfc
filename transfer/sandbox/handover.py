"""Descriptors that a child is handed, and the proof that it has given the output back.

A descriptor sent as it is would share its offset with ours and keep our rights. So each file is opened anew through
/proc/self/fd: read-only for what is to be read, and a description of its own for what is to be written, so that the
kernel can tell afterwards whether anybody else still holds one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator

from transfer.errors import Unavailable


@contextlib.contextmanager
def handed_over(*, read: int, write: int | None = None) -> Iterator[list[int]]:
    """Fresh descriptors for a child, ours to close again. Raises Unavailable where /proc is not mounted."""
    opened: list[int] = []
    try:
        opened.append(_anew(read, os.O_RDONLY))
        if write is not None:
            opened.append(_anew(write, os.O_RDWR))
        yield opened
    finally:
        for descriptor in opened:
            os.close(descriptor)


def is_only_writer(descriptor: int) -> bool:
    """Whether nobody but `descriptor` can write to its file: no process holds another description of it for writing.

    Asked by taking a write lease, which the kernel grants on this condition only, and giving it back at once. False
    also where the file system has no leases.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # a lease's default signal would end this process
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _anew(descriptor: int, flags: int) -> int:
    try:
        return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(
            f"A file could not be opened again for a child ({os.strerror(error.errno or 0)}).",
            advice="Check that /proc is mounted and that the file can be read and written.",
        ) from error

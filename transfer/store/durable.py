"""Durability, in one place: when a function here returns, the bytes survive a power cut.

Expected system calls of `replace_file`:

    openat(folder, O_DIRECTORY)          before anything is written, so that a missing folder is noticed first
    openat(folder, temporary, O_CREAT|O_EXCL|O_WRONLY|O_NOFOLLOW)
    write …; fsync(temporary)            after a crash here: a temporary file, which the next start removes
    renameat(temporary, name)            after a crash here: old or new content, never a mixture
    fsync(folder)                        after this: the new content

An fsync that fails is never tried again on the same descriptor: the page cache may hold data that the disk has lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from transfer.errors import Unavailable

TEMPORARY_PREFIX = ".part-"

_FULL = {errno.ENOSPC, errno.EDQUOT}


class _WorldErrors:
    """Every file passes some twenty of these: as a class they cost half of what a generator does."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _unavailable(error, self._doing) from error


def world_errors(doing: str) -> _WorldErrors:
    """Turns an OSError in its block into Unavailable with a sentence that says what was being done."""
    return _WorldErrors(doing)


def _unavailable(error: OSError, doing: str) -> Unavailable:
    if error.errno in _FULL:
        return Unavailable(f"The disk is full while {doing}.", advice="Free some space; it goes on by itself.")
    if error.errno == errno.EROFS:
        return Unavailable(f"The disk is read-only while {doing}.", advice="Mount it writable; it goes on by itself.")
    return Unavailable(
        f"The system answered «{os.strerror(error.errno or 0)}» while {doing}.",
        advice="Check the folder's owner, mode and disk.",
    )


@contextlib.contextmanager
def open_folder(path: Path | str | bytes) -> Iterator[int]:
    """A descriptor of a folder, closed at the end. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes | memoryview) -> None:
    """Writes everything, however many calls it takes. Raises OSError."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def drop_from_cache(descriptor: int) -> None:
    """Gives back the memory that holds a file's pages, as far as they are on the disk; a hint that never fails.

    Memory that is used again at once is cheaper than new, above all for a virtual machine.
    """
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(path: Path | str) -> None:
    """Makes the names in a folder durable. Raises OSError."""
    with open_folder(path) as descriptor:
        os.fsync(descriptor)


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Puts `content` at `path`, atomically and durably, over whatever was there. Raises OSError."""
    with replacing(path.parent, mode=mode) as put:
        put(path.name, content)


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o600) -> Iterator[Callable[[str, bytes], None]]:
    """Puts any number of files into the folder `path`, each as `replace_file` does: by name and content.

    Each is old or new at any time, and all are durable at the end of the block. Raises OSError.
    """
    with open_folder(path) as folder:
        yield lambda name, content: _replace(folder, name, content, mode)
        os.fsync(folder)


def _replace(folder: int, name: str, content: bytes, mode: int) -> None:
    temporary = f"{TEMPORARY_PREFIX}{name}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode, dir_fd=folder)
    with gone_on_failure(folder, temporary):
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextlib.contextmanager
def gone_on_failure(folder: int, temporary: str) -> Iterator[None]:
    """Where the block fails, as on a full disk, the temporary file goes at once: nobody may try this name again."""
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def remove_file(path: Path) -> bool:
    """Removes a file durably; whether it was there. Raises OSError."""
    with open_folder(path.parent) as folder:
        try:
            os.unlink(path.name, dir_fd=folder)
        except FileNotFoundError:
            return False
        os.fsync(folder)
    return True

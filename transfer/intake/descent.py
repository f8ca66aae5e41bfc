"""The way down a staging folder by descriptors: no link is followed at any step, and no path is ever joined.

What enters: a folder's descriptor and a relative path as bytes. What leaves: what stands there, as lstat tells it.
Whoever can write to the staging folder may exchange anything at any instant; a step that meets something else than
a real folder ends the descent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from transfer.model.identifiers import SourceId
from transfer.model.states import Arrival, Kind

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE})
DENIED = frozenset({errno.EACCES, errno.EPERM})

_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512  # what st_blocks counts in, on every file system

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}


def parts_of(path: bytes) -> list[bytes] | None:
    """The steps of a relative path; None for one that could lead anywhere else."""
    parts = path.split(b"/")
    harmless = all(part not in {b"", b".", b".."} and b"\0" not in part for part in parts)
    return parts if harmless else None


@contextlib.contextmanager
def descend(root: int, folders: list[bytes]) -> Iterator[int]:
    """A descriptor of the folder at the end of these steps, good for `dir_fd`. Raises OSError."""
    with contextlib.ExitStack() as stack:
        here = root
        for step in folders:
            here = os.open(step, _STEP, dir_fd=here)
            stack.callback(os.close, here)
        yield here


def look(source: SourceId, parent: int, path: bytes) -> Arrival:
    """What stands at the end of `path`, whose parent folder is open. Raises OSError."""
    found = os.stat(path.rpartition(b"/")[2], dir_fd=parent, follow_symlinks=False)
    return arrival_of(source, path, found)


def arrival_of(source: SourceId, path: bytes, found: os.stat_result) -> Arrival:
    """The arrival that lstat or fstat describes."""
    return Arrival(
        source=source,
        path=path,
        kind=_KINDS.get(stat.S_IFMT(found.st_mode), Kind.DEVICE),
        device=found.st_dev,
        inode=found.st_ino,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
        ctime_ns=found.st_ctime_ns,
        links=found.st_nlink,
        allocated=found.st_blocks * _BLOCK,
    )


def listing(source: SourceId, root: int, folder: bytes) -> list[Arrival]:
    """Everything directly in this folder (empty for the root itself), by name; what vanishes meanwhile is left out.

    Raises OSError if the folder itself cannot be listed.
    """
    found: list[Arrival] = []
    with descend(root, folder.split(b"/") if folder else []) as here:
        readable = os.open(b".", _LIST, dir_fd=here)
        try:
            with os.scandir(readable) as entries:
                names = sorted(os.fsencode(entry.name) for entry in entries)
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    found.append(look(source, readable, folder + b"/" + name if folder else name))
        finally:
            os.close(readable)
    return found

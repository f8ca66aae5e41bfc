"""Removing for good what was moved aside: a file, a link, or a folder with all that somebody hostile put into it.

What enters: a folder that is open, and one name in it. What leaves: nothing that stood there. No link is followed and
no file is opened, and nothing is entered that is mounted there; a tree of any depth costs a few descriptors and no
recursion, and one call a bounded number of steps. A crash at any instant leaves less than before under the same name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from transfer.store.rename import rename_without_replacing

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 100


def discard(folder: int, name: bytes, *, steps: int) -> bool:
    """Removes what stands under `name`; False: there is more than so many steps take. Raises OSError if it stays."""
    if _unlinked(folder, name):
        return True
    left = _Steps(steps)
    with _entered(folder, name) as top:
        for entry in _names(top):
            if not _unlinked(top, entry):
                _level(top, entry, left)
            if left.spent():
                return False
    return _removed(folder, name)


def open_up(folder: int, name: bytes, mode: int, *, regular: bool) -> bool:
    """Gives a file or folder that belongs to us a mode we can work with; whether that was done."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        if found.st_nlink != 1 and regular:  # the other names of a hard link are not ours to change
            return False
        if not (stat.S_ISREG(found.st_mode) if regular else stat.S_ISDIR(found.st_mode)):
            return False
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


class _Steps:
    """A number of removals and renames that may still be done."""

    def __init__(self, number: int) -> None:
        self._left = number

    def spent(self) -> bool:
        """Counts one; whether there is none left."""
        self._left -= 1
        return self._left <= 0


def _level(top: int, name: bytes, left: _Steps) -> None:
    """Removes a folder in `top` once it is empty; what lies in it goes, and folders in it come up into `top`.

    So nothing is ever deeper than two folders, however deep it was made.
    """
    with _entered(top, name) as inner:
        for entry in _names(inner):
            if not _unlinked(inner, entry) and not _removed(inner, entry):
                _lift(inner, entry, top)
            if left.spent():
                return
    _removed(top, name)


def _lift(inner: int, name: bytes, top: int) -> None:
    open_up(inner, name, 0o700, regular=False)  # a folder that nobody may write to cannot change its parent
    inode = os.stat(name, dir_fd=inner, follow_symlinks=False).st_ino
    for number in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            rename_without_replacing(name, b"%x.%d" % (inode, number), source_folder=inner, target_folder=top)
            return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _unlinked(folder: int, name: bytes) -> bool:
    """Whether it is gone; False for a folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    except FileNotFoundError:
        return True
    return True


def _removed(folder: int, name: bytes) -> bool:
    """Whether the folder is gone; False if there is something in it."""
    try:
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


@contextlib.contextmanager
def _entered(folder: int, name: bytes) -> Iterator[int]:
    open_up(folder, name, 0o700, regular=False)
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        if os.fstat(descriptor).st_dev != os.fstat(folder).st_dev:  # something mounted there is not evidence
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        yield descriptor
    finally:
        os.close(descriptor)


def _names(folder: int) -> Iterator[bytes]:
    own = os.open(".", _FOLDER, dir_fd=folder)  # an offset of its own
    try:
        with os.scandir(own) as entries:
            for entry in entries:
                yield os.fsencode(entry.name)
    finally:
        os.close(own)

"""Renaming that never replaces, relative to open folders: the step that publishes a name, and the one that clears it.

Expected system call: `renameat2(source_folder, source, target_folder, target, RENAME_NOREPLACE)`. Where the kernel or
the file system does not know it: `linkat` then `unlinkat`, which also never replaces; after a crash between the two
the file has both names, and whoever resumes removes the first.
"""

from __future__ import annotations

import ctypes
import errno
import os

_RENAME_NOREPLACE = 1
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def rename_without_replacing(source: bytes, target: bytes, *, source_folder: int, target_folder: int) -> None:
    """Gives `source` the name `target`, or raises FileExistsError; any other failure is an OSError too."""
    try:
        _renameat2(source, target, source_folder, target_folder)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        link_then_unlink(source, target, source_folder=source_folder, target_folder=target_folder)


def link_then_unlink(source: bytes, target: bytes, *, source_folder: int, target_folder: int) -> None:
    """The fallback; for anything but folders. Raises OSError."""
    os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    # After a crash here both names stand for the same file.
    os.unlink(source, dir_fd=source_folder)


def _renameat2(source: bytes, target: bytes, source_folder: int, target_folder: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    try:
        call = library.renameat2
    except AttributeError:  # a C library older than the system call
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    call.restype = ctypes.c_int
    if call(source_folder, source, target_folder, target, _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fsdecode(target))

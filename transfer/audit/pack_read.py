"""Reading an evidence pack: a ZIP, or the folder it was unpacked into.

What enters: a path, and whatever lies there; none of it is trusted, links are not followed. What leaves: the files by
their names, of bounded size and number. Raises Tampered for what no pack has, NotSo if there is nothing, Unavailable.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from transfer.audit import pack
from transfer.audit.pack_zip import MAX_MEMBERS, MAX_ZIP_BYTES, parse_zip
from transfer.errors import NotSo, Tampered
from transfer.store.durable import world_errors

_ZIP = b"PK"
_TOO_LARGE = "This is too large to be a pack."


def is_pack(path: Path) -> bool:
    """Whether this is meant to be a pack: a ZIP by its name or its first bytes, or a folder with a `pack.json`."""
    if path.is_dir():
        return os.path.lexists(path / pack.MANIFEST)
    if not path.is_file():
        return False
    with world_errors(f"reading {path.name}"), path.open("rb") as file:
        return path.suffix.lower() == ".zip" or file.read(len(_ZIP)) == _ZIP


def read_pack(path: Path) -> dict[str, bytes]:
    """All the files of the pack."""
    with world_errors(f"reading {path.name}"):
        if path.is_dir():
            return _read_folder(path)
        with path.open("rb") as file:
            content = file.read(MAX_ZIP_BYTES + 1)
    if len(content) > MAX_ZIP_BYTES:
        raise Tampered(_TOO_LARGE)
    if not content:
        raise NotSo("There is nothing to verify: the file is empty.")
    return parse_zip(content, check_name=pack.check_name)


def _read_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for below in ("", *pack.FOLDERS):
        if below and not os.path.lexists(folder / below):
            continue
        for found in sorted(os.scandir(folder / below), key=lambda entry: entry.name):
            name = f"{below}/{found.name}" if below else found.name
            mode = os.lstat(found.path).st_mode
            if not below and name in pack.FOLDERS and stat.S_ISDIR(mode):
                continue
            pack.check_name(name, found.stat(follow_symlinks=False).st_size)
            files[name] = _read_file(found.path, name)
            total += len(files[name])
            if total > MAX_ZIP_BYTES or len(files) > MAX_MEMBERS:
                raise Tampered(_TOO_LARGE)
    return files


def _read_file(path: str, name: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Tampered(f"{name} is not a file that can be read ({error.strerror}).") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Tampered(f"{name} has no place in a pack: it is not a file.")
        content = file.read(MAX_ZIP_BYTES + 1)
    pack.check_name(name, len(content))
    return content

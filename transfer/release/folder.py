"""The device's side as a folder: written and renamed, never read.

What enters: a parcel's bytes and names of ours. What leaves: a receipt. Nothing in the folder is trusted: it is
somebody else's, who may create, exchange and remove anything at any instant. No file there is ever opened but the one
created here a moment ago, for writing, and no existing name is replaced but the manifest's.

Expected system calls of `FolderSink.put`:

    openat(folder, O_DIRECTORY)
    unlinkat(folder, temporary)                     a leftover of a crash, if any
    openat(folder, temporary, O_CREAT|O_EXCL|O_WRONLY|O_NOFOLLOW)
    write …; fsync(temporary)                       after a crash here: a temporary, which the next put removes
    (the approval is asked for once more)
    renameat2(folder, temporary, folder, name, RENAME_NOREPLACE)
    fsync(folder)                                   after this: the file, under its one name, whole
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from transfer.errors import Tampered, Unavailable
from transfer.model.clock import Clock
from transfer.model.ends import Parcel
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName
from transfer.model.states import Receipt
from transfer.store.durable import open_folder, world_errors, write_all
from transfer.store.rename import rename_without_replacing

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o644  # the device reads it, as whichever user it is
_CHUNK = 1 << 20


class FolderSink:
    """A `Sink` in a folder. Knows how to put, and nothing else."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def put(self, parcel: Parcel) -> Receipt:
        """Makes the parcel durable under its name. Raises Unavailable (nothing is there then, or the whole file under
        its name), Tampered if the content is not what was approved, and what the parcel's `still_stands` raises."""
        with world_errors("writing to the release folder"), open_folder(self._folder) as folder:
            with _temporary(folder, parcel.temporary) as descriptor:
                sha256, size = _copy(parcel.content, descriptor, limit=parcel.clean.size)
                if (sha256, size) != (parcel.clean.sha256, parcel.clean.size):
                    raise Tampered(
                        f"The rebuilt file of {parcel.item} is not the approved one any more; it was not released.",
                        advice="Restore the blob from a backup, or withdraw the item.",
                        clauses=("G5", "G6"),
                    )
                os.fsync(descriptor)
                parcel.still_stands()  # writing may have taken minutes; from the next line on the device can see it
                at = self._clock.now()  # not later than the name: what is found under it before was not ours
                _publish(folder, parcel)
                _require_same(folder, parcel.name, descriptor)
            os.fsync(folder)
        return Receipt(name=parcel.name, sha256=parcel.clean.sha256, size=parcel.clean.size, at=at)


class FolderRecaller:
    """A `Recaller` for the same folder: removes names of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recall(self, name: SafeName) -> bool:
        """Removes what stands under this name; whether something did. Raises Unavailable."""
        with world_errors("removing from the release folder"), open_folder(self._folder) as folder:
            try:
                os.unlink(name.text, dir_fd=folder)
            except FileNotFoundError:
                return False
            except IsADirectoryError:
                return False  # not what we put there: the guard's business
            os.fsync(folder)
        return True


class FolderBoard:
    """Where the manifest hangs: the one name that is replaced, atomically."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def post(self, name: SafeName, temporary: SafeName, content: bytes) -> None:
        """Old or new, never a mixture. Raises Unavailable."""
        with world_errors("writing the manifest"), open_folder(self._folder) as folder:
            with _temporary(folder, temporary) as descriptor:
                write_all(descriptor, content)
                os.fsync(descriptor)
                os.rename(temporary.text, name.text, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)


@contextlib.contextmanager
def _temporary(folder: int, name: SafeName) -> Iterator[int]:
    """A new file under the temporary name; gone again if what is done with it fails."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name.text, dir_fd=folder)
    descriptor = os.open(name.text, _CREATE, 0o600, dir_fd=folder)
    try:
        os.fchmod(descriptor, _MODE)
        yield descriptor
    except BaseException:
        with contextlib.suppress(OSError):  # the disk may be in trouble: the next put removes it
            os.unlink(name.text, dir_fd=folder)
        raise
    finally:
        os.close(descriptor)


def _copy(source: BinaryIO, descriptor: int, *, limit: int) -> tuple[Sha256, int]:
    """What was written, hashed from the same buffer. Stops behind `limit`: more is wrong in any case."""
    digest, size = hashlib.sha256(), 0
    while size <= limit and (chunk := source.read(_CHUNK)):
        digest.update(chunk)
        write_all(descriptor, chunk)
        size += len(chunk)
    return Sha256(digest.hexdigest()), size


def _publish(folder: int, parcel: Parcel) -> None:
    try:
        rename_without_replacing(
            parcel.temporary.text.encode(), parcel.name.text.encode(), source_folder=folder, target_folder=folder
        )
    except FileExistsError as error:
        raise Unavailable(
            f"Something we did not put there has the name meant for {parcel.item} on the device's side.",
            advice="The return guard moves it aside; the release is tried again by itself.",
            clauses=("G5",),
        ) from error


def _require_same(folder: int, name: SafeName, descriptor: int) -> None:
    """Somebody on the device's side may have exchanged the temporary just before the rename."""
    ours = os.fstat(descriptor)
    there = os.stat(name.text, dir_fd=folder, follow_symlinks=False)
    if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
        raise Unavailable(
            f"Somebody on the device's side exchanged {name} while it was written.",
            advice="The return guard moves it aside; the release is tried again by itself.",
            clauses=("G5",),
        )

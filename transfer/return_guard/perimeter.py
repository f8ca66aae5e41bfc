"""The device's side as the guard sees it: names, facts and digests, and two deeds: moving a thing aside, and removing
it from there for good when its days are over.

What enters: two folders, in which somebody hostile may do anything at any instant. What leaves: `Sight`s and digests;
no content. Nothing is trusted: every step works relative to folders opened once, follows no link, opens nothing but
regular files, and looks again afterwards at what it really got hold of.

A thing that was moved aside is called `<milliseconds>-<report>-<SHA-256 of its name>.new` until the gateway has
acknowledged the report, then `.done`: after a crash at any line the name says what is still to be reported. The
foreign name itself is used for nothing but the rename.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from transfer.errors import Misuse, Unavailable
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.discard import discard, open_up
from transfer.return_guard.messages import LAST_MILLISECOND
from transfer.return_guard.recognise import Identity, Sight
from transfer.store.rename import rename_without_replacing

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ASIDE = re.compile(r"([0-9]{13,15})-([0-9a-f]{16})-([0-9a-f]{64})\.(new|done)")
_NOT_NOW = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR}


class AsideName(NamedTuple):
    """What the name of something moved aside says: when (milliseconds), under which report, which name it had."""

    milliseconds: int
    report: str
    name_sha256: Sha256

    def render(self, *, reported: bool = False) -> str:
        """The file name."""
        return f"{self.milliseconds:013d}-{self.report}-{self.name_sha256}.{'done' if reported else 'new'}"


def parse_aside_name(untrusted: str, *, reported: bool = False) -> AsideName | None:
    """The inverse of `render` for what is not reported yet, or for what is; None for anything else."""
    match = _ASIDE.fullmatch(untrusted)
    if match is None:
        return None
    parsed = AsideName(int(match[1]), match[2], Sha256(match[3]))
    same = parsed.render(reported=reported) == untrusted
    return parsed if same and parsed.milliseconds <= LAST_MILLISECOND else None


class Digest(NamedTuple):
    """A hash with what was hashed. `sha256` is None if it could not be read, `steady` if it held still meanwhile."""

    identity: Identity
    sha256: Sha256 | None
    steady: bool


class FolderPerimeter:
    """The release folder and the folder aside, on one file system."""

    def __init__(self, *, release: Path, aside: Path) -> None:
        """Raises Misuse if one of them is no folder, or if nothing could be moved between them."""
        self._path = release
        try:
            self._release = os.open(release, _FOLDER)
            self._aside = os.open(aside, _FOLDER)
        except OSError as error:
            raise Misuse(
                f"The guard cannot open {error.filename}: {os.strerror(error.errno or 0)}.",
                advice="Both the release folder and the folder aside must be real folders.",
            ) from error
        if os.fstat(self._release).st_dev != os.fstat(self._aside).st_dev:
            raise Misuse(
                f"{release} and {aside} are not on one file system; nothing could be moved aside at once.",
                advice="Put both below one mount.",
            )

    def require_in_place(self) -> None:
        """Raises Unavailable if the folder's path leads elsewhere now: what is guarded would not be what is seen."""
        ours = os.fstat(self._release)
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except OSError as error:
            raise Unavailable(f"The release folder {self._path} is gone.", advice="Put it back.") from error
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise Unavailable(f"Another folder stands at {self._path}.", advice="Put the release folder back.")

    def names(self) -> Iterator[bytes]:
        """The bytes of every name in the release folder. Raises OSError."""
        yield from _names(self._release)

    def unreported(self) -> Iterator[AsideName]:
        """What lies aside and was not acknowledged yet. Raises OSError."""
        yield from self._named(reported=False)

    def reported(self) -> Iterator[AsideName]:
        """What lies aside and is in the log. Nothing that the guard did not name itself. Raises OSError."""
        yield from self._named(reported=True)

    def look(self, name: bytes) -> Sight | None:
        """What stands in the release folder under this name, or None. Raises OSError."""
        return _look(self._release, name)

    def look_aside(self, name: AsideName, *, reported: bool = False) -> Sight | None:
        """What lies aside under this name, or None. Raises OSError."""
        return _look(self._aside, name.render(reported=reported).encode())

    def digest(self, name: bytes, *, limit: int) -> Digest | None:
        """The hash of a file in the release folder. None: not there, or ask again. Raises OSError."""
        return _digest(self._release, name, limit=limit, flush=True)

    def digest_aside(self, name: AsideName, *, limit: int, reported: bool = False) -> Digest | None:
        """The hash of a file that was moved aside; made readable first if that is in our power."""
        encoded = name.render(reported=reported).encode()
        found = _digest(self._aside, encoded, limit=limit, flush=False)
        if found is not None and found.sha256 is None and open_up(self._aside, encoded, 0o600, regular=True):
            found = _digest(self._aside, encoded, limit=limit, flush=False)
        return found

    def move_aside(self, name: bytes, target: AsideName, *, condemned: Sight) -> Sight | None:
        """Takes it out of the release folder in one rename; what was really taken, or None.

        None: it is not there any more, or it was exchanged for something else, which is put back to be judged anew.
        Raises OSError if it cannot be moved.
        """
        encoded = target.render().encode()
        try:
            self._rename_aside(name, encoded)
        except FileNotFoundError:
            return None
        taken = _look(self._aside, encoded)
        if taken is None or _same(taken, condemned):
            return taken or condemned
        with contextlib.suppress(OSError):
            # Somebody was quicker. A crash before this line leaves a thing that is reported as moved aside, and is.
            rename_without_replacing(encoded, name, source_folder=self._aside, target_folder=self._release)
            return None
        return taken

    def mark_reported(self, name: AsideName) -> None:
        """The gateway has it in the log: it will not be reported again."""
        done = name.render(reported=True)
        with contextlib.suppress(OSError):  # if it stays, it is reported again, and recognised by its identifier
            os.rename(name.render(), done, src_dir_fd=self._aside, dst_dir_fd=self._aside)

    def discard(self, name: AsideName, *, steps: int) -> bool:
        """Removes what is reported and lies aside under this name, as `discard.discard` does. Raises OSError."""
        return discard(self._aside, name.render(reported=True).encode(), steps=steps)

    def close(self) -> None:
        """Gives the folders back."""
        os.close(self._release)
        os.close(self._aside)

    def _named(self, *, reported: bool) -> Iterator[AsideName]:
        for name in _names(self._aside):
            parsed = parse_aside_name(os.fsdecode(name), reported=reported)
            if parsed is not None:
                yield parsed

    def _rename_aside(self, name: bytes, target: bytes) -> None:
        try:
            rename_without_replacing(name, target, source_folder=self._release, target_folder=self._aside)
        except PermissionError:
            # A folder that nobody may write to cannot change its parent; where it is ours, it can be made writable.
            if not open_up(self._release, name, 0o700, regular=False):
                raise
            rename_without_replacing(name, target, source_folder=self._release, target_folder=self._aside)


def _names(folder: int) -> Iterator[bytes]:
    own = os.open(".", _FOLDER, dir_fd=folder)  # an offset of its own
    try:
        with os.scandir(own) as entries:
            for entry in entries:
                yield os.fsencode(entry.name)
    finally:
        os.close(own)


def _look(folder: int, name: bytes) -> Sight | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Sight(_kind(found.st_mode), _identity(found))


def _kind(mode: int) -> Kind:
    for test, kind in (
        (stat.S_ISREG, Kind.FILE),
        (stat.S_ISDIR, Kind.FOLDER),
        (stat.S_ISLNK, Kind.SYMLINK),
        (stat.S_ISFIFO, Kind.FIFO),
        (stat.S_ISSOCK, Kind.SOCKET),
    ):
        if test(mode):
            return kind
    return Kind.DEVICE


def _identity(found: os.stat_result) -> Identity:
    return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _same(one: Sight, other: Sight) -> bool:
    """The same thing: it may have grown, but it was not exchanged (a rename changes ctime on many file systems)."""
    return one.kind is other.kind and one.identity[:2] == other.identity[:2]


def _digest(folder: int, name: bytes, *, limit: int, flush: bool) -> Digest | None:
    before = _look(folder, name)
    if before is None or before.kind is not Kind.FILE:
        return None  # a FIFO or device is not even opened
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in _NOT_NOW:
            return None
        return Digest(before.identity, None, steady=True)  # not readable: not to be trusted
    try:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode):
            return None
        if flush:
            # Writes through a memory map change the times only once a page: after this they do again.
            os.fsync(descriptor)
        sha256 = _hash(descriptor, opened.st_size) if opened.st_size <= limit else None
        after = os.fstat(descriptor)
        return Digest(_identity(opened), sha256, steady=_identity(opened) == _identity(after))
    finally:
        os.close(descriptor)


def _hash(descriptor: int, size: int) -> Sha256:
    """Of the first `size` bytes: a file that grows while it is read does not keep us."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := os.read(descriptor, min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return Sha256(digest.hexdigest())

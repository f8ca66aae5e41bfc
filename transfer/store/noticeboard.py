"""The notice board: for each item one text file that tells staff what became of it, in plain folders they can open.

    feedback/<campaign>/<post>/REFUSED holiday.jpg.txt

What enters: rows of the register and texts. What leaves: files that replace each other as the item's state changes.
Nothing is trusted that lies there: staff and sync clients may change or remove anything, no link is followed, and a
file counts as an item's former notice only if its last line says so. Two items of one name each keep their own: the
second has its identifier in its file's name.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from transfer.errors import Misuse, Unavailable
from transfer.store.durable import TEMPORARY_PREFIX, gone_on_failure, world_errors, write_all
from transfer.store.register import ItemRow

HEADINGS = ("WORKING", "WAITING", "APPROVED", "RELEASED", "REFUSED", "WITHDRAWN", "EXPIRED")

_TAIL_BYTES = 64
_OPEN_FOLDERS = 64
_LAST_LINE = re.compile(rb"\nItem (i-[0-9a-z]+)\n\Z")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Post = Callable[[ItemRow, str, str, bool], None]  # the item, the text, the heading, whether it is its first


class Noticeboard:
    """The feedback folder at `root`, which must exist."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def post(self, row: ItemRow, text: str, heading: str) -> None:
        """One notice, as `posting` puts it up; durable when this returns."""
        with self.posting() as post:
            post(row, text, heading, False)

    @contextlib.contextmanager
    def posting(self) -> Iterator[Post]:
        """Puts up any number of notices, each in place of its item's former one; the same again changes nothing.

        Each is atomic, and all are durable at the end of the block: a text before its file gets its name, the names
        then. `heading` is one of HEADINGS, `text` any lines; `first` says that no notice of this item was ever put up,
        so that none is looked for. Raises Unavailable, and Misuse for another heading.
        """
        changed: dict[tuple[str, ...], int] = {}  # folders, open until their names are durable

        def post(row: ItemRow, text: str, heading: str, first: bool) -> None:
            if heading not in HEADINGS:
                raise Misuse(f"{heading!a} is no heading of the notice board.", advice=f"One of {', '.join(HEADINGS)}.")
            steps = _steps(row)
            with world_errors("writing feedback for staff"):
                if steps not in changed:
                    if len(changed) >= _OPEN_FOLDERS:
                        _settle(changed)
                    changed[steps] = self._open(steps)
                _put_up(changed[steps], row, text, heading, first=first)

        try:
            yield post
        finally:
            with world_errors("writing feedback for staff"):
                _settle(changed)

    def remove(self, row: ItemRow) -> None:
        """Takes the item's notice down, and its post's folder if nothing is left in it. Raises Unavailable."""
        steps = _steps(row)
        with world_errors("removing feedback"):
            with self._folder(steps, make=False) as folder:
                if folder is None:
                    return
                if _remove_former(folder, row, keep=""):
                    os.fsync(folder)
            if row.post is not None:
                with self._folder(steps[:-1], make=False) as above, contextlib.suppress(OSError):
                    os.rmdir(steps[-1], dir_fd=above)

    def take_down(self, items: Collection[str]) -> None:
        """The notices of these items, wherever they hang, found by their last lines; folders left empty go too.

        Raises Unavailable.
        """
        if not items or not self._root.is_dir():
            return
        with world_errors("removing feedback"):
            for path, _, files, here in os.fwalk(self._root, topdown=False, follow_symlinks=False):
                gone = [name for name in files if _item_of(here, name) in items]
                for name in gone:
                    os.unlink(name, dir_fd=here)
                if gone:
                    os.fsync(here)
                    if len(Path(path).relative_to(self._root).parts) > 1:  # a post's folder, which is named by staff
                        with contextlib.suppress(OSError):
                            os.rmdir(path)

    def _open(self, steps: tuple[str, ...]) -> int:
        with self._folder(steps, make=True) as folder:
            if folder is None:
                raise Unavailable("The feedback folder is gone.", advice="Make it again; feedback goes on by itself.")
            return os.dup(folder)

    @contextlib.contextmanager
    def _folder(self, steps: tuple[str, ...], *, make: bool) -> Iterator[int | None]:
        with contextlib.ExitStack() as stack:
            here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, here)
            for step in steps:
                below = _enter(here, step, make=make)
                if below is None:
                    yield None
                    return
                stack.callback(os.close, below)
                here = below
            yield here


def _enter(folder: int, step: str, *, make: bool) -> int | None:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(step, 0o755, dir_fd=folder)
            os.fsync(folder)
    try:
        return os.open(step, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return None
    except NotADirectoryError:  # a file or a link in its place
        if make:
            raise
        return None


def _steps(row: ItemRow) -> tuple[str, ...]:
    """The folders below the root that this item's notice lies in."""
    return tuple(filter(None, (row.campaign, row.post.text if row.post else None)))


def _put_up(folder: int, row: ItemRow, text: str, heading: str, *, first: bool) -> None:
    content = f"{text.rstrip()}\n\n{_signature(row)}\n".encode("utf-8", "replace")
    name = _free_name(folder, row, heading)
    if _content(folder, name, len(content) + 1) != content:
        _replace(folder, name, content, temporary=TEMPORARY_PREFIX + row.item)
    # A crash from here to the end of the block leaves two notices of one item, one, or none. Who posts counts an item
    # as told only after the block, so that the next start posts again and puts it right.
    if not first:
        _remove_former(folder, row, keep=name)


def _settle(changed: dict[tuple[str, ...], int]) -> None:
    """Makes the names in these folders durable, and closes them."""
    with contextlib.ExitStack() as stack:
        for folder in changed.values():
            stack.callback(os.close, folder)
        folders = list(changed.values())
        changed.clear()
        for folder in folders:
            os.fsync(folder)


def _remove_former(folder: int, row: ItemRow, *, keep: str) -> bool:
    """Whether there was one."""
    former = [name for heading in HEADINGS for name in _names(row, heading) if name != keep]
    removed = [name for name in former if _is_of(folder, name, row)]
    for name in removed:
        os.unlink(name, dir_fd=folder)
    return bool(removed)


def _signature(row: ItemRow) -> str:
    return f"Item {row.item}"


def _names(row: ItemRow, heading: str) -> tuple[str, str]:
    return f"{heading} {row.name}.txt", f"{heading} {row.name} ({row.item}).txt"


def _free_name(folder: int, row: ItemRow, heading: str) -> str:
    plain, numbered = _names(row, heading)
    try:
        os.stat(plain, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return plain
    return plain if _is_of(folder, plain, row) else numbered


def _is_of(folder: int, name: str, row: ItemRow) -> bool:
    with _opened(folder, name) as descriptor:
        if descriptor is None:
            return False
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    return tail.endswith(f"\n{_signature(row)}\n".encode())


def _item_of(folder: int, name: str) -> str | None:
    """The item that a file is a notice of, by its last line."""
    with _opened(folder, name) as descriptor:
        if descriptor is None:
            return None
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, os.fstat(descriptor).st_size - _TAIL_BYTES))
    found = _LAST_LINE.search(tail)
    return found[1].decode() if found else None


def _content(folder: int, name: str, limit: int) -> bytes | None:
    with _opened(folder, name) as descriptor:
        return None if descriptor is None else os.pread(descriptor, limit, 0)


@contextlib.contextmanager
def _opened(folder: int, name: str) -> Iterator[int | None]:
    """The regular file of this name, if it is one that can be read; nothing that could block or lead elsewhere."""
    descriptor = None
    try:
        if stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _replace(folder: int, name: str, content: bytes, *, temporary: str) -> None:
    """`temporary` is one for all of an item's notices: what a crash leaves of one, the next one removes."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o644, dir_fd=folder)
    except FileExistsError:
        os.unlink(temporary, dir_fd=folder)
        descriptor = os.open(temporary, flags, 0o644, dir_fd=folder)
    with gone_on_failure(folder, temporary):
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

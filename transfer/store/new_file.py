"""A new file that gets its name last: after it was written, synced and recorded.

What enters: a place where nothing is, and bytes. What leaves: the file, whole, or nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from transfer.errors import Misuse
from transfer.store.durable import TEMPORARY_PREFIX, sync_folder, world_errors, write_all

NAME_ANOTHER = "Name a file that is not there yet."


@contextlib.contextmanager
def written(out: Path, parts: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """Writes the file beside its place; after the block, in which it is recorded, it gets its name. SHA-256 and size.

    After a crash before that there is a half written or an unrecorded file under a temporary name, or a record of a
    file that nobody got; never a file without its record. Raises Misuse, Unavailable.
    """
    if not out.parent.is_dir():
        raise Misuse(f"There is no folder {out.parent}.", advice="Make it first, or name another place.")
    temporary = out.with_name(f"{TEMPORARY_PREFIX}{out.name}")
    digest, size_of = hashlib.sha256(), 0
    with world_errors(f"writing {out.name}"):
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                for part in parts:
                    write_all(descriptor, part)
                    digest.update(part)
                    size_of += len(part)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield digest.hexdigest(), size_of
            _give_name(temporary, out)
            sync_folder(out.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, out: Path) -> None:
    try:
        os.link(temporary, out)
    except FileExistsError as error:
        raise Misuse(f"There is something at {out} already.", advice=NAME_ANOTHER) from error
    except OSError:  # a file system without links, as on a memory stick
        if os.path.lexists(out):
            raise
        os.rename(temporary, out)

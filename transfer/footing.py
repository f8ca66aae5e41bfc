"""The folders that a process was limited to: whether they are there, and still the same ones.

The kernel lets a process reach the folders that it found when it limited itself, not what stands at their paths later.
Where somebody puts another folder in the place of one (a sync client that starts afresh, a disk mounted again), the
process could only ever be refused; it ends instead, and the next one finds the new folder. What enters: paths.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from transfer.errors import Tampered, Unavailable

_Identity = tuple[int, int]


class Footing:
    """Folders, and one file of records, as they are now. Made just before the process limits itself."""

    def __init__(self, folders: Iterable[Path], *, records: Path | None = None) -> None:
        """Raises Unavailable if one is not there. `records` is kept open: it has to stay the very same file."""
        self._stood = {folder: _identity(folder) for folder in folders}
        self._records = records
        self._kept = None if records is None else _identity(records)

    def check(self) -> None:
        """Raises Unavailable if another folder stands in the place of one; one that is gone is not another.

        Raises Tampered if the records were taken away or exchanged: what is written to them now would be lost.
        """
        for folder, before in self._stood.items():
            if _identity_now(folder) not in {before, None}:
                raise Unavailable(
                    f"Another folder stands at {folder} than when the gateway started.",
                    advice="The gateway starts again by itself, to be let into the new one.",
                )
        if self._records is not None and _identity_now(self._records) != self._kept:
            raise Tampered(
                f"The database {self._records} was taken away or exchanged while the gateway ran.",
                advice="Put it back as it was, with the files beside it; stop the gateway before you touch it.",
            )


def _identity_now(path: Path) -> _Identity | None:
    try:
        return _identity(path)
    except Unavailable:
        return None


def _identity(folder: Path) -> _Identity:
    try:
        found = os.stat(folder)
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be reached ({os.strerror(error.errno or 0)}).",
            advice="Make the folder, mount its disk, or correct its path in transfer.toml.",
        ) from error
    return found.st_dev, found.st_ino

"""The folders that a process was limited to: whether they are there, and still the same ones.

The kernel lets a process reach the folders that it found when it limited itself, not what stands at their paths later.
Where somebody puts another folder in the place of one (a sync client that starts afresh, a disk mounted again), the
process could only ever be refused; it ends instead, and the next one finds the new folder. What enters: paths.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from transfer.errors import Unavailable

_Identity = tuple[int, int]


class Footing:
    """Folders as they are now. Made just before the process limits itself."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Raises Unavailable if one is not there."""
        self._stood = {folder: _identity(folder) for folder in folders}

    def check(self) -> None:
        """Raises Unavailable if another folder stands in the place of one; one that is gone is not another."""
        for folder, before in self._stood.items():
            try:
                now = _identity(folder)
            except Unavailable:
                continue  # whoever works with it says so, and goes on if the very same comes back
            if now != before:
                raise Unavailable(
                    f"Another folder stands at {folder} than when the gateway started.",
                    advice="The gateway starts again by itself, to be let into the new one.",
                )


def _identity(folder: Path) -> _Identity:
    try:
        found = os.stat(folder)
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be reached ({os.strerror(error.errno or 0)}).",
            advice="Make the folder, mount its disk, or correct its path in transfer.toml.",
        ) from error
    return found.st_dev, found.st_ino

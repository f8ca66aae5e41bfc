"""The device's side as the line's end needs it, whatever stands behind it: a folder on a disk, or one in OneDrive.

What enters: the parts of one kind of folder. What leaves: one value that the wiring puts a `Dispatch` together from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transfer.model.clock import Clock
from transfer.model.drive import Wait
from transfer.model.ends import Recaller, Sink
from transfer.model.names import SafeName
from transfer.model.states import CleanBlob
from transfer.release.dispatch import Dispatch, not_hashed, same_name
from transfer.release.folder import FolderBoard, FolderRecaller, FolderSink
from transfer.release.renew import Board
from transfer.store.release_marks import ReleaseMarks


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEnds:
    """The ends; `Dispatch` says what `fitting`, `hashed`, `marks` and `sink_knows` are.

    `recheck` makes what looks again at what was put there: a round of it says whether there may be more at once.
    `waiting` is what keeps it from asking a service now; `close` ends its connections. Both are for any thread.
    """

    sink: Sink
    recaller: Recaller
    board: Board
    fitting: Callable[[SafeName], SafeName] = same_name
    hashed: Callable[[CleanBlob], str | None] = not_hashed
    marks: ReleaseMarks | None = None
    sink_knows: bool = False
    recheck: Callable[[Dispatch], Callable[[], bool]] | None = None
    waiting: Callable[[], Wait | None] = lambda: None
    close: Callable[[], None] = lambda: None


def folder_ends(folder: Path, *, clock: Clock) -> ReleaseEnds:
    """Those of a folder on a disk."""
    return ReleaseEnds(sink=FolderSink(folder, clock=clock), recaller=FolderRecaller(folder), board=FolderBoard(folder))

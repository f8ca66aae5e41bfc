"""Where files come in: the folders on a disk together, and each folder in OneDrive by itself.

What enters: arrivals of each kind. What leaves: one round for each, to be run in a thread of its own. A look at a disk
takes no time; a drive may have us wait for most of a minute, and a film may take minutes to come from there. Nobody
who drops a file into a folder waits for that.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from transfer.arrivals import Arrivals, Watchers
from transfer.errors import Unavailable
from transfer.loops import kept
from transfer.model.identifiers import SourceId

_IDLE_SECONDS = 0.5
_LAST_SECONDS = 10.0  # for what is being taken up while everything stops


@dataclass(frozen=True, kw_only=True)
class Doors:
    """`folders` are the arrivals of all folders, in the order of `watchers`; `drives` those of each source there."""

    folders: Arrivals
    watchers: Watchers
    drives: Mapping[SourceId, Arrivals]
    monotonic: Callable[[], float]

    def rounds(self) -> dict[str, Callable[[], float]]:
        """What the loops have to do, by their names; each raises Unavailable."""
        return {"arrivals": self._folders_round} | {
            f"arrivals of {source}": arrivals.round for source, arrivals in self.drives.items()
        }

    def take_what_settles(self, seconds: float, *, stopping: threading.Event) -> None:
        """Takes up all that is there and settles within so many seconds, or until everything stops.

        Raises Unavailable: of one source; the others were taken up none the less.
        """
        self.watchers.tend()
        ended = queue.SimpleQueue[Exception | None]()
        doors = [self.folders, *self.drives.values()]
        for arrivals in doors:
            until = self.monotonic() + seconds + arrivals.stillness
            threading.Thread(target=self._take, args=(arrivals, until, stopping, ended), daemon=True).start()
        answers: list[Exception | None] = []
        stopped_at: float | None = None
        while len(answers) < len(doors):
            if stopping.is_set():
                stopped_at = stopped_at or self.monotonic()
                if self.monotonic() - stopped_at > _LAST_SECONDS:
                    return
            try:
                answers.append(ended.get(timeout=_IDLE_SECONDS))
            except queue.Empty:
                continue
        errors = sorted((error for error in answers if error), key=lambda error: isinstance(error, Unavailable))
        if errors:
            raise errors[0]  # a defect before what is merely missing

    def stop(self) -> None:
        """Ends the watchers."""
        self.watchers.stop()

    def _folders_round(self) -> float:
        if self.watchers.tend():
            self.folders.rescan_now()
        return self.folders.round()

    def _take(
        self,
        arrivals: Arrivals,
        until: float,
        stopping: threading.Event,
        ended: queue.SimpleQueue[Exception | None],
    ) -> None:
        try:
            self._rounds_of(arrivals, until, stopping)
        except Exception as error:  # noqa: BLE001 - it is raised where everybody's end is waited for
            ended.put(error)
        else:
            ended.put(None)

    def _rounds_of(self, arrivals: Arrivals, until: float, stopping: threading.Event) -> None:
        arrivals.rescan_now()
        missing: list[Unavailable] = []
        while True:
            wait = _IDLE_SECONDS
            with kept(missing):  # what one source lacks does not keep the others from settling
                wait = arrivals.round()
            late = self.monotonic() > until and not arrivals.crowded
            if not arrivals.unsettled or late or stopping.is_set():
                break
            stopping.wait(min(wait, _IDLE_SECONDS))
        if missing:
            raise missing[0]

"""Who may reach the two folders in OneDrive, looked at on a schedule, and the verdict as the gateway is told it.

What enters: the service's permissions, ids of files of ours. What leaves: the last verdict with its age; none while the
service could not be asked. A request for permissions is dear, so a few files are looked at each time, in turn; what is
wrong with a file stands until that file was looked at again, and it is looked at each time until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from transfer.graph.faults import GraphFault
from transfer.graph.lister import Lister
from transfer.return_guard.breaches import Place
from transfer.return_guard.messages import MAX_BREACHES, Audited, Told
from transfer.return_guard.onedrive_permissions import Device, Violation
from transfer.return_guard.onedrive_survey import survey
from transfer.return_guard.recognise import name_digest

FILES_A_ROUND = 5
_AGAIN_SECONDS = 60.0  # after one that could not be made
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    at: float
    breaches: tuple[Told, ...]
    more: int


class DriveAudit:
    """For the thread that does the rounds; `verdict` for any. `every` and `monotonic` are in seconds."""

    def __init__(
        self,
        *,
        release: Lister,
        aside: str,
        device: Device,
        known: Iterable[str],
        every: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._release = release
        self._aside = aside
        self._device = device
        self._known = tuple(known)
        self._every = every
        self._monotonic = monotonic
        self._next = 0.0
        self._turn = 0
        self._wrong: dict[str, list[Violation]] = {}
        self._failing = ""
        self._last: _Verdict | None = None
        self.number = 0  # of verdicts so far

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return self._monotonic() >= self._next

    def verdict(self) -> Audited | None:
        """The last one, None before the first."""
        last = self._last
        if last is None:
            return None
        return Audited(age=int(max(0.0, self._monotonic() - last.at)), breaches=last.breaches, more=last.more)

    def look(self, files: Sequence[str]) -> None:
        """Looks, with a few of these files. Where not all can be seen there is no verdict: the last one grows old."""
        began = self._monotonic()
        looked_at = self._some(files)
        try:
            found = survey(self._release, device=self._device, aside=self._aside, items=looked_at, known=self._known)
        except GraphFault as fault:
            self._next = self._monotonic() + min(_AGAIN_SECONDS, self._every)
            if fault.sentence != self._failing:
                self._failing = fault.sentence
                _log.warning("cannot see who may reach the release folder", why=fault.sentence)
            return
        self._failing = ""
        self._next = began + self._every
        told = [_told(one) for one in self._all(found, looked_at, files)]
        self._last = _Verdict(at=began, breaches=tuple(told[:MAX_BREACHES]), more=len(told[MAX_BREACHES:]))
        self.number += 1

    def _some(self, files: Sequence[str]) -> list[str]:
        """Those with which something was wrong, and the next few in turn."""
        if not files:
            return []
        ordered = sorted(files)
        first = self._turn % len(ordered)
        self._turn = first + FILES_A_ROUND
        following = (ordered + ordered)[first : first + min(FILES_A_ROUND, len(ordered))]
        wrong = [item for item in self._wrong if item in set(files)][:MAX_BREACHES]
        return list(dict.fromkeys((*wrong, *following)))

    def _all(self, found: Iterable[Violation], looked_at: Sequence[str], files: Sequence[str]) -> list[Violation]:
        """What is wrong with the folders, and with every file as it was looked at last.

        What a file has from the folder around it is told of the folder alone.
        """
        found = list(found)
        above = {(one.breach, one.permission) for one in found if one.place in {Place.FOLDER, Place.ABOVE}}
        kept = set(files) - set(looked_at)
        self._wrong = {item: wrong for item, wrong in self._wrong.items() if item in kept}
        for one in found:
            if one.place is Place.ITEM and (one.breach, one.permission) not in above:
                self._wrong.setdefault(one.item, []).append(one)
        folders = [one for one in found if one.place is not Place.ITEM]
        return folders + [one for wrong in self._wrong.values() for one in wrong]


def _told(violation: Violation) -> Told:
    permission = name_digest((violation.permission or "").encode())
    return Told(breach=violation.breach, place=violation.place, permission=permission)

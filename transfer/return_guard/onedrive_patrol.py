"""The rounds of the guard of a release folder in OneDrive: everything there is judged by its facts, and what does not
belong is moved aside at once.

What enters: the roll of what is ours, what the service tells of the folder, the gateway's answers. What leaves: cases
to be told, and things moved aside; nothing is ever read. Without the gateway's list nothing is moved; once it was
there, the rounds go on by it. No single round costs more than a bounded number of moves.

    answers carried out ─▶ what an earlier life left untold ─▶ what changed ─▶ foreign things aside ─▶ what is absent
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from transfer.errors import Unavailable
from transfer.graph.faults import GraphFault
from transfer.graph.lister import Lister
from transfer.graph.records import DriveItem
from transfer.model.clock import Clock
from transfer.model.ends import Presence
from transfer.model.identifiers import Sha256
from transfer.model.states import Kind
from transfer.return_guard.messages import Report, Verdict, What
from transfer.return_guard.onedrive_cases import Answered, Case, Cases
from transfer.return_guard.onedrive_perimeter import OneDrivePerimeter, digest_of, report_of
from transfer.return_guard.onedrive_recognise import Hand, Standing, judge
from transfer.return_guard.onedrive_roll import Due, Roll
from transfer.return_guard.onedrive_view import View
from transfer.return_guard.perimeter import AsideName

MOVES_A_ROUND = 50
UNFINISHED_SECONDS = 900.0  # a file of ours whose bytes the service has not hashed after this is none of ours
UNKNOWN_ABSENT_SECONDS = 60.0  # an absence without an id to ask for: what the service lists may lag behind
_REMEMBERED = 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DrivePatrol:
    """One thread's work: `look` again and again. `absent_seconds` lie at least between two looks that miss a thing."""

    def __init__(
        self,
        *,
        release: Lister,
        perimeter: OneDrivePerimeter,
        roll: Roll,
        cases: Cases,
        hand: Hand,
        clock: Clock,
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
        absent_seconds: float,
    ) -> None:
        self._release = release
        self._perimeter = perimeter
        self._roll = roll
        self._cases = cases
        self._hand = hand
        self._clock = clock
        self._monotonic = monotonic
        self._entropy = entropy
        self._absent_seconds = absent_seconds
        self._view = View(release)
        self._taken_up = False
        self._unfinished: dict[str, float] = {}
        self._rewritten: dict[tuple[str, str | None], None] = {}
        self._stuck: dict[tuple[str, str | None], None] = {}
        self._absent: dict[Due, float] = {}
        self.ours: dict[str, str] = {}  # names of ours that were found as they should be, and their items

    def look(self) -> bool:
        """One round; whether there is more to do at once. Raises GraphFault; what was done by then is done."""
        self._carry_out()
        if not self._roll.adopted:
            return False
        self._take_up()
        self._view.refresh()
        foreign: list[DriveItem] = []
        ours: dict[str, str] = {}
        for item in self._view:
            standing = self._standing(item)
            if standing is Standing.FOREIGN:
                foreign.append(item)
            elif standing is Standing.REWRITTEN:
                self._tell_rewritten(item)
            if standing in {Standing.OURS, Standing.REWRITTEN} and item.name is not None:
                ours[item.name] = item.id
        # What will not move keeps nothing else waiting, and is tried again in turn.
        turns = {key: turn for turn, key in enumerate(self._stuck, start=1)}
        foreign.sort(key=lambda item: turns.get((item.id, item.etag), 0))
        for item in foreign[:MOVES_A_ROUND]:
            self._take(item)
        if not all(map(self._is_stuck, foreign[MOVES_A_ROUND:])):
            return True
        self.ours = ours
        self._miss()
        return False

    def _is_stuck(self, item: DriveItem) -> bool:
        return (item.id, item.etag) in self._stuck

    def _carry_out(self) -> None:
        while (answered := self._cases.first_answered()) is not None:
            self._do(answered)
            self._cases.carried_out()  # after GraphFault it is done again: each deed finds what it did before

    def _do(self, answered: Answered) -> None:
        case, verdict = answered.case, answered.verdict
        match case.report.what:
            case What.MOVED if case.item is not None:
                self._perimeter.mark_reported(case.item, case.name)
            case What.EXPIRED if verdict is Verdict.LET_GO and case.item is not None:
                self._perimeter.discard(case.item, case.name)
            case What.MISSING if verdict is not Verdict.ALTERED:
                self._roll.drop(case.name.name_sha256)
        if verdict is Verdict.ALTERED:
            self._roll.awaits_restoring(case.name.name_sha256)

    def _take_up(self) -> None:
        """What an earlier life, or a move without an answer, left aside and nobody acknowledged."""
        if self._taken_up:
            return
        for name, item in self._perimeter.unreported():
            if not self._cases.add(Case(report=report_of(item, name, What.MOVED), name=name, item=item.id)):
                return  # the rest later; their names keep them
        self._taken_up = True

    def _standing(self, item: DriveItem) -> Standing:
        """What an item is now; one that the service has not finished is asked for again, for a limited time."""
        standing = self._judged(item)
        if standing is not Standing.UNFINISHED:
            self._unfinished.pop(item.id, None)
            return standing
        now = self._monotonic()
        since = self._unfinished.setdefault(item.id, now)
        found = self._release.item(item.id)
        standing = Standing.OURS if found is None else self._judged(found)
        if standing is Standing.UNFINISHED and now - since >= UNFINISHED_SECONDS:
            return Standing.FOREIGN
        return standing

    def _judged(self, item: DriveItem) -> Standing:
        return judge(item, ledger=self._roll.ledger(), folder=self._release.folder, hand=self._hand)

    def _is_condemned(self, item: DriveItem) -> bool:
        """By what is expected at this moment, and what the service says of it at this moment."""
        standing = self._judged(item)
        since = self._unfinished.get(item.id)
        late = since is not None and self._monotonic() - since >= UNFINISHED_SECONDS
        return standing is Standing.FOREIGN or (standing is Standing.UNFINISHED and late)

    def _take(self, item: DriveItem) -> None:
        """Moves one thing aside and tells of it. A crash in between: its name aside says that it is to be told."""
        target = self._aside_name(digest_of(item))
        try:
            taken = self._perimeter.move_aside(item.id, target, condemned=self._is_condemned)
        except GraphFault as fault:
            self._taken_up = False  # it may have been done, and only an answer was lost: it is found aside then
            if not _is_refusal(fault):
                raise
            self._tell_stuck(item)
            return
        except Unavailable:
            self._tell_stuck(item)
            return
        if taken is None:
            return  # gone by itself, put right meanwhile, or not known everywhere yet: the next round sees
        self._view.left(item.id)
        self._roll.awaits_restoring(target.name_sha256)
        if not self._cases.add(Case(report=report_of(taken, target, What.MOVED), name=target, item=item.id)):
            self._taken_up = False

    def _tell_stuck(self, item: DriveItem) -> None:
        """Once for each version, under a number of its own: it may turn out to have been moved after all."""
        key = (item.id, item.etag)
        if key in self._stuck:
            del self._stuck[key]
            self._stuck[key] = None  # its turn was now
            return
        if len(self._stuck) >= _REMEMBERED:
            return
        name = self._aside_name(digest_of(item))
        if self._cases.add(Case(report=report_of(item, name, What.STUCK), name=name, item=item.id)):
            self._stuck[key] = None

    def _tell_rewritten(self, item: DriveItem) -> None:
        """Once for each version: the gateway looks at it by itself, and says in the log what it finds."""
        key = (item.id, item.etag)
        if key in self._rewritten or len(self._rewritten) >= _REMEMBERED:
            return
        name = self._aside_name(digest_of(item))
        if self._cases.add(Case(report=report_of(item, name, What.REWRITTEN), name=name, item=item.id)):
            self._rewritten[key] = None

    def _miss(self) -> None:
        """What must be there and is not: told after two looks that also asked for it by its id."""
        there = {item.name for item in self._view}
        gone = [due for due in self._roll.due() if due.name.text not in there]
        now = self._monotonic()
        self._absent = {due: self._absent.get(due, now) for due in gone}
        for due, since in self._absent.items():
            wait = self._absent_seconds if due.item is not None else UNKNOWN_ABSENT_SECONDS
            if now - since < wait or self._cases.concerns(due.name_sha256):
                continue
            if self._stands(due) or not self._roll.is_due(due):
                continue
            self._tell_missing(due)

    def _stands(self, due: Due) -> bool:
        """Whether it is there after all: what the service lists lags behind what it knows of one item."""
        found = None if due.item is None else self._release.item(due.item)
        if found is None or found.deleted:
            return False
        return found.parent_id == self._release.folder and found.name == due.name.text

    def _tell_missing(self, due: Due) -> None:
        if due.leaving:
            self._roll.drop(due.name_sha256)
            return
        name = self._aside_name(due.name_sha256)
        if self._cases.add(Case(report=_missing(name), name=name, item=None)):
            self._roll.awaits_restoring(due.name_sha256)

    def _aside_name(self, name_sha256: Sha256) -> AsideName:
        milliseconds = (self._clock.now() - _EPOCH) // timedelta(milliseconds=1)
        return AsideName(max(milliseconds, 0), self._entropy(8).hex(), name_sha256)


def _missing(name: AsideName) -> Report:
    seen_at = _EPOCH + timedelta(milliseconds=name.milliseconds)
    presence = Presence(name_sha256=name.name_sha256, kind=Kind.FILE, size=0, sha256=None, seen_at=seen_at)
    return Report(id=name.report, what=What.MISSING, presence=presence)


_REFUSALS = range(400, 500)
_TO_WAIT = frozenset({401, 408, 429})


def _is_refusal(fault: GraphFault) -> bool:
    """Whether the service said no to this deed, rather than that it cannot be reached or wants patience."""
    return fault.status in _REFUSALS and fault.status not in _TO_WAIT

"""The gateway's own verification of its log, once a day, and the entry about a verification that failed.

What enters: an opened workspace. What leaves: a mark of when everything verified last, or the entry `verify.failed` and
Tampered, which raises the alarm: nothing is released over records that do not agree. It runs beside the line and rests
four times as long as it works, reads the database a little at a time, and needs no more memory for a longer log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from transfer.audit.checkpoint import open_checkpoint
from transfer.audit.notes import Ed25519Verifier, Verifier
from transfer.audit.reader_folder import FolderReader
from transfer.audit.signing import check_row_root
from transfer.auditing import audit_site
from transfer.errors import NotSo, Tampered, TransferError
from transfer.model.events import Event, EventName, Json
from transfer.store import journal
from transfer.store.verified import Verified, set_verified, verified_last
from transfer.wiring import Site

_REST = 4.0  # for each second of work
_LONGEST_REST = 1.0
_GRACE = 60.0  # seconds after a start, in which there is enough to do

_ENTRY = re.compile(r"[Ee]ntr(?:y|ies) ([0-9]{1,15})\b")
_TILE = re.compile(r"\btile/(?:entries|[0-9]{1,2})/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?")
# The first that fits, most telling first. What a sentence quotes of names of files never goes into the entry.
_KINDS: Sequence[tuple[str, re.Pattern[str]]] = (
    ("rolled-back", re.compile(r"rolled back|has signed only|older than")),
    ("fork", re.compile(r"[Tt]wo different roots|signed before")),
    ("approval", re.compile(r"approv|statement|enrol|covered", re.IGNORECASE)),
    ("surplus", re.compile(r"has no place|does not exist|more entries than|tells of an entry")),
    ("missing", re.compile(r"missing|lacks|[Oo]nly [0-9]+ of|no checkpoint")),
    ("key", re.compile(r"log\.vkey|verifier key|not one of this gateway")),
    ("index", re.compile(r"\bindex\b")),
    ("opening", re.compile(r"name or text|commits to")),
    ("changed", re.compile(r"")),
)


class _Stopped(Exception):
    """The gateway ends; so does the verification."""


@dataclass(kw_only=True)
class SelfCheck:
    """`round` is called by one thread of the running gateway, and answers in how many seconds it wants to be again."""

    site: Site
    verifier: Ed25519Verifier
    wait: Callable[[float], bool]  # waits, and answers whether the gateway is to stop
    monotonic: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None, init=False)
    _grace: float = field(default=_GRACE, init=False)
    _worked: float = field(default=0.0, init=False)

    def round(self) -> float:
        """Verifies everything if it is time. Raises Tampered (entered before), Unavailable."""
        period = timedelta(hours=self.site.settings.log.verify_hours)
        if not period:
            return _GRACE
        due = self._due_in(period)
        if due > 0:
            return min(due, _GRACE)
        self._since = self.monotonic()
        try:
            self._verify()
        except _Stopped:
            return 0.0
        except NotSo:  # nothing has been published yet
            return _GRACE
        except Tampered as error:
            record_failure(self.site, [self.verifier], error, found_by="gateway")
            raise
        return min(period.total_seconds(), _GRACE)

    def _due_in(self, period: timedelta) -> float:
        now = self.monotonic()
        if self._since is None:
            self._since = now
            self._grace = min(_GRACE, period.total_seconds() / 10)
        with self.site.db.read() as tx:
            last = verified_last(tx)
        rest = period if last is None else last.at + period - self.site.clock.now()
        # A clock that was set back must not put it off for years.
        due = min(rest, period).total_seconds() if last is not None else 0.0
        return max(due, self._since + self._grace - now)

    def _verify(self) -> None:
        self._worked = self.monotonic()
        audit = audit_site(self.site, [self.verifier], pace=self._pace)
        entries = audit.folder.size if audit.database is None else audit.database.size
        with self.site.db.write() as tx:
            set_verified(tx, Verified(at=self.site.clock.now(), entries=entries))

    def _pace(self) -> None:
        worked = self.monotonic() - self._worked
        if self.wait(min(worked * _REST, _LONGEST_REST)):
            raise _Stopped
        self._worked = self.monotonic()


def record_failure(site: Site, verifiers: Sequence[Verifier], error: Tampered, *, found_by: str) -> str | None:
    """Enters that a verification failed; None, or why the log cannot take that entry.

    An entry on top of a database that was rolled back would be a second story about entries that were published:
    it is written only where the database still continues what the folder shows.
    """
    facts: dict[str, Json] = {"kind": kind_of(error), "place": place_of(error), "found_by": found_by}
    found = _ENTRY.search(error.sentence)
    if found is not None:
        facts["entry"] = int(found[1])
    try:
        note = FolderReader(site.workspace.log).checkpoint()
        shown = open_checkpoint(note, verifiers).checkpoint if note is not None else None
        with site.db.write() as tx:
            head = journal.head(tx)
            if (shown is None and head.published) or (shown is not None and shown.size > head.signed_size):
                return "The database does not continue what the log's folder shows, as far as that can be read."
            if shown is not None:
                check_row_root(tx, shown.size, shown.root)
            event = Event(name=EventName.VERIFY_FAILED, facts=facts, private={"sentence": error.sentence})
            site.log.append(tx, event)
    except TransferError as why:
        return why.sentence
    return None


def kind_of(error: TransferError) -> str:
    """One word for what does not fit: rolled-back, fork, approval, surplus, missing, key, index, opening, changed."""
    return next(kind for kind, pattern in _KINDS if pattern.search(error.sentence))


def place_of(error: TransferError) -> str:
    """Where: a tile by its path in the log's folder, «database», or «folder»."""
    tile = _TILE.search(error.sentence)
    if tile is not None:
        return tile[0]
    return "database" if "database" in error.sentence.casefold() else "folder"

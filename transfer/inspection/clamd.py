"""ClamAV's clamd as a scanner: believed only as far as it was asked, is current, and finds a test signature.

What enters: content of a known size. What leaves: one of the four answers, never an exception. clamd is trusted to
say FOUND; its OK counts only for content it can have seen in full (its limits let the rest pass unseen, so they are
found by trying), and only from a clamd that has found the EICAR test file with the signatures it has now (G9).
"""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

from transfer.inspection.clamd_reach import Bait, reach
from transfer.inspection.clamd_talk import Address, Silent, instream, version
from transfer.inspection.noticed import printable
from transfer.inspection.scan import SelfTest, eicar
from transfer.model.clock import Clock, render_time
from transfer.model.findings import ScanAnswer, ScanResult

# clamd looks at no more than its StreamMaxLength, MaxFileSize and MaxScanSize (100, 100 and 400 MB by default), and
# never at more than 2 GB less one byte; the limit given here should be the smallest of them.
DEFAULT_LIMIT = 100_000_000
HARD_LIMIT = 2**31 - 2
_WORD_SECONDS = 10.0  # for its version, and for the 68 bytes of the test file
_LEAST_SECONDS = 60.0  # for any content, besides what its size takes
_BYTES_A_SECOND = 1_000_000
_BAIT_SECONDS, _BAIT_BYTES_A_SECOND = 20.0, 5_000_000  # zeros are looked through at a hundred times this
_PROVEN_FOR = timedelta(hours=1)
_AHEAD = timedelta(days=2)  # it dates its signatures in its own time zone

_VERSION = re.compile(r"(ClamAV [\w.+~-]{1,32})(?:/(\d{1,9})/(\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})))?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# With AlertExceedsMax and the like clamd says FOUND about what it could not look into.
_TOO_LONG = "size limit exceeded"  # its last words over a stream longer than StreamMaxLength
_NOT_LOOKED_INTO = ("Heuristics.Limits.Exceeded", "Heuristics.Encrypted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """What VERSION says: the program, and the number and date of its signatures where it has official ones."""

    program: str
    number: int | None = None
    made_at: datetime | None = None

    def __str__(self) -> str:
        if self.number is None or self.made_at is None:
            return self.program
        return f"{self.program}, signatures {self.number} of {render_time(self.made_at)}"


def parse_version(untrusted: str) -> Signatures:
    """`ClamAV 1.4.3/27817/Sat Nov 15 09:39:33 2025` or `ClamAV 1.4.3`, taken as UTC. Raises ValueError."""
    match = _VERSION.fullmatch(untrusted)
    if match is None:
        raise ValueError("clamd's version is not spelled as ClamAV spells it")
    program, number, _, month, day, hour, minute, second, year = match.groups()
    if number is None:
        return Signatures(program=program)
    made_at = datetime(
        int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
    )  # ValueError for a month or day that does not exist
    return Signatures(program=program, number=int(number), made_at=made_at)


class ClamdScanner:
    """A scanner that asks clamd over a socket. Safe to be shared by threads.

    `timeout` is in seconds and bounds each question; small content gets less. `size_limit` is in bytes, and what clamd
    does not look into is UNSCANNABLE even below it. With `max_age` older signatures, and
    ones of unknown age, count as no scanner.
    """

    name = "clamd"

    def __init__(
        self,
        *,
        address: Address,
        clock: Clock,
        timeout: float = 60.0,
        size_limit: int = DEFAULT_LIMIT,
        max_age: timedelta | None = None,
    ) -> None:
        self._address = address
        self._clock = clock
        self._timeout = timeout
        self._size_limit = min(size_limit, HARD_LIMIT)
        self._max_age = max_age
        self._lock = threading.Lock()
        self._proven = ""  # the version that last found the test file
        self._proven_at = clock.now()
        self._reach: int | None = None  # how large a file it then looked into; None: that could not be tried

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        """The answer about exactly `size` bytes of the content. Never raises but for an unreadable content."""
        try:
            signatures = self._signatures()
            if size > self._size_limit:
                return self._result(ScanAnswer.UNSCANNABLE, signatures)
            within = self._prove(signatures)
            if within is not None and size > within:
                return self._result(ScanAnswer.UNSCANNABLE, signatures)
            seconds = min(self._timeout, _LEAST_SECONDS + size / _BYTES_A_SECOND)
            status, words = instream(self._address, content, size, timeout=seconds)
        except Silent as silent:
            too_long = _TOO_LONG in silent.last_words
            if not too_long:
                self._forget()  # it may come back as another
            answer = ScanAnswer.UNSCANNABLE if too_long else ScanAnswer.UNAVAILABLE
            return self._result(answer)
        return self._judged(status, words, signatures)

    def self_test(self) -> SelfTest:
        """Asks for its version, has it look at the EICAR test file, and looks at its signatures' age. Never raises."""
        try:
            signatures = self._signatures()
            within = self._prove(signatures, anew=True)
        except Silent as silent:
            return SelfTest(
                passed=False,
                scanner=self.name,
                signatures="",
                sentence=f"The malware scanner at {self._address} cannot be relied on: {printable(str(silent))}.",
                advice="See that clamd runs, that this account may use its socket, and that it has signatures.",
            )
        problem = self._age_problem(signatures)
        limits, how = _told_reach(within, self._size_limit)
        return SelfTest(
            passed=not problem,
            scanner=self.name,
            signatures=str(signatures),
            sentence=problem or f"The malware scanner answers and finds the test file{limits}.",
            advice="See that freshclam runs and reaches its mirror." if problem else how,
        )

    def tend(self) -> bool:
        """Never: that it has other signatures is seen when it is asked, and an answer counts while it is young."""
        return False

    def outdated(self, earlier: ScanResult) -> bool:
        """Whether it answered longer ago than its signatures may be old: it would not be believed today."""
        if self._max_age is None:
            return False
        return earlier.at is None or self._clock.now() - earlier.at > self._max_age

    def close(self) -> None:
        """Nothing is held open."""

    def _judged(self, status: str, words: str, signatures: Signatures) -> ScanResult:
        if _is_found(status, words):
            return self._result(ScanAnswer.INFECTED, signatures, threat=words)
        if status == "FOUND":
            return self._result(ScanAnswer.UNSCANNABLE, signatures)
        if status != "OK" or words or self._age_problem(signatures):
            return self._result(ScanAnswer.UNAVAILABLE, signatures)
        return self._result(ScanAnswer.CLEAN, signatures)

    def _result(self, answer: ScanAnswer, signatures: Signatures | str = "", threat: str = "") -> ScanResult:
        return ScanResult(
            answer=answer,
            scanner=self.name,
            signatures=str(signatures),
            threat=printable(threat),
            at=self._clock.now(),
        )

    def _signatures(self) -> Signatures:
        answer = version(self._address, timeout=min(self._timeout, _WORD_SECONDS))
        try:
            return parse_version(answer)
        except ValueError as error:
            raise Silent(str(error)) from error

    def _forget(self) -> None:
        with self._lock:
            self._proven = ""

    def _prove(self, signatures: Signatures, *, anew: bool = False) -> int | None:
        """Once for each set of signatures, and hourly: does it find what it must, and in a file of what size?

        With `anew` the first is asked in any case. Raises Silent.
        """
        with self._lock:
            known = self._proven == str(signatures) and self._clock.now() - self._proven_at < _PROVEN_FOR
            if known and not anew:
                return self._reach
            self._proven = ""
            test = eicar()
            wait = min(self._timeout, _WORD_SECONDS)
            if not _is_found(*instream(self._address, io.BytesIO(test), len(test), timeout=wait)):
                raise Silent("it does not find the EICAR test file")
            if not known:
                self._reach = reach(self._finds_bait, limit=self._size_limit)
                self._proven_at = self._clock.now()
            self._proven = str(signatures)
            return self._reach

    def _finds_bait(self, size: int) -> bool:
        bait = cast("BinaryIO", Bait(size))  # it is only ever read
        seconds = min(self._timeout, _BAIT_SECONDS + size / _BAIT_BYTES_A_SECOND)
        try:
            return _is_found(*instream(self._address, bait, size, timeout=seconds))
        except Silent as silent:
            if _TOO_LONG in silent.last_words:
                return False
            raise

    def _age_problem(self, signatures: Signatures) -> str:
        if self._max_age is None:
            return ""
        if signatures.made_at is None:
            return "The malware scanner does not say how old its signatures are."
        age = self._clock.now() - signatures.made_at
        if age < -_AHEAD:
            return "The malware scanner's signatures are from the future, so their age cannot be told."
        if age > self._max_age:
            return f"The malware scanner's signatures are {age.days} days old; {self._max_age.days} are allowed."
        return ""


def _is_found(status: str, words: str) -> bool:
    return status == "FOUND" and not words.startswith(_NOT_LOOKED_INTO)


def _told_reach(within: int | None, limit: int) -> tuple[str, str]:
    """The end of a sentence on how large a file clamd looks into, and what to do if that is not what was set."""
    if within is None:
        advice = "Compare max_bytes under [scanner] in transfer.toml with the limits in clamd.conf yourself."
        return "; how large a file it looks into could not be tried", advice
    if within < limit:
        advice = (
            "Raise StreamMaxLength, MaxFileSize and MaxScanSize in clamd.conf, or lower max_bytes in transfer.toml."
        )
        return f", but looks only into files of up to about {within:,} bytes, not {limit:,}: larger are refused", advice
    return f", in files of up to {within:,} bytes", ""

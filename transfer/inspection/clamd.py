"""ClamAV's clamd as a scanner: believed only as far as it was asked, is current, and finds a test signature.

What enters: content of a known size. What leaves: one of the four answers, never an exception. clamd is trusted to
say FOUND; its OK counts only for content it can have seen in full (its limits let the rest pass unseen), and only
from a clamd that has found the EICAR test file with the signatures it has now (G9).
"""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from transfer.inspection.clamd_talk import Address, Silent, instream, version
from transfer.inspection.noticed import printable
from transfer.inspection.scan import SelfTest, eicar
from transfer.model.clock import Clock, render_time
from transfer.model.findings import ScanAnswer, ScanResult

# clamd looks at no more than its StreamMaxLength, MaxFileSize and MaxScanSize (100, 100 and 400 MB by default), and
# never at more than 2 GB less one byte; the limit given here has to be the smallest of them.
DEFAULT_LIMIT = 100_000_000
HARD_LIMIT = 2**31 - 2

_VERSION = re.compile(r"(ClamAV [\w.+~-]{1,32})(?:/(\d{1,9})/(\w{3} (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})))?")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# With AlertExceedsMax and the like clamd says FOUND about what it could not look into.
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

    `timeout` is in seconds and holds for each wait; `size_limit` is in bytes; with `max_age` older signatures, and
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

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        """The answer about exactly `size` bytes of the content. Never raises but for an unreadable content."""
        try:
            signatures = self._signatures()
            if size > self._size_limit:
                return self._result(ScanAnswer.UNSCANNABLE, signatures)
            self._prove(signatures)
            status, words = instream(self._address, content, size, timeout=self._timeout)
        except Silent as silent:
            too_long = "size limit exceeded" in silent.last_words
            answer = ScanAnswer.UNSCANNABLE if too_long else ScanAnswer.UNAVAILABLE
            return self._result(answer)
        return self._judged(status, words, signatures)

    def self_test(self) -> SelfTest:
        """Asks for its version, has it look at the EICAR test file, and looks at its signatures' age. Never raises."""
        try:
            signatures = self._signatures()
            with self._lock:
                self._proven = ""
            self._prove(signatures)
        except Silent as silent:
            return SelfTest(
                passed=False,
                scanner=self.name,
                signatures="",
                sentence=f"The malware scanner at {self._address} cannot be relied on: {printable(str(silent))}.",
                advice="See that clamd runs, that this account may use its socket, and that it has signatures.",
            )
        problem = self._age_problem(signatures)
        return SelfTest(
            passed=not problem,
            scanner=self.name,
            signatures=str(signatures),
            sentence=problem or "The malware scanner answers and finds the test file.",
            advice="See that freshclam runs and reaches its mirror." if problem else "",
        )

    def tend(self) -> bool:
        """Never: that its signatures are others is seen when it is asked, and an answer counts as long as it is young."""
        return False

    def outdated(self, earlier: ScanResult) -> bool:
        """Whether it answered longer ago than its signatures may be old: it would not be believed today."""
        if self._max_age is None:
            return False
        return earlier.at is None or self._clock.now() - earlier.at > self._max_age

    def close(self) -> None:
        """Nothing is held open."""

    def _judged(self, status: str, words: str, signatures: Signatures) -> ScanResult:
        if status == "FOUND" and not words.startswith(_NOT_LOOKED_INTO):
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
        answer = version(self._address, timeout=self._timeout)
        try:
            return parse_version(answer)
        except ValueError as error:
            raise Silent(str(error)) from error

    def _prove(self, signatures: Signatures) -> None:
        """Once for each set of signatures: does it find what every scanner must? Raises Silent."""
        with self._lock:
            if self._proven == str(signatures):
                return
            test = eicar()
            status, _ = instream(self._address, io.BytesIO(test), len(test), timeout=self._timeout)
            if status != "FOUND":
                raise Silent("it does not find the EICAR test file")
            self._proven = str(signatures)

    def _age_problem(self, signatures: Signatures) -> str:
        if self._max_age is None:
            return ""
        if signatures.made_at is None:
            return "The malware scanner does not say how old its signatures are."
        age = self._clock.now() - signatures.made_at
        if age > self._max_age:
            return f"The malware scanner's signatures are {age.days} days old; {self._max_age.days} are allowed."
        return ""

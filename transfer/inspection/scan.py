"""What a malware scanner is to us, and the one that stands for having none.

What enters: content and its size. What leaves: one of four answers, never an exception: only CLEAN passes, and a
scanner that cannot be asked, cannot be believed or was not asked about every byte has not said CLEAN (G9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Protocol

from transfer.model.findings import ScanAnswer, ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Whether the scanner answers, finds the test signature and is current enough; a sentence says which fails."""

    passed: bool
    scanner: str
    signatures: str
    sentence: str
    advice: str = ""


class Scanner(Protocol):
    """A malware scanner."""

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        """The answer about exactly `size` bytes, read from the content's position on. Never raises."""
        ...

    def self_test(self) -> SelfTest:
        """Ask about harmless and about known content. Never raises."""
        ...


class NoScanner:
    """No scanner is set up: every answer is UNAVAILABLE, and the policy says what follows."""

    def scan(self, content: BinaryIO, size: int) -> ScanResult:  # noqa: ARG002 - the protocol's arguments
        """UNAVAILABLE."""
        return ScanResult(answer=ScanAnswer.UNAVAILABLE, scanner="none")

    def self_test(self) -> SelfTest:
        """Not passed."""
        return SelfTest(
            passed=False,
            scanner="none",
            signatures="",
            sentence="No malware scanner is set up.",
            advice="Install ClamAV's clamd and name its socket under [scanner] in transfer.toml.",
        )

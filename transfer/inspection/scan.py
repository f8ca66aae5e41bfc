"""What a malware scanner is to us, all those of a gateway together, and the one that stands for having none.

What enters: content and its size. What leaves: one of four answers of each, never an exception: only CLEAN passes, and
a scanner that cannot be asked, cannot be believed or was not asked about every byte has not said CLEAN (G9).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self

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
    """A malware scanner. `name` is the one in its answers."""

    @property
    def name(self) -> str:
        """A word."""
        ...

    def scan(self, content: BinaryIO, size: int) -> ScanResult:
        """The answer about exactly `size` bytes, read from the content's position on. Never raises."""
        ...

    def self_test(self) -> SelfTest:
        """Ask about harmless and about known content. Never raises."""
        ...

    def tend(self) -> bool:
        """Whether other signatures than a moment ago look from now on; called every few seconds. Never raises."""
        ...

    def outdated(self, earlier: ScanResult) -> bool:
        """Whether this earlier answer of its own, other than UNAVAILABLE, counts no more. Never raises."""
        ...

    def close(self) -> None:
        """It will not be asked again."""
        ...


class Scanners:
    """All malware scanners of a gateway, at least one: a file has to be CLEAN for each. Threads may share it."""

    def __init__(self, first: Scanner, *others: Scanner) -> None:
        self._all = (first, *others)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def scan(self, content: BinaryIO, size: int) -> tuple[ScanResult, ...]:
        """Each scanner's answer about exactly `size` bytes from the content's position on. Never raises.

        Where one says INFECTED, those behind it are not asked.
        """
        answers: list[ScanResult] = []
        begin = content.tell()
        for scanner in self._all:
            content.seek(begin)
            answers.append(scanner.scan(content, size))
            if answers[-1].answer is ScanAnswer.INFECTED:
                break
        return tuple(answers)

    def self_tests(self) -> tuple[SelfTest, ...]:
        """Each scanner's. Never raises."""
        return tuple(scanner.self_test() for scanner in self._all)

    def tend(self) -> bool:
        """Whether other signatures of any look from now on. Never raises."""
        changed = [scanner.tend() for scanner in self._all]
        return any(changed)

    def outdated(self, earlier: tuple[ScanResult, ...]) -> bool:
        """Whether a file with these answers has to be looked at again: one is missing, or counts no more."""
        by_name = {result.scanner: result for result in earlier}
        for scanner in self._all:
            result = by_name.get(scanner.name)
            missing = result is None or result.answer is ScanAnswer.UNAVAILABLE
            if missing or (result is not None and scanner.outdated(result)):
                return True
        return False

    def close(self) -> None:
        """They will not be asked again."""
        for scanner in self._all:
            scanner.close()


class NoScanner:
    """No scanner is set up: every answer is UNAVAILABLE, and the policy says what follows."""

    name = "none"

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

    def tend(self) -> bool:
        """Never."""
        return False

    def outdated(self, earlier: ScanResult) -> bool:  # noqa: ARG002 - the protocol's argument
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to do."""


def eicar() -> bytes:
    """The EICAR test file (68 bytes, harmless), put together here so that no scanner takes this module for one."""
    half = base64.b64decode("WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JA==")
    return half + b"-".join((b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"))

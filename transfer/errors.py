"""Every error a user can meet, split by who must act.

    TransferError
    ├── Refusal       the file is at fault: it carries its finding and clauses, and is never retried
    ├── Unavailable   the world is at fault (disk full, scanner down, another gateway): retried, the item stays put
    ├── Tampered      our own records do not agree: that station stops, an alarm is raised
    ├── Misuse        the operator's command, settings or policy are at fault
    └── NotSo         the honest answer to a question is no (not found, not verified, not approvable)

Anything else that escapes a station is a defect and fails closed. The command line turns each class into an exit code
(DESIGN section 6): NotSo and Refusal 1 · Misuse 2 · Unavailable 3 · Tampered 4.
"""

from __future__ import annotations

from typing import ClassVar


class TransferError(Exception):
    """Something went wrong.

    `sentence` says what is wrong, `advice` what to do next; both are shown to people and hold no secrets.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, sentence: str, *, advice: str = "", clauses: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
        self.clauses = clauses

    def __str__(self) -> str:
        cited = f" [{', '.join(self.clauses)}]" if self.clauses else ""
        return f"{self.sentence}{cited} {self.advice}".rstrip()


class Refusal(TransferError):
    """This file may not pass."""

    exit_code = 1

    def __init__(self, sentence: str, *, code: str, advice: str = "", clauses: tuple[str, ...] = ()) -> None:
        super().__init__(sentence, advice=advice, clauses=clauses)
        self.code = code


class Unavailable(TransferError):
    """Something this step needs is not available now; nothing was lost and it will be tried again."""

    exit_code = 3


class Tampered(TransferError):
    """The records do not agree with each other; somebody or something changed them."""

    exit_code = 4


class Misuse(TransferError):
    """The command, the settings or the policy cannot be carried out as they stand."""

    exit_code = 2


class NotSo(TransferError):
    """The answer is no."""

    exit_code = 1

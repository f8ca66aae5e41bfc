"""What a check says. Pure.

What enters: what was tried. What leaves: one `Check` for each thing, and the exit code of all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from transfer.errors import Tampered, TransferError, Unavailable


class Standing(StrEnum):
    """How one thing stands; a note is no fault."""

    OK = "ok"
    NOTE = "note"
    UNAVAILABLE = "unavailable"
    MISCONFIGURED = "misconfigured"
    TAMPERED = "tampered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was tried: what was found, and what to do about it."""

    name: str
    standing: Standing
    sentence: str
    advice: str = ""


_ADVICE = {
    Standing.TAMPERED: "Stop the gateway, keep a copy of the workspace as it is, and find out who changed what "
    "(docs/operating.md, «In an incident»).",
    Standing.MISCONFIGURED: "Correct it in transfer.toml or policy.toml, or undo the last change.",
    Standing.UNAVAILABLE: "Try again; nothing is lost meanwhile.",
}


def exit_code(checks: Iterable[Check]) -> int:
    """0 where nothing is at fault; else that of the gravest fault: 4 tampering, 2 settings, 3 unavailable."""
    found = {check.standing for check in checks}
    for standing, code in ((Standing.TAMPERED, 4), (Standing.MISCONFIGURED, 2), (Standing.UNAVAILABLE, 3)):
        if standing in found:
            return code
    return 0


def fault(name: str, error: TransferError) -> Check:
    """What an error says, as a check."""
    standing = Standing.MISCONFIGURED
    if isinstance(error, Tampered):
        standing = Standing.TAMPERED
    elif isinstance(error, Unavailable):
        standing = Standing.UNAVAILABLE
    return Check(name=name, standing=standing, sentence=error.sentence, advice=error.advice or _ADVICE[standing])

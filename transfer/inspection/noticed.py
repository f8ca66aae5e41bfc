"""How inspection words what it notices: findings whose details can be shown and logged, whatever the file says.

What enters: strings out of untrusted files. What leaves: numbers and short printable ASCII only.
"""

from __future__ import annotations

from transfer.errors import Refusal
from transfer.model.findings import Code, Finding

MAX_DETAIL = 80  # characters of one detail


def printable(untrusted: str, *, limit: int = MAX_DETAIL) -> str:
    """The string with everything but printable ASCII replaced by `?`, cut to `limit` characters."""
    cut = untrusted[:limit]
    return "".join(character if " " <= character <= "~" else "?" for character in cut)


def noticed(code: Code, **detail: str | int) -> Finding:
    """A finding with details fit to be shown."""
    return Finding(
        code=code,
        detail={key: printable(value) if isinstance(value, str) else value for key, value in detail.items()},
    )


class Unfit(Refusal):
    """This file cannot be taken any further by inspection.

    Raised by sniffing and decoding, caught by `probe`, which answers with `findings` and without facts. `also` are
    findings that were made before.
    """

    def __init__(self, code: Code, also: tuple[Finding, ...] = (), **detail: str | int) -> None:
        super().__init__(f"The file could not be examined ({code}).", code=code)
        self.finding = noticed(code, **detail)
        self.findings = (self.finding, *also)

"""What Microsoft Graph answered instead of what was asked for, as errors of ours.

    GraphFault            an Unavailable: the item stays put and is tried again
    ├── Gone              410: the link is too old; `location` and `code` say how to go on
    ├── NotThere          404
    ├── Conflict          409: the name is taken
    ├── Changed           412: not the version that was meant
    ├── RangeWrong        416: not the part that comes next
    ├── NoRoom            507
    ├── Denied            401, 403: the right is missing, or the sign-in
    ├── MalwareBlocked    403: the service itself found malware
    ├── Unreached         no answer came, or it broke off
    ├── Unreadable        an answer that is not what the protocol says
    └── NotListed         a request of ours that this client may not make; nothing was sent

What enters: status, headers and body of an answer, none of them trusted. What leaves: the error to raise. A sentence
names the request by its verb and the answer by its number and code; it holds no names, addresses or tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from transfer.errors import Unavailable

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_DEEPEST = 8  # inner errors inside each other
_LONGEST_PAUSE = 86_400.0  # seconds; a Retry-After beyond a day is read as a day


class GraphFault(Unavailable):
    """The service did not do what was asked.

    `status` is 0 where no answer came; `code` is the service's own word, empty where it gave none; `retry_after` are
    seconds; `location` is where to go on instead.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int = 0,
        code: str = "",
        retry_after: float | None = None,
        location: str | None = None,
        advice: str = "",
        clauses: tuple[str, ...] = (),
    ) -> None:
        super().__init__(sentence, advice=advice, clauses=clauses)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.location = location


class Gone(GraphFault):
    """The link that was followed is too old: everything has to be listed again, from `location` if there is one."""


class NotThere(GraphFault):
    """There is no such item, or not yet."""


class Conflict(GraphFault):
    """Something of that name is there already."""


class Changed(GraphFault):
    """The item is no longer the version that was meant."""


class RangeWrong(GraphFault):
    """The service expects another part of the file; ask it which."""


class NoRoom(GraphFault):
    """The drive is full."""


class Denied(GraphFault):
    """The sign-in failed or lacks the right."""


class MalwareBlocked(GraphFault):
    """The service found malware in the item and does not hand it out."""


class Unreached(GraphFault):
    """No answer came, or it broke off before its end."""


class Unreadable(GraphFault):
    """The answer is not what the protocol says."""


class NotListed(GraphFault):
    """A request that this client may not make; nothing was sent."""


_BY_STATUS: dict[int, type[GraphFault]] = {
    401: Denied,
    403: Denied,
    404: NotThere,
    409: Conflict,
    410: Gone,
    412: Changed,
    416: RangeWrong,
    507: NoRoom,
}
_ADVICE: dict[type[GraphFault], str] = {
    Denied: "`transfer doctor` tries each right of this identity; docs/onedrive.md says which it needs.",
    NoRoom: "Make room in the drive; nothing was lost and it will be tried again.",
    MalwareBlocked: "Nothing was downloaded. Tell the person who put it there and your security contact.",
}
_CLAUSES: dict[type[GraphFault], tuple[str, ...]] = {MalwareBlocked: ("G9",)}
_MALWARE = {"malwaredetected", "virusinfected"}


def fault_of(doing: str, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> GraphFault:
    """The error for an answer that is not the one hoped for; `doing` is the verb's name. Never fails itself.

    `headers` are looked up in lower case. Status 429, 5xx and everything without a class of its own become a plain
    GraphFault.
    """
    codes = error_codes(body)
    kind = _BY_STATUS.get(status, GraphFault)
    if any(code.lower() in _MALWARE for code in codes):
        kind = MalwareBlocked
    said = f" ({', '.join(codes)})" if codes else ""
    return kind(
        f"OneDrive answered {status}{said} to `{doing}`.",
        status=status,
        code=codes[-1] if codes else "",
        retry_after=retry_after(headers, now),
        location=headers.get("location"),
        advice=_ADVICE.get(kind, ""),
        clauses=_CLAUSES.get(kind, ()),
    )


def error_codes(body: bytes) -> tuple[str, ...]:
    """The service's codes in an error body, the outermost first; none where the body is something else."""
    try:
        inner = json.loads(body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return ()
    found: list[str] = []
    for _ in range(_DEEPEST):
        if not isinstance(inner, dict):
            break
        code = inner.get("code")
        if isinstance(code, str) and _CODE.fullmatch(code) and code not in found:
            found.append(code)
        inner = inner.get("innerError", inner.get("innererror"))
    return tuple(found)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds of a `Retry-After` header, which is a number or a date; None where it is neither."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
        return min(float(text), _LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), 0.0), _LONGEST_PAUSE)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

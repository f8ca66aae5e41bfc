"""Time as the product writes it: UTC, RFC 3339, milliseconds. The clock itself is handed in, never reached for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The present instant, with UTC as its time zone."""
        ...


def render_time(moment: datetime) -> str:
    """`2026-01-01T00:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """The inverse of `render_time`; raises ValueError for any other spelling."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("a time is written 2026-01-01T00:00:00.000Z")
    return datetime.fromisoformat(text)

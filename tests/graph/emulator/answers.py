"""What the emulator answers: a status, headers, and either bytes or part of a file; and errors in Graph's shape."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_CODES = {
    400: "invalidRequest",
    401: "unauthenticated",
    403: "accessDenied",
    404: "itemNotFound",
    405: "methodNotAllowed",
    409: "nameAlreadyExists",
    410: "resyncRequired",
    412: "resourceModified",
    413: "requestTooLarge",
    416: "invalidRange",
    429: "activityLimitReached",
    500: "generalException",
    501: "notSupported",
    503: "serviceNotAvailable",
    504: "timeout",
    507: "quotaLimitReached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """Bytes [start, stop) of a file, for whom and of which drive they are counted."""

    path: Path
    start: int
    stop: int
    token: str
    drive: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `file` instead of `body` for content."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    file: FilePart | None = None


class Problem(Exception):
    """An answer that is an error: `status`, Graph's `code`, a message, and headers."""

    def __init__(self, status: int, message: str, *, code: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message = status, message
        self.code = code or _CODES.get(status, "generalException")
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """In the shape that Graph gives its errors."""
        inner = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", "request-id": str(uuid.uuid4())}
        document = {"error": {"code": self.code, "message": self.message, "innerError": inner}}
        return json_answer(document, status=self.status, headers=self.headers)


def json_answer(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON document as an answer."""
    return Answer(
        status=status,
        body=json.dumps(document, ensure_ascii=False).encode(),
        headers={
            "Content-Type": "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;"
            "charset=utf-8",
            **(headers or {}),
        },
    )

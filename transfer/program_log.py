"""The program's own log, on standard error: what an operator wants to know, never a traceback unless asked for.

The transfer log (`audit`) is something else: this one may be lost.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog


def configure() -> None:
    """One line an event: time, level, words, facts. With TRANSFER_DEBUG set also tracebacks."""
    debug = bool(os.environ.get("TRANSFER_DEBUG"))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if debug else _where,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        logger_factory=structlog.PrintLoggerFactory(_Spoken()),
        cache_logger_on_first_use=True,
    )


class _Spoken(io.StringIO):
    """Standard error, for as long as somebody listens: a log that cannot be written stops nothing."""

    def write(self, text: str, /) -> int:
        """Drops what nobody hears."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
        return len(text)


def _where(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """In place of a traceback the file and line of the fault: enough to report it."""
    if event.pop("exc_info", None):
        trace = sys.exc_info()[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            event["where"] = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    return event

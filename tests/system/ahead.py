"""`python -m tests.system.ahead …`: the program, its clock ahead by the seconds in TESTS_CLOCK_AHEAD.

It is the real `transfer` with the arguments that follow, and so are the processes that its supervisor starts: only what
they take for the present is later, all by the same amount, and it goes on as time does. TESTS_HOUR_OF_UPKEEP is how
many seconds the upkeep waits before it looks again for shards that are old enough to be pruned.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import transfer.supervisor
import transfer.upkeep
from transfer.cli.main import main
from transfer.wiring import SystemClock

VARIABLE, HOUR = "TESTS_CLOCK_AHEAD", "TESTS_HOUR_OF_UPKEEP"


def _ahead(make: Callable[..., Any]) -> Callable[..., Any]:
    """A supervisor whose processes are started by this module too."""

    def made(*, gateway: list[str], guard: list[str], **rest: Any) -> Any:
        commands = [[word if word != "transfer" else __spec__.name for word in each] for each in (gateway, guard)]
        return make(gateway=commands[0], guard=commands[1], **rest)

    return made


if __name__ == "__main__":
    ahead = timedelta(seconds=float(os.environ[VARIABLE]))
    SystemClock.now = lambda _self: datetime.now(UTC) + ahead  # type: ignore[method-assign]
    transfer.upkeep._SHARDS_SECONDS = float(os.environ[HOUR])
    transfer.supervisor.Supervisor = _ahead(transfer.supervisor.Supervisor)  # type: ignore[assignment,misc]
    sys.argv = ["transfer", *sys.argv[1:]]
    main()

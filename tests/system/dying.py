"""`python -m tests.system.dying MODULE.NAME before|after COUNT -- …`: the program, killed at a named point.

It is the real `transfer`, with the arguments after `--`; the named function kills the process at its COUNTth call, with
a signal that nothing can catch. A gateway started so believes that its log's year is over.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable

import transfer.rotation
from transfer.cli.main import main


def arm(point: str, when: str, count: int) -> None:
    """Wraps the function, or the method of a class, that `point` names."""
    module, *names = point.split(":")
    holder: object = importlib.import_module(module)
    for name in names[:-1]:
        holder = getattr(holder, name)
    call: Callable[..., object] = getattr(holder, names[-1])
    left = count

    def dying(*given: object, **named: object) -> object:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*given, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, names[-1], dying)


if __name__ == "__main__":
    at = sys.argv.index("--")
    if at > 1:
        arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    transfer.rotation.is_due = lambda _site: True
    sys.argv = ["transfer", *sys.argv[at + 1 :]]
    main()

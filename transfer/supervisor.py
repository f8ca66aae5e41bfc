"""The supervisor starts the gateway and the guard, starts them again when they die, and touches nothing else.

It restricts nothing and opens nothing: what it starts would inherit its restrictions, and the guard must never hold
what the gateway holds. What enters: the two command lines. What leaves: an exit code.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_CALM_SECONDS = 30.0  # a process that lived this long has earned a quick restart again
_GRACE_SECONDS = 15.0
BEGUN, READY = b".", b"+"  # what a child says through its pipe: its settings are in order; it is at work
READY_VARIABLE = "TRANSFER_READY_FD"
PARENT_VARIABLE = "TRANSFER_SUPERVISOR"


@dataclass(kw_only=True)
class _Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0
    after: _Child | None = None
    ready_pipe: int | None = None
    has_begun: bool = False
    was_ready: bool = False
    fell: bool = False  # it has to be told when it is back


@dataclass(kw_only=True)
class Supervisor:
    """Runs `gateway` beside `guard` until a signal, or until the gateway has done its one round (`once`)."""

    gateway: Sequence[str]
    guard: Sequence[str]
    once: bool
    report: Callable[[str], None]
    _stopping: bool = field(default=False, init=False)

    def run(self) -> int:
        """The exit code: the gateway's own where it will not help to start it again, else 0."""
        gateway = _Child(name="gateway", command=self.gateway)
        # The guard comes once the gateway holds the workspace: not to disturb another's, nor to complain a second time.
        children = [gateway, _Child(name="guard", command=self.guard, after=gateway)]
        with self._signals():
            try:
                return self._watch(children)
            finally:
                self._stop_all(children)

    def _watch(self, children: list[_Child]) -> int:
        while not self._stopping:
            for child in children:
                code = self._tend(child)
                if code is not None:
                    return code
            self._listen(children)
        return 0

    def _tend(self, child: _Child) -> int | None:
        """Starts what is due; an exit code when the whole must end with it."""
        now = time.monotonic()
        if child.process is None:
            if now >= child.due and (child.after is None or child.after.has_begun):
                self._start(child)
            return None
        code = child.process.poll()
        if code is None:
            return None
        self._note_ready(child)
        child.process = None
        if code >= 0 and self._ends_all(child, code):
            return code  # done, or a state of things that a restart would only meet again
        if now - child.started > _CALM_SECONDS:
            child.pause = _FIRST_PAUSE
        child.due = now + child.pause
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self.report(f"The {child.name} {how}; starting it again in {child.pause:.1f} s.")
        child.pause = min(child.pause * 2, _LONGEST_PAUSE)
        child.fell = True
        return None

    def _ends_all(self, child: _Child, code: int) -> bool:
        if child.name == "gateway":
            return self.once or code in {2, 4} or not child.was_ready
        return code == 2

    def _start(self, child: _Child) -> None:
        reader, writer = os.pipe()
        environment = {**os.environ, READY_VARIABLE: str(writer), PARENT_VARIABLE: str(os.getpid())}
        child.process = subprocess.Popen(
            child.command, pass_fds=(writer,), env=environment, stdin=subprocess.DEVNULL, process_group=0
        )
        os.close(writer)
        if child.ready_pipe is not None:
            os.close(child.ready_pipe)
        child.ready_pipe = reader
        child.started = time.monotonic()

    def _note_ready(self, child: _Child) -> None:
        if child.ready_pipe is not None and select.select([child.ready_pipe], [], [], 0)[0]:
            said = os.read(child.ready_pipe, 16)
            child.has_begun = child.has_begun or BEGUN in said
            child.was_ready = child.was_ready or READY in said
            if child.fell and READY in said:
                child.fell = False
                self.report(f"The {child.name} is back.")
            if not said or READY in said:
                os.close(child.ready_pipe)
                child.ready_pipe = None

    def _listen(self, children: list[_Child]) -> None:
        pipes = [child.ready_pipe for child in children if child.ready_pipe is not None]
        with contextlib.suppress(InterruptedError):
            select.select(pipes, [], [], 0.05)
        for child in children:
            self._note_ready(child)

    def _stop_all(self, children: list[_Child]) -> None:
        """The gateway first, so that the guard still vouches for what it is just putting."""
        for child in children:
            if child.process is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        for child in children:
            if child.ready_pipe is not None:
                os.close(child.ready_pipe)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: object) -> None:
            self._stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

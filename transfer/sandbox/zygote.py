"""The parent of the children: imports once what they need, then forks one confined child for each order.

    pool ─ "child" ─▶ zygote ─ fork ─▶ child: closes everything, confines itself, serves files on its own socket
    pool ◀─ "child PID" + the child's socket + its pidfd
    pool ─ "ended PID" ─▶ zygote ◀ waitpid       pool ◀─ "ended PID STATUS"

What enters: orders from the pool that started it, which is trusted. It never sees a file. It ends when the pool's end
of the control socket closes, however that happened; its children end with it (parent-death signal).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import socket
from collections.abc import Callable
from typing import NoReturn

from transfer.errors import Misuse, TransferError
from transfer.sandbox.confine import (
    Baseline,
    ChildLimits,
    confine_child,
    die_with_parent,
    keep_only,
    measure_baseline,
)
from transfer.sandbox.seccomp import Filter, build_filter, problem

READY, CANNOT, WRONG, CHILD, ENDED = b"ready", b"cannot", b"wrong", b"child", b"ended"
MAX_CONTROL = 1024  # bytes of a control message
EXIT_FAILED = 70  # of a child whose work raised what nobody expected
_REMEMBERED = 256  # ended children whose status nobody asked for yet

Work = Callable[[socket.socket], None]


def serve(control: socket.socket, *, warm: Callable[[], Work], limits: ChildLimits, prefer: bool) -> NoReturn:
    """Warms, says so, forks on order; never returns. `warm` imports everything and gives the children's work.

    With `prefer`, children are confined as far as this kernel can.
    """
    try:
        work = warm()
        rules = None if prefer and problem() else build_filter()
        with contextlib.suppress(OSError):
            ctypes.CDLL("libgcc_s.so.1")  # or a thread that ends in a confined child would abort looking for it
        baseline = measure_baseline()
    except Exception as error:  # noqa: BLE001 - whatever it is, the pool must hear a sentence instead of silence
        sentence = error.sentence if isinstance(error, TransferError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            word = WRONG if isinstance(error, Misuse) else CANNOT  # what it was given is wrong, or the machine is
            control.send(word + b" " + sentence.encode("ascii", "replace")[: MAX_CONTROL - 16])
        os._exit(1)
    gc.collect()
    gc.freeze()  # the children share these pages: a collection that touched them would copy them
    with contextlib.suppress(OSError):
        control.send(READY)
        _fork_on_order(control, work, limits, baseline, rules, prefer=prefer)
    os._exit(0)


def _fork_on_order(
    control: socket.socket, work: Work, limits: ChildLimits, baseline: Baseline, rules: Filter | None, *, prefer: bool
) -> None:
    statuses: dict[int, int] = {}
    while order := control.recv(MAX_CONTROL):
        _reap(statuses)
        match order.split(b" "):
            case [b"child"]:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                child = os.fork()
                if child == 0:
                    ours.close()
                    control.detach()  # closed with all others below
                    _live(theirs.detach(), work, limits, baseline, rules, prefer=prefer)
                theirs.close()
                with ours:
                    _introduce(control, child, ours)
            case [b"ended", number]:
                pid = int(number)
                status = statuses.pop(pid, None)
                control.send(b"%s %d %s" % (ENDED, pid, b"unknown" if status is None else b"%d" % status))
            case _:
                return


def _live(
    descriptor: int, work: Work, limits: ChildLimits, baseline: Baseline, rules: Filter | None, *, prefer: bool
) -> NoReturn:
    """The child's whole life. Its first word is that it is confined."""
    code = EXIT_FAILED
    try:
        die_with_parent(os.getppid())
        link = socket.socket(fileno=keep_only(descriptor))  # made here: it asks the kernel what socket it is
        try:
            confine_child(limits, baseline, rules, prefer=prefer)
        except TransferError as error:
            os.write(link.fileno(), error.sentence.encode("ascii", "replace")[: MAX_CONTROL - 16])
        else:
            os.write(link.fileno(), READY)
            work(link)
            code = 0
    finally:
        os._exit(code)  # nothing of the zygote's is unwound here


def _introduce(control: socket.socket, child: int, ours: socket.socket) -> None:
    """Hands a child over once it has said that it is confined; no file ever reaches one that is not."""
    word = ours.recv(MAX_CONTROL)
    if word != READY:
        control.send(CANNOT + b" " + (word or b"a child ended before it was confined"))
        return
    pidfd = os.pidfd_open(child)
    try:
        socket.send_fds(control, [b"%s %d" % (CHILD, child)], [ours.fileno(), pidfd])
    finally:
        os.close(pidfd)


def _reap(statuses: dict[int, int]) -> None:
    """Collects the children that have ended: an exit code, or minus the signal's number."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            statuses[pid] = os.waitstatus_to_exitcode(status)
    while len(statuses) > _REMEMBERED:
        del statuses[next(iter(statuses))]

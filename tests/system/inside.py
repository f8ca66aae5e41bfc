"""System calls made by another, running process: what it may do is seen by having it try, not by reading its settings.

The debugger's interface: the process is stopped for a moment, made to carry out one call, and goes on as it was.
Only for x86-64, and only where the test may trace (as root it may); elsewhere the test is skipped with the reason.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import signal
import struct
import time
from collections.abc import Iterator

import pytest

OPENAT, CONNECT, SOCKET, CLOSE, FORK, CLONE, EXECVE = 257, 42, 41, 3, 57, 56, 59
AT_FDCWD = (1 << 64) - 100

_ATTACH, _DETACH, _CONT, _STEP, _GETREGS, _SETREGS = 16, 17, 7, 9, 12, 13
_WALL = 0x40000000
_GENERAL = ("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi")
_REGISTERS = (
    *(*_GENERAL, "orig_rax", "rip", "cs", "eflags", "rsp", "ss"),
    *("fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
_FORMAT = struct.Struct(f"{len(_REGISTERS)}Q")
_SYSCALL = b"\x0f\x05"
_ORDER = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Inside:
    """One stopped thread. Arguments of calls are numbers, or bytes that are put on its stack for the call."""

    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._memory = -1

    def call(self, number: int, *arguments: int | bytes) -> int:
        """What the kernel answers it: a result, or minus an errno."""
        before = self._registers()
        given = dict(before)
        top = (before["rsp"] - 4096) & ~0xF  # well below what it uses, and below the red zone
        for name, argument in zip(_ORDER, arguments, strict=False):
            if isinstance(argument, bytes):
                top -= (len(argument) + 15) & ~0xF
                os.pwrite(self._memory, argument, top)
                argument = top  # noqa: PLW2901 - its address
            given[name] = argument
        # It waits in a call: the instruction for another one is right behind it. Nothing of its code is changed.
        given |= {"rax": number, "orig_rax": (1 << 64) - 1, "rsp": top - 256, "rip": before["rip"] - len(_SYSCALL)}
        try:
            self._set(given)
            _trace(_STEP, self._thread)
            _wait(self._thread, signal.SIGTRAP)
            answer = self._registers()["rax"]
        finally:
            self._set(before)
        return answer - (1 << 64) if answer >> 63 else answer

    @property
    def waits(self) -> bool:
        """Whether it was stopped in a call."""
        return os.pread(self._memory, len(_SYSCALL), self._registers()["rip"] - len(_SYSCALL)) == _SYSCALL

    def opens(self, path: os.PathLike[str] | str, flags: int, mode: int = 0) -> int:
        """0 if it could open this, else the errno."""
        answer = self.call(OPENAT, AT_FDCWD, os.fsencode(path) + b"\0", flags | os.O_CLOEXEC, mode)
        if answer >= 0:
            self.call(CLOSE, answer)
        return max(0, -answer)

    def _registers(self) -> dict[str, int]:
        raw = ctypes.create_string_buffer(_FORMAT.size)
        _trace(_GETREGS, self._thread, ctypes.addressof(raw))
        return dict(zip(_REGISTERS, _FORMAT.unpack(raw.raw), strict=True))

    def _set(self, registers: dict[str, int]) -> None:
        raw = ctypes.create_string_buffer(_FORMAT.pack(*registers.values()), _FORMAT.size)
        _trace(_SETREGS, self._thread, ctypes.addressof(raw))


@contextlib.contextmanager
def inside(thread: int) -> Iterator[Inside]:
    """A thread of another process, stopped in a call for the length of the block."""
    if platform.machine() != "x86_64":
        pytest.skip("looking into a running process is written for x86-64 only")
    for _ in range(100):
        with _stopped(thread) as made:
            if made.waits:
                yield made
                return
        time.sleep(0.01)
    raise TimeoutError("it never waits")


@contextlib.contextmanager
def _stopped(thread: int) -> Iterator[Inside]:
    try:
        _trace(_ATTACH, thread)
    except PermissionError:
        pytest.skip("looking into a running process needs the right to trace (root has it)")
    made = Inside(thread)
    try:
        _wait(thread, signal.SIGSTOP)
        made._memory = os.open(f"/proc/{thread}/mem", os.O_RDWR | os.O_CLOEXEC)
        yield made
    finally:
        if made._memory >= 0:
            os.close(made._memory)
        with contextlib.suppress(ProcessLookupError):
            _trace(_DETACH, thread)


def _trace(request: int, thread: int, data: int = 0) -> None:
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    ptrace.restype = ctypes.c_long
    if ptrace(request, thread, 0, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _wait(thread: int, expected: signal.Signals) -> None:
    """Until it has stopped for this signal; others are for it, and come again."""
    for _ in range(20):
        _, status = os.waitpid(thread, _WALL)
        assert os.WIFSTOPPED(status), f"the process ended ({status})"
        if os.WSTOPSIG(status) == expected:
            return
        _trace(_CONT, thread, os.WSTOPSIG(status))
    raise OSError(errno.EAGAIN, "it does not stop")

"""The system calls a child may make: a short list; every other one answers EPERM and does nothing.

Prepared before the fork (libseccomp is loaded and the filter built in the zygote), loaded in the child. The list was
found by trying: PyAV decoding with threads, Pillow, libmagic and Python itself, on descriptors opened before.
Trusted: libseccomp, the kernel.
"""

from __future__ import annotations

import errno
import fcntl
from typing import Any, Protocol

from transfer.errors import Unavailable

_ALWAYS = (
    *("read", "write", "pread64", "pwrite64", "readv", "writev", "lseek", "fstat", "close", "dup", "recvmsg"),
    *("ftruncate", "fsync", "fdatasync", "fadvise64", "poll", "ppoll", "getcwd"),
    *("munmap", "mremap", "brk", "madvise", "futex", "rseq", "set_robust_list", "getrandom"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    *("sched_getaffinity", "sched_yield", "getrusage", "getpid", "gettid", "getppid", "exit", "exit_group"),
)
_DUPLICATE_AND_LOOK = (fcntl.F_DUPFD, fcntl.F_DUPFD_CLOEXEC, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL)

_AT_EMPTY_PATH = 0x1000
_CLONE_THREAD = 0x00010000
_NEW_NAMESPACES = 0x7E020080  # CLONE_NEWTIME, NEWNS, NEWCGROUP … NEWNET: a thread needs none
_MAP_TYPE, _MAP_PRIVATE = 0x0F, 0x02
_PROT_EXEC = 0x04
_PR_SET_NAME = 15
_ALL_32, _ALL_64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


class Filter(Protocol):
    """A filter ready to be loaded."""

    def load(self) -> None:
        """From now on, for this thread and all it starts, for good. Raises OSError."""
        ...


def problem() -> str:
    """Why children cannot be given a system-call filter here, as a sentence; empty if they can."""
    try:
        build_filter()
    except Unavailable as error:
        return error.sentence
    return ""


def build_filter() -> Filter:
    """The children's filter. Raises Unavailable where pyseccomp or libseccomp is missing or too old."""
    try:
        import pyseccomp as seccomp  # noqa: PLC0415 - it looks for libseccomp when imported, and fails without it
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise Unavailable(
            "The children that open untrusted files cannot be confined: libseccomp is missing.",
            advice="Install the system package libseccomp2 (libseccomp on some systems) and the package pyseccomp.",
            clauses=("G5",),
        ) from error
    try:
        rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
        for name in _ALWAYS:
            _allow(rules, seccomp, name)
        _allow_some(rules, seccomp)
    except (OSError, ValueError) as error:
        raise Unavailable(
            "The children that open untrusted files cannot be confined: this libseccomp does not take the filter.",
            advice="Install a newer libseccomp (2.5 is enough).",
            clauses=("G5",),
        ) from error
    made: Filter = rules
    return made


def _allow_some(rules: Any, seccomp: Any) -> None:  # pyseccomp has no annotations
    """Calls that are allowed with some arguments only."""

    def arg(position: int, mask: int, value: int) -> object:
        masked: object = seccomp.Arg(position, seccomp.MASKED_EQ, mask, value)
        return masked

    # A thread, never a process. clone3 hides its flags behind a pointer: ENOSYS makes the C library use clone.
    _allow(rules, seccomp, "clone", arg(0, _CLONE_THREAD | _NEW_NAMESPACES, _CLONE_THREAD))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # Memory of its own, never executable (no code is made while running) and never shared (it would not be counted).
    _allow(rules, seccomp, "mmap", arg(2, _PROT_EXEC, 0), arg(3, _MAP_TYPE, _MAP_PRIVATE))
    _allow(rules, seccomp, "mprotect", arg(2, _PROT_EXEC, 0))
    # A descriptor's facts. With this flag and a name it can still ask about a path: that tells size and time at most.
    _allow(rules, seccomp, "newfstatat", arg(3, _AT_EMPTY_PATH, _AT_EMPTY_PATH))
    for command in _DUPLICATE_AND_LOOK:
        _allow(rules, seccomp, "fcntl", arg(1, _ALL_32, command))
    _allow(rules, seccomp, "prctl", arg(0, _ALL_32, _PR_SET_NAME))
    # The limits may be read (the C library asks for the stack's), not set.
    _allow(rules, seccomp, "prlimit64", arg(0, _ALL_32, 0), arg(2, _ALL_64, 0))


def _allow(rules: Any, seccomp: Any, name: str, *arguments: object) -> None:
    """Adds a call to the list; one that this machine's architecture does not have is left out."""
    if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:
        rules.add_rule(seccomp.ALLOW, name, *arguments)

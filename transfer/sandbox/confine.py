"""What a child gives up before it sees its first file, and how much it may use.

What enters: `ChildLimits` and a prepared system-call filter. What leaves: nothing; afterwards this process can use the
descriptors it holds and those it is handed, its memory and its processor time, and nothing else. Every step is for
good. The order matters: the system-call filter comes last, since it refuses the calls that the other steps make.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import signal
from dataclasses import dataclass

from transfer.errors import Unavailable
from transfer.sandbox.landlock import interface_version, no_new_privileges, process_control, restrict
from transfer.sandbox.seccomp import Filter

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_CAPABILITY_VERSION_3 = 0x20080522
_MIB = 1 << 20
_RESERVED = 2048 * _MIB  # address space that threads and arenas reserve without using it


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What one child may use.

    `memory_bytes` come on top of what the warmed interpreter has already; `cpu_seconds` are of its whole life, all
    threads together; `file_bytes` bound its output; `files` is how many files a reused child serves before it is
    replaced. The time for one step with one file comes with each request; `request_seconds` bound it.
    """

    memory_bytes: int = 1024 * _MIB
    cpu_seconds: int = 3600
    file_bytes: int = 16 * 1024 * _MIB
    descriptors: int = 64
    tasks: int = 8192  # of the whole user, where the kernel counts them (not for root): a backstop
    files: int = 200
    request_seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Bytes of writable private memory and of address space that a warmed process has before it is given a file."""

    data: int
    address_space: int


def measure_baseline() -> Baseline:
    """Found by trying, since a confined process cannot read /proc: the smallest limit that still allows a page more."""
    return Baseline(data=_smallest(resource.RLIMIT_DATA), address_space=_smallest(resource.RLIMIT_AS))


def confine_child(limits: ChildLimits, baseline: Baseline, rules: Filter | None, *, prefer: bool = False) -> None:
    """Gives everything up. Raises Unavailable if the kernel does not take a limit.

    With `prefer`, what this kernel cannot do (Landlock, the filter) is left out and the rest still holds.
    """
    try:
        process_control(_PR_SET_DUMPABLE, 0)  # nobody may trace it or read its memory, no core is written
        _limit_resources(limits, baseline)
        _drop_capabilities()
        no_new_privileges()
        if interface_version() > 0 or not prefer:
            restrict(())
        if rules is not None:
            rules.load()
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"A child could not be confined ({error}).", advice="`transfer doctor` says which limit fails."
        ) from error
    if rules is None and not prefer:
        raise Unavailable("A child was to be started without a system-call filter.", advice="This is a defect.")


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the thread that forked it ends; `parent` is that process's id."""
    process_control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above took effect
        os._exit(1)


def keep_only(descriptor: int) -> int:
    """Closes every descriptor but the standard ones (which lead nowhere) and this one, which becomes number 3."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    if descriptor != 3:
        os.dup2(descriptor, 3)
    os.closerange(4, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return 3


def _limit_resources(limits: ChildLimits, baseline: Baseline) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.descriptors)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_NPROC, limits.tasks)
    _limit(resource.RLIMIT_MEMLOCK, 0)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    _limit(resource.RLIMIT_DATA, baseline.data + limits.memory_bytes)
    _limit(resource.RLIMIT_AS, baseline.address_space + limits.memory_bytes + _RESERVED)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, grace=5)  # first SIGXCPU, which says why, then SIGKILL


def _limit(kind: int, value: int, *, grace: int = 0) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard - grace)
    resource.setrlimit(kind, (value, value + grace))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int32))


class _CapabilitySets(ctypes.Structure):
    _fields_ = (("low", ctypes.c_uint32 * 3), ("high", ctypes.c_uint32 * 3))


def _drop_capabilities() -> None:
    """A child of root keeps root's number and none of its powers."""
    capset = ctypes.CDLL(None, use_errno=True).capset
    capset.argtypes = (ctypes.POINTER(_CapabilityHeader), ctypes.POINTER(_CapabilitySets))
    capset.restype = ctypes.c_int
    header = _CapabilityHeader(version=_CAPABILITY_VERSION_3, pid=0)
    ctypes.set_errno(0)
    if capset(ctypes.byref(header), ctypes.byref(_CapabilitySets())) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _smallest(kind: int) -> int:
    soft, hard = resource.getrlimit(kind)
    low, high = 0, 1 << 46
    restored = (soft, hard)
    try:
        while high - low > _MIB:
            middle = (low + high) // 2
            resource.setrlimit(kind, (middle if hard == resource.RLIM_INFINITY else min(middle, hard), hard))
            if _a_page_fits():
                high = middle
            else:
                low = middle
    finally:
        resource.setrlimit(kind, restored)
    return high


def _a_page_fits() -> bool:
    with contextlib.suppress(OSError, MemoryError):
        mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
        return True
    return False

"""Landlock, the kernel's way to let a process give up rights over files, TCP ports, sockets and signals.

What enters: grants (a path and what may be done at and beneath it) and TCP ports. What leaves: nothing; afterwards this
thread and everything it starts can do no more than that, and no call undoes it. Knows the interface's versions 1 to 7;
what a kernel does not know yet is left out, what a newer one adds is not used. Trusted: the kernel, the C library.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from transfer.errors import Misuse, Unavailable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_VERSION_FLAG = 1
_RULE_PATH, _RULE_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38
_NEWEST_KNOWN = 7


class Access(IntFlag):
    """What may be done with a file or in a folder (linux/landlock.h, LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13  # version 2: move or link between folders; before it, always refused
    TRUNCATE = 1 << 14  # version 3; before it, always allowed
    IOCTL_DEV = 1 << 15  # version 5; before it, always allowed


class _Net(IntFlag):
    BIND_TCP = 1 << 0
    CONNECT_TCP = 1 << 1


class _Scope(IntFlag):
    ABSTRACT_UNIX_SOCKET = 1 << 0
    SIGNAL = 1 << 1


_ON_A_FILE = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE | Access.IOCTL_DEV


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`rights` at `path` and everything beneath it. Skipped where nothing is there, unless `required`."""

    path: Path
    rights: Access
    required: bool = True


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scope", ctypes.c_uint64))


class _PathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _PortAttr(ctypes.Structure):
    _fields_ = (("rights", ctypes.c_uint64), ("port", ctypes.c_uint64))


def interface_version() -> int:
    """The kernel's version of Landlock (1 to 7 are known here, more is possible), or 0 where there is none."""
    try:
        return _call(_CREATE_RULESET, (ctypes.c_void_p, None), (ctypes.c_size_t, 0), (ctypes.c_uint32, _VERSION_FLAG))
    except OSError:
        return 0


def handled_access(version: int) -> Access:
    """The file rights that a kernel of this version can withhold."""
    handled = Access((1 << 13) - 1)
    if version >= 2:
        handled |= Access.REFER
    if version >= 3:
        handled |= Access.TRUNCATE
    if version >= 5:
        handled |= Access.IOCTL_DEV
    return handled


def restrict(grants: Iterable[Grant], *, connect_tcp: Iterable[int] = (), version: int | None = None) -> int:
    """Limits this thread, for good, to the grants and to connecting to these TCP ports; the version used.

    No TCP port can be listened on, no abstract socket or signal reaches outside. Threads that run already are not
    covered: call it before the first. Raises Unavailable where the kernel has no Landlock, Misuse for a missing path.
    """
    version = min(interface_version() if version is None else version, _NEWEST_KNOWN)
    if version < 1:
        raise Unavailable(
            "This kernel cannot limit what a process may do with files (it has no Landlock).",
            advice='Use Linux 5.19 or newer with Landlock on, or set valve.mode = "prefer" and run without it.',
            clauses=("G5",),
        )
    attr = _RulesetAttr(fs=handled_access(version))
    size = 8
    if version >= 4:
        attr.net, size = _Net.BIND_TCP | _Net.CONNECT_TCP, 16
    if version >= 6:
        attr.scope, size = _Scope.ABSTRACT_UNIX_SOCKET | _Scope.SIGNAL, 24
    try:
        ruleset = _call(_CREATE_RULESET, (ctypes.c_void_p, ctypes.addressof(attr)), (ctypes.c_size_t, size), _NO_FLAGS)
        try:
            for grant in grants:
                _allow_path(ruleset, grant, handled_access(version))
            if version >= 4:
                for port in connect_tcp:
                    _allow_port(ruleset, port)
            no_new_privileges()
            _call(_RESTRICT_SELF, (ctypes.c_int, ruleset), _NO_FLAGS)
        finally:
            os.close(ruleset)
    except OSError as error:
        raise Unavailable(
            f"The kernel refused to limit this process ({os.strerror(error.errno or 0)}).",
            advice="`transfer doctor` tries each limit and says which one fails.",
            clauses=("G5",),
        ) from error
    return version


def no_new_privileges() -> None:
    """Nothing this process starts can gain rights by its file's mode. Raises OSError."""
    process_control(_PR_SET_NO_NEW_PRIVS, 1)


def process_control(option: int, value: int) -> None:
    """prctl(2) with one number. Raises OSError."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
    prctl.restype = ctypes.c_int
    ctypes.set_errno(0)
    if prctl(option, value, 0, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _allow_path(ruleset: int, grant: Grant, handled: Access) -> None:
    try:
        descriptor = os.open(grant.path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if not grant.required:
            return
        raise Misuse(
            f"{grant.path} cannot be reached ({os.strerror(error.errno or 0)}).",
            advice="Make the folder, or correct its path in transfer.toml.",
        ) from error
    try:
        rights = grant.rights & handled
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _ON_A_FILE
        if rights:  # the kernel answers ENOMSG for a rule that grants nothing
            attr = _PathAttr(rights=rights, parent=descriptor)
            _add_rule(ruleset, _RULE_PATH, ctypes.addressof(attr))
    finally:
        os.close(descriptor)


def _allow_port(ruleset: int, port: int) -> None:
    attr = _PortAttr(rights=_Net.CONNECT_TCP, port=port)
    with contextlib.suppress(_NoNetwork):
        _add_rule(ruleset, _RULE_PORT, ctypes.addressof(attr))


class _NoNetwork(OSError):
    """The kernel was built without TCP: there is no port to allow."""


def _add_rule(ruleset: int, kind: int, address: int) -> None:
    try:
        _call(_ADD_RULE, (ctypes.c_int, ruleset), (ctypes.c_int, kind), (ctypes.c_void_p, address), _NO_FLAGS)
    except OSError as error:
        if kind == _RULE_PORT and error.errno == errno.EAFNOSUPPORT:
            raise _NoNetwork(*error.args) from error
        raise


_NO_FLAGS = (ctypes.c_uint32, 0)


def _call(number: int, *arguments: tuple[type, int | None]) -> int:
    """One system call, its arguments' types declared: an undeclared pointer would be cut to 32 bits."""
    function = ctypes.CDLL(None, use_errno=True)["syscall"]
    function.argtypes = (ctypes.c_long, *(kind for kind, _ in arguments))
    function.restype = ctypes.c_long
    ctypes.set_errno(0)  # an errno left by an earlier call is not this one's
    answer = int(function(number, *(value for _, value in arguments)))
    if answer < 0:
        failed = ctypes.get_errno()
        raise OSError(failed, os.strerror(failed))
    return answer

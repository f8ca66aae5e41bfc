"""What code that took a child over would try, as bare system calls: no library's politeness is in between.

A call that seccomp refuses answers EPERM before the kernel looks at a single argument, so most are made with zeros;
where zeros would be refused for another reason with the same answer, real arguments are given.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable

import pyseccomp

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

# By what they would be good for. The second of a pair is the first argument.
NAMES: dict[str, tuple[str, ...]] = {
    "files": (
        *("open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "getdents64", "readlinkat"),
        *("statx", "faccessat", "faccessat2", "access", "stat", "lstat", "mkdirat", "unlinkat", "renameat2", "linkat"),
        *("symlinkat", "mknodat", "fchmod", "fchmodat", "fchown", "fchownat", "utimensat", "fsetxattr", "fgetxattr"),
        *("truncate", "chdir", "fchdir", "chroot", "inotify_init1", "fanotify_init", "flock", "fallocate"),
        *("copy_file_range", "sendfile", "splice", "tee", "vmsplice", "memfd_create", "memfd_secret", "mount_setattr"),
    ),
    "network": (
        *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg"),
        *("recvmmsg", "setsockopt", "getpeername", "pipe", "pipe2"),
    ),
    "processes": (
        *("fork", "vfork", "execve", "execveat", "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
        *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd"),
        *(
            "pidfd_send_signal",
            "kcmp",
            "wait4",
            "waitid",
            "setsid",
            "setpgid",
            "prlimit64",
            "setrlimit",
            "sched_setattr",
        ),
        *("setpriority", "sched_setaffinity", "sched_setscheduler", "ioprio_set", "personality", "process_mrelease"),
    ),
    "rights": (
        *("setuid", "setgid", "setresuid", "setgroups", "capset", "unshare", "setns", "mount", "umount2", "pivot_root"),
        *("move_mount", "open_tree", "fsopen", "fsmount", "keyctl", "add_key", "request_key", "seccomp"),
        *("landlock_create_ruleset", "landlock_restrict_self", "prctl", "arch_prctl", "sethostname", "setdomainname"),
    ),
    "kernel": (
        *("bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "io_setup"),
        *(
            "init_module",
            "finit_module",
            "delete_module",
            "kexec_load",
            "reboot",
            "swapon",
            "acct",
            "quotactl",
            "syslog",
        ),
        *(
            "iopl",
            "ioperm",
            "modify_ldt",
            "clock_settime",
            "settimeofday",
            "adjtimex",
            "ioctl",
            "eventfd2",
            "timerfd_create",
        ),
        *(
            "shmget",
            "shmat",
            "msgget",
            "semget",
            "mq_open",
            "timer_create",
            "pkey_mprotect",
            "remap_file_pages",
            "mlockall",
        ),
    ),
}
_ARGUMENTS: dict[str, tuple[int, ...]] = {
    "socket": (socket.AF_UNIX, socket.SOCK_STREAM),
    "prlimit64": (0, 7, 1),  # a pointer to a new limit
    "kill": (os.getpid(), 0),
}
_CLONE_FLAGS = {
    "a process": 17,  # SIGCHLD
    "a process that shares our memory": 0x4111,  # VFORK, VM
    "a thread in a new user namespace": 0x10050F00 | 0x00010000,
    "a thread in a new network": 0x40050F00 | 0x00010000,
}
FAMILIES = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "alg": 38, "vsock": 40, "xdp": 44}


def calls(kind: str) -> dict[str, Callable[[], None]]:
    """The attempts of one kind, by name; calls that this machine's architecture does not have are left out."""
    found = {}
    for name in NAMES[kind]:
        number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
        if number >= 0:
            found[name] = _caller(number, *_ARGUMENTS.get(name, (0, 0, 0, 0, 0, 0)))
    clone, clone3 = (pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in ("clone", "clone3"))
    if kind == "processes":
        found |= {f"clone {what}": _caller(clone, flags, 0, 0, 0, 0) for what, flags in _CLONE_FLAGS.items()}
        found["clone3"] = _caller(clone3, 0, 0)
    if kind == "network":
        number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, "socket")
        found |= {f"socket {what}": _caller(number, family, 3, 0) for what, family in FAMILIES.items()}
    return found


def memory_attempts() -> dict[str, Callable[[], None]]:
    """Code made while running, and memory that nobody counts."""
    numbers = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in ("mmap", "mprotect")}
    page = ctypes.create_string_buffer(8192)
    address = (ctypes.addressof(page) + 4095) & ~4095

    def made_executable() -> None:
        _call(numbers["mprotect"], address, 4096, 7)

    nowhere = 0xFFFFFFFFFFFFFFFF
    return {
        "executable memory": _caller(numbers["mmap"], 0, 4096, 5, 0x22, nowhere, 0),
        "writable and executable memory": _caller(numbers["mmap"], 0, 4096, 7, 0x22, nowhere, 0),
        "shared memory": _caller(numbers["mmap"], 0, 4096, 3, 0x21, nowhere, 0),
        "a file as code": _caller(numbers["mmap"], 0, 4096, 5, 2, 4, 0),
        "memory made executable": made_executable,
    }


def _caller(number: int, *arguments: int) -> Callable[[], None]:
    return lambda: _call(number, *arguments)


def _call(number: int, *arguments: int) -> None:
    ctypes.set_errno(0)
    if _LIBC.syscall(ctypes.c_long(number), *(ctypes.c_ulong(argument) for argument in arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")

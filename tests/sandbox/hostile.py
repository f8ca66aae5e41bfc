"""A zygote entry for tests: its children misbehave as the request's suffix says, from inside the real confinement.

Started by the pool in the place of `transfer.child`, with the same arguments.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable

from tests.sandbox.system_calls import NAMES, calls, memory_attempts
from transfer.child import Hands, Kept, work_with
from transfer.model.findings import Code, Finding
from transfer.model.media import Format, MediaFacts, RebuildFacts
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.replies import ExamineReply, RebuildReply
from transfer.sandbox.requests import ExamineRequest, RebuildRequest
from transfer.sandbox.zygote import Work, serve

LINK = 3  # the child's own socket


def attempt(action: Callable[[], object]) -> str:
    """`worked`, or the error's name."""
    try:
        action()
    except OSError as error:
        return f"errno {error.errno}"
    except Exception as error:
        return type(error).__name__
    return "worked"


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _executable_memory() -> None:
    import mmap

    mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()


def _shared_memory() -> None:
    import mmap

    mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS).close()


def _call(number: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def _thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.001,))
    thread.start()
    thread.join()


def _pass_a_descriptor() -> None:
    with socket.socket(fileno=os.dup(LINK)) as link:
        socket.send_fds(link, [b"x"], [0])


ATTEMPTS: dict[str, Callable[[], object]] = {
    "open a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "open the null device": lambda: os.open("/dev/null", os.O_RDONLY),
    "list a folder": lambda: os.listdir("/"),
    "ask for a file's size": lambda: os.stat("/etc/passwd"),
    "make a file": lambda: os.open("/tmp/planted", os.O_CREAT | os.O_WRONLY),
    "make a folder": lambda: os.mkdir("/tmp/planted"),
    "remove a file": lambda: os.unlink("/tmp/nothing"),
    "an internet socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "a datagram socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "a Unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "a pair of sockets": socket.socketpair,
    "a pipe": os.pipe,
    "pass a descriptor on": _pass_a_descriptor,
    "fork": _fork,
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "signal the zygote": lambda: os.kill(os.getppid(), 0),
    "kill itself by number": lambda: os.kill(os.getpid(), 0),
    "trace the zygote": lambda: _call(101, 16, os.getppid(), 0, 0),
    "raise a limit": lambda: __import__("resource").setrlimit(0, (10**6, 10**6)),
    "executable memory": _executable_memory,
    "shared memory": _shared_memory,
    "a memory file": lambda: os.memfd_create("x"),
    "an io_uring": lambda: _call(425, 8, 0),
    "a thread": _thread,
    "its own clock": time.monotonic,
    "private memory": lambda: bytearray(1 << 20),
}


def _answer(code: Code = Code.METADATA, **attempts: str) -> ExamineReply:
    findings = tuple(Finding(code=code, detail={"what": what, "got": got}) for what, got in attempts.items())
    return ExamineReply(media=MediaFacts(format=Format.PNG, width=1, height=1), findings=findings, tools={})


def _say(message: bytes) -> None:
    os.write(LINK, message)


def _raw(message: bytes) -> Callable[[], ExamineReply]:
    def run() -> ExamineReply:
        _say(message)
        time.sleep(30)
        return _answer()

    return run


def _flood() -> ExamineReply:
    while True:
        _say(b"x" * 60000)


def _close_and_live() -> ExamineReply:
    os.close(LINK)
    time.sleep(30)
    return _answer()


def _say_more_than_asked() -> ExamineReply:
    def later() -> None:
        time.sleep(0.05)
        _say(b"{}")

    threading.Thread(target=later).start()
    return _answer()


def _eat_memory() -> ExamineReply:
    hoard = [bytearray(16 << 20) for _ in range(4096)]
    return _answer(hoard=str(len(hoard)))


def _eat_memory_outside_python() -> ExamineReply:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = (ctypes.c_size_t,)
    taken = 0
    while libc.malloc(16 << 20):
        taken += 16
    return _answer(taken=str(taken))


def _too_many_findings() -> ExamineReply:
    return ExamineReply(media=None, findings=tuple(Finding(code=Code.MARKING) for _ in range(1000)), tools={})


def _spin() -> ExamineReply:
    while True:
        pass


def _ignore_and_spin() -> ExamineReply:
    with contextlib.suppress(OSError):
        for number in (signal.SIGTERM, signal.SIGXCPU, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    return _spin()


def _raise() -> ExamineReply:
    raise LookupError("a \x1b[31mred\x1b[0m word")


def _crash() -> ExamineReply:
    ctypes.string_at(0)
    return _answer()


def _many_threads() -> ExamineReply:
    for number in range(100_000):
        try:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        except (RuntimeError, MemoryError):
            return _answer(threads=str(number))
    return _answer(threads="no end")


PATHS = {
    f"{what} {path}": lambda path=path, flags=flags: os.open(path, flags)
    for path in (
        "/",
        "/etc/passwd",
        "/proc/self/mem",
        "/proc/self/maps",
        "/proc/1/mem",
        "/proc/self/fd/4",
        "/dev/mem",
        ".",
    )
    for what, flags in (("read", os.O_RDONLY), ("write", os.O_RDWR), ("name", os.O_PATH))
}


def _try_all(attempts: dict[str, Callable[[], object]]) -> ExamineReply:
    return _answer(**{name: attempt(action) for name, action in attempts.items()})


def _held_descriptors() -> ExamineReply:
    """What each descriptor that is open leads to: `null` or its kind."""
    held = {}
    for number in range(1024):
        try:
            status = os.fstat(number)
        except OSError:
            continue
        null = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)
        held[str(number)] = "null" if null else oct(stat.S_IFMT(status.st_mode))
    return _answer(**held)


def _many_descriptors() -> ExamineReply:
    for count in range(100_000):
        try:
            os.dup(0)
        except OSError as error:
            return _answer(count=str(count), errno=str(error.errno))
    return _answer(count="no end")


def _drip() -> ExamineReply:
    for byte in b'{"findings":[],"media":null,"tools":{}}':
        _say(bytes([byte]))
        time.sleep(0.2)
    return _answer()


DEEDS: dict[str, Callable[[], ExamineReply]] = {
    ".good": lambda: _answer(pid=str(os.getpid())),
    ".found": lambda: _answer(Code.TRAILING_DATA, pid=str(os.getpid())),
    ".try": lambda: _answer(**{name: attempt(action) for name, action in ATTEMPTS.items()}),
    **{f".{kind}": lambda kind=kind: _try_all(calls(kind)) for kind in NAMES},
    ".code": lambda: _try_all(memory_attempts()),
    ".paths": lambda: _try_all(PATHS),
    ".held": _held_descriptors,
    ".descriptors": _many_descriptors,
    ".drip": _drip,
    ".loop": _spin,
    ".stubborn": _ignore_and_spin,
    ".memory": _eat_memory,
    ".malloc": _eat_memory_outside_python,
    ".crash": _crash,
    ".exit": lambda: os._exit(0),
    ".raise": _raise,
    ".garbage": _raw(b"\xff\xfe garbage"),
    ".empty": _raw(b"{}"),
    ".long": _raw(b"x" * 100_000),
    ".other": _raw(b'{"findings":[]}'),
    ".spaces": _raw(b'{"findings": [], "media": null, "tools": {}}'),
    ".flood": _flood,
    ".close": _close_and_live,
    ".twice": _say_more_than_asked,
    ".many": _too_many_findings,
    ".threads": _many_threads,
    ".wait": lambda: (time.sleep(1), _answer(pid=str(os.getpid())))[1],
    ".kept": lambda: _answer(kept=str(sorted(os.listdir("/proc/self/fd")))),
}


def misbehave(request: ExamineRequest, raw: int, kept: Kept) -> ExamineReply:
    """Does what the suffix says."""
    kept.file, kept.decoded = (0, 0, 0), "a picture"
    return DEEDS[request.suffix]()


def _rebuild(request: RebuildRequest, raw: int, output: int, kept: Kept) -> RebuildReply:
    deed = request.recipe.quality
    os.write(output, b"made of " + os.read(raw, 100))
    if deed == 2:  # keeps a way to change it afterwards
        hidden = os.dup(output)

        def later() -> None:
            time.sleep(0.2)
            os.pwrite(hidden, b"EVIL", 0)

        threading.Thread(target=later).start()
    if deed == 3:
        os.write(raw, b"changed")
    if deed == 4:
        os.lseek(raw, 7, os.SEEK_SET)
    if deed == 5:
        while True:
            os.write(output, bytes(1 << 20))
    return RebuildReply(facts=RebuildFacts(format=Format.PNG), findings=())


def main(arguments: list[str]) -> None:
    _role, limits, valve, control = arguments

    def warm() -> Work:
        return work_with(Hands(examine=misbehave, rebuild=_rebuild))

    serve(
        socket.socket(fileno=int(control)),
        warm=warm,
        limits=ChildLimits(**json.loads(limits)),
        prefer=valve == "prefer",
    )


if __name__ == "__main__":
    main(sys.argv[1:])

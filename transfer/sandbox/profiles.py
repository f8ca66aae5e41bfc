"""What each process may do with files and the network (DESIGN section 3), as data, and the call that makes it so.

    gateway  staging: read, list, remove · state, log, feedback, receipts: all · release: create, write, rename,
             remove, list, NOT read · settings, keys: read
    guard    release, release-aside: list, read, remove, move between them · nothing else
             of a release folder in OneDrive: its certificate, what names and TLS take; the service's port
    child    nothing (`confine.confine_child`)

Each process calls its `confine_…` once, before it starts a thread or touches anything untrusted.
What enters: absolute paths from the settings. Trusted: the settings, the program's own files.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import transfer
from transfer.errors import Misuse, Unavailable
from transfer.sandbox import seccomp
from transfer.sandbox.landlock import Access, Grant, interface_version, restrict

_READ = Access.READ_FILE | Access.READ_DIR
_RUN = _READ | Access.EXECUTE
_STAGING = _READ | Access.REMOVE_FILE
_OWN = (
    _READ
    | Access.WRITE_FILE
    | Access.TRUNCATE
    | Access.MAKE_REG
    | Access.MAKE_DIR
    | Access.MAKE_SOCK
    | Access.REMOVE_FILE
    | Access.REMOVE_DIR
    | Access.REFER
)
# One-wayness: there is no READ_FILE. READ_DIR is for listing and for the fsync of the folder.
_RELEASE = Access.WRITE_FILE | Access.TRUNCATE | Access.MAKE_REG | Access.REMOVE_FILE | Access.READ_DIR
# Whatever can be planted can be moved, so every kind may be made and removed. The kernel wants the same rights on both
# folders, or a move would gain some. Without WRITE_FILE the guard can change no content.
_GUARDED = (
    _READ
    | Access.REMOVE_FILE
    | Access.REMOVE_DIR
    | Access.MAKE_CHAR
    | Access.MAKE_DIR
    | Access.MAKE_REG
    | Access.MAKE_SOCK
    | Access.MAKE_FIFO
    | Access.MAKE_BLOCK
    | Access.MAKE_SYM
    | Access.REFER
)
_LIBRARY_FOLDERS = {"site-packages", "dist-packages"}
_LEAST_VERSION = 2  # the guard moves between folders, the spool renames between them: REFER


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPaths:
    """The folders and files of one workspace, as far as the gateway may reach them.

    `readable`: the settings, the policy, the keys. `owned`: state, log, feedback, receipts. `connect_tcp`: ports of a
    scanner or of OneDrive. A file that is replaced by another (not written in place) after the call is out of reach:
    name folders.
    """

    staging: tuple[Path, ...]
    readable: tuple[Path, ...]
    owned: tuple[Path, ...]
    release: Path | None
    connect_tcp: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPaths:
    """The device's side."""

    release: Path
    aside: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveGuardPaths:
    """What the guard of a release folder in OneDrive needs: no folder, but a way to the service."""

    readable: tuple[Path, ...]
    connect_tcp: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What this kernel and system can enforce; `problems` are sentences, empty where everything can be.

    `landlock` is the interface's version, 0 for none; `seccomp` whether children can be given a system-call filter.
    """

    landlock: int
    seccomp: bool
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether one-wayness and the children's confinement are the kernel's business and not ours."""
        return not self.problems


def kernel_support() -> Support:
    """Asks the kernel and the C libraries; changes nothing."""
    version = interface_version()
    problems = []
    if version < _LEAST_VERSION:
        problems.append(
            "This kernel cannot keep the gateway from reading what it released (Landlock version "
            f"{_LEAST_VERSION} is needed, it has {version or 'none'})."
        )
    if filter_problem := seccomp.problem():
        problems.append(filter_problem)
    return Support(landlock=version, seccomp=not filter_problem, problems=tuple(problems))


def gateway_grants(paths: GatewayPaths) -> tuple[Grant, ...]:
    """The gateway's profile. Raises Misuse if the release folder could be read through another grant."""
    granted = (
        *(Grant(path=path, rights=_STAGING) for path in paths.staging),
        *(Grant(path=path, rights=_READ) for path in paths.readable),
        *(Grant(path=path, rights=_OWN) for path in paths.owned),
        *_program_grants(),
    )
    outside = () if paths.release is None else (paths.release,)  # none: the release folder is in OneDrive
    for grant, path in itertools.product(granted, outside):
        if grant.rights & Access.READ_FILE and _contains(grant.path, path):
            raise Misuse(
                f"The release folder {path} lies inside {grant.path}, which the gateway reads.",
                advice="Put the device's folder elsewhere, so that the kernel can keep the gateway from reading it.",
                clauses=("G5",),
            )
    for path in paths.staging:
        if any(_contains(owner, path) for owner in (*paths.owned, *outside)):
            raise Misuse(
                f"The staging folder {path} lies inside a folder that the gateway writes.",
                advice="Put staging elsewhere, so that the kernel can keep the gateway from changing it.",
                clauses=("G5",),
            )
    return (*granted, *(Grant(path=path, rights=_RELEASE) for path in outside))


def guard_grants(paths: GuardPaths) -> tuple[Grant, ...]:
    """The guard's profile."""
    return (
        Grant(path=paths.release, rights=_GUARDED),
        Grant(path=paths.aside, rights=_GUARDED),
        *_program_grants(),
    )


def confine_gateway(paths: GatewayPaths) -> Support:
    """Limits this process to the gateway's profile, for good. Raises Unavailable where the kernel cannot, Misuse."""
    return _confine(gateway_grants(paths), paths.connect_tcp)


def confine_guard(paths: GuardPaths) -> Support:
    """Limits this process to the guard's profile, for good. Raises Unavailable where the kernel cannot, Misuse.

    The guard can still connect to a Unix socket by its path: the kernel's file rights do not cover that.
    """
    return _confine(guard_grants(paths), ())


def confine_drive_guard(paths: DriveGuardPaths) -> Support:
    """Limits this process to the profile of the guard of a folder in OneDrive, for good. Raises Unavailable, Misuse."""
    readable = tuple(Grant(path=path, rights=_READ) for path in paths.readable)
    return _confine((*readable, *_program_grants()), paths.connect_tcp)


def _confine(grants: tuple[Grant, ...], ports: Iterable[int]) -> Support:
    support = kernel_support()
    if support.landlock < _LEAST_VERSION:
        raise Unavailable(
            support.problems[0],
            advice='Use Linux 5.19 or newer with Landlock on, or set mode = "prefer" under [valve] in transfer.toml.',
            clauses=("G5",),
        )
    if threading.active_count() > 1:
        raise Unavailable(
            f"{threading.active_count() - 1} threads run already and would stay unlimited.",
            advice="This is a defect: a process limits itself before it starts a thread.",
        )
    restrict(grants, connect_tcp=ports, version=support.landlock)
    return support


def _program_grants() -> Iterator[Grant]:
    """What running Python and this program takes: their own files, the system's libraries and settings."""
    package = Path(transfer.__file__).resolve().parent
    for path in sorted({Path(sys.prefix), Path(sys.base_prefix), package, *map(Path, ("/usr", "/lib", "/lib64"))}):
        yield Grant(path=path, rights=_RUN, required=False)
    # Where modules are looked for is listed, to find the program; what else is there is not read.
    yield Grant(path=package.parent, rights=Access.READ_DIR)
    for name in sorted({entry for entry in sys.path if os.path.basename(entry) in _LIBRARY_FOLDERS}):
        yield Grant(path=Path(name), rights=_RUN, required=False)
    for name in ("/etc", "/run/systemd/resolve", "/proc/self", "/sys/devices/system/cpu", "/dev/urandom"):
        yield Grant(path=Path(name), rights=_READ, required=False)
    yield Grant(path=Path(os.devnull), rights=_READ | Access.WRITE_FILE | Access.TRUNCATE, required=False)


def _contains(folder: Path, path: Path) -> bool:
    """Whether `path` is `folder` or lies beneath it, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))

"""Processes under real users other than root, wherever this source tree and its Python happen to lie.

What belongs to root alone (a checkout or a Python below /root) is out of every other user's reach. Such a process gets
a mount namespace of its own, in which the folder that is in the way is replaced by an empty one that holds nothing but
the program and its Python, under their very paths.
"""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
NEEDED = (SOURCE, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())


def as_user(name: str, *command: str | Path, groups: Sequence[int] = ()) -> list[str]:
    """The command line with which this runs as that user, in its own group and in these others."""
    account = pwd.getpwnam(name)
    others = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    run = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", others, "--no-new-privs", "--"]
    run += map(str, command)
    script = _way_there()
    return ["unshare", "-m", "sh", "-ec", f'{script}\nexec "$@"', "sh", *run] if script else run


def python_as(name: str, *arguments: str | Path, groups: Sequence[int] = ()) -> list[str]:
    """This Python, with the program of this source tree, as that user."""
    python = Path(sys.prefix) / "bin" / "python"
    environment = ["env", f"PYTHONPATH={SOURCE}", "PYTHONDONTWRITEBYTECODE=1", "NO_COLOR=1"]
    return as_user(name, *environment, python, *arguments, groups=groups)


def _way_there() -> str:
    """The lines of a shell script that put what is in the way out of it; empty where nothing is."""
    blocks = {block for path in NEEDED if (block := _first_closed(path)) is not None}
    lines = []
    for block in sorted(blocks):
        behind = sorted({path for path in NEEDED if path.is_relative_to(block)})
        kept = []
        for number, path in enumerate(behind):
            kept.append((f"/mnt/.kept-{number}", path))
        quoted = shlex.quote(str(block))
        lines += ["mount -t tmpfs -o mode=755 tmpfs /mnt"]
        for keep, path in kept:
            lines += [f"mkdir {keep}", f"mount --bind {shlex.quote(str(path))} {keep}"]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {quoted}"]
        for keep, path in kept:
            lines += [f"mkdir -p {shlex.quote(str(path))}", f"mount --bind {keep} {shlex.quote(str(path))}"]
    return "\n".join(lines)


def _first_closed(path: Path) -> Path | None:
    """The outermost folder on the way to this one that is closed to others; itself is to be open."""
    for folder in (*reversed(path.parents), path):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def give(path: Path, name: str, *, group: int | None = None, mode: int | None = None) -> None:
    """Everything below goes to this user; the mode is of the folder alone."""
    account = pwd.getpwnam(name)
    gid = account.pw_gid if group is None else group
    for here, folders, files in os.walk(path):
        for entry in (*folders, *files):
            os.chown(os.path.join(here, entry), account.pw_uid, gid, follow_symlinks=False)
    os.chown(path, account.pw_uid, gid)
    if mode is not None:
        path.chmod(mode)


def answers(command: list[str], *, within: float = 30) -> subprocess.CompletedProcess[str]:
    """What a command said and how it ended."""
    return subprocess.run(command, capture_output=True, text=True, timeout=within, check=False, cwd="/")

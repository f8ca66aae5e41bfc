"""Small disks that can be full or read-only, for tests that run as root; others are skipped with the reason."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(at: Path, *, kibibytes: int) -> Iterator[Path]:
    """A tmpfs of this size, mounted at `at` for the length of the block."""
    at.mkdir(exist_ok=True)
    options = f"size={kibibytes}k,mode=755"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def make_writable(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Fills the disk with one file but for about `leave` bytes."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            if free <= leave:
                break
            stream.write(b"\0" * min(65536, free - leave))
    return filler

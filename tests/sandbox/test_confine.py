"""Each layer of a child's confinement on its own, so that none hides that another is missing."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path

import pytest

from tests.sandbox.forks import tried
from transfer.sandbox import confine
from transfer.sandbox.confine import ChildLimits, confine_child, keep_only, measure_baseline
from transfer.sandbox.landlock import interface_version
from transfer.sandbox.seccomp import build_filter, problem

_PR_GET_DUMPABLE, _PR_GET_NO_NEW_PRIVS = 3, 39


def without_a_filter() -> None:
    confine_child(ChildLimits(memory_bytes=64 << 20), measure_baseline(), None, prefer=True)


@pytest.mark.skipif(interface_version() < 1, reason="this kernel has no Landlock")
def test_landlock_alone_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    seen = tried(
        without_a_filter,
        {
            "read": (tmp_path / "file").read_bytes,
            "write": lambda: os.open(tmp_path / "file", os.O_WRONLY),
            "list": lambda: os.listdir(tmp_path),
            "make": lambda: os.mkdir(tmp_path / "folder"),
            "remove": lambda: os.unlink(tmp_path / "file"),
        },
    )
    assert set(seen.values()) == {"EACCES"}, seen


@pytest.mark.skipif(bool(problem()), reason="no libseccomp")
def test_the_filter_alone_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    rules = build_filter()

    def load() -> None:
        confine.no_new_privileges()
        rules.load()

    seen = tried(load, {"read": (tmp_path / "file").read_bytes, "fork": os.fork, "pipe": os.pipe})
    assert set(seen.values()) == {"EPERM"}, seen


def test_limits_of_the_process() -> None:
    limits = ChildLimits(memory_bytes=64 << 20, file_bytes=1 << 20, descriptors=900, cpu_seconds=7)
    baseline = measure_baseline()
    kinds = {
        "core": resource.RLIMIT_CORE,
        "descriptors": resource.RLIMIT_NOFILE,
        "file": resource.RLIMIT_FSIZE,
        "data": resource.RLIMIT_DATA,
        "cpu": resource.RLIMIT_CPU,
        "locked": resource.RLIMIT_MEMLOCK,
    }
    seen = tried(
        lambda: confine_child(limits, baseline, None, prefer=True),
        {name: (lambda kind=kind: resource.getrlimit(kind)) for name, kind in kinds.items()},
    )
    assert seen == {
        "core": "worked: (0, 0)",
        "descriptors": "worked: (900, 900)",
        "file": f"worked: ({1 << 20}, {1 << 20})",
        "data": f"worked: ({baseline.data + (64 << 20)}, {baseline.data + (64 << 20)})",
        "cpu": "worked: (7, 12)",
        "locked": "worked: (0, 0)",
    }


def test_nobody_can_trace_it_and_it_gains_nothing() -> None:
    prctl = ctypes.CDLL(None).prctl
    seen = tried(
        without_a_filter,
        {
            "dumpable": lambda: prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0),
            "no new privileges": lambda: prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        },
    )
    assert seen == {"dumpable": "worked: 0", "no new privileges": "worked: 1"}


def test_root_has_no_powers_left() -> None:
    def powers() -> str:
        lines = Path("/proc/self/status").read_text().splitlines()
        return " ".join(line.split()[1] for line in lines if line.startswith(("CapInh", "CapPrm", "CapEff")))

    seen = tried(confine._drop_capabilities, {"powers": powers})
    assert seen == {"powers": "worked: " + " ".join(["0" * 16] * 3)}


def test_other_descriptors_are_closed(tmp_path: Path) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        kept = keep_only(writing)
        os.write(kept, ",".join(sorted(os.listdir("/proc/self/fd"))).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    listed = os.read(reading, 1000).decode().split(",")
    os.close(reading)
    os.close(secret)
    assert listed == ["0", "1", "2", "3", "4"]  # 4 is the folder being listed

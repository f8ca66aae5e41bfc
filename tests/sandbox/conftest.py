"""Pools of real, confined children whose work is `tests.sandbox.hostile`."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transfer.model.limits import MediaLimits
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

HOSTILE = (sys.executable, "-P", "-m", "tests.sandbox.hostile")
LIMITS = MediaLimits(**{each.name: 1 for each in dataclasses.fields(MediaLimits)})

PoolMaker = Callable[..., Pool]


@pytest.fixture
def make_pool() -> Iterator[PoolMaker]:
    if not kernel_support().complete:
        pytest.skip("this kernel cannot confine children")
    made: list[Pool] = []

    def make(*, workers: int = 1, strict: bool = False, limits: ChildLimits | None = None) -> Pool:
        pool = Pool(
            role=Role.MEDIA,
            workers=workers,
            limits=limits or ChildLimits(memory_bytes=256 << 20),
            strict=strict,
            command=HOSTILE,
        )
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[int]:
    """A descriptor of a file with the bytes `raw bytes`."""
    (tmp_path / "raw").write_bytes(b"raw bytes")
    descriptor = os.open(tmp_path / "raw", os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def output(tmp_path: Path) -> Iterator[int]:
    """A descriptor of an empty file, to be written."""
    descriptor = os.open(tmp_path / "output", os.O_RDWR | os.O_CREAT, 0o600)
    yield descriptor
    os.close(descriptor)

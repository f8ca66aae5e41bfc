"""Samples that take a while to make, made once; and a clamd for all tests that need one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.clamd import CLAMD, running_clamd
from transfer.inspection.probe import warm


@pytest.fixture(scope="session", autouse=True)
def _warmed() -> None:
    warm()


@pytest.fixture(scope="session")
def mp4() -> bytes:
    return samples.mp4(2)


@pytest.fixture(scope="session")
def webm() -> bytes:
    return samples.webm(1)


@pytest.fixture(scope="session")
def clamd() -> Iterator[Path]:
    if CLAMD is None:
        pytest.skip("clamd is not installed")
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder, running_clamd(Path(folder)) as path:
        yield path
